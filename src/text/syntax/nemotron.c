/* <TOOLCALL>[{"name": ..., "arguments": {...}}, ...]</TOOLCALL>: Nemotron before version 3. */
#include "text/syntax/parser.h"

static const char *const openers[] = { "<TOOLCALL>", nullptr };
static const char *const closers[] = { "</TOOLCALL>", nullptr };

#define NEMOTRON                                                                                                       \
  .name = "nemotron", .think_open = "<think>", .think_close = "</think>", .openers = openers, .closers = closers,      \
  .begin = al_sx_wrapped_begin, .body = al_sx_json_body,                                                               \
  .form = {                                                                                                            \
    .open = "<TOOLCALL>[",                                                                                             \
    .item_open = "",                                                                                                   \
    .item_close = "",                                                                                                  \
    .between = ", ",                                                                                                   \
    .close = "]</TOOLCALL>",                                                                                           \
    .args_key = "arguments",                                                                                           \
  }

const struct al_syntax al_syntax_nemotron = { NEMOTRON };
const struct al_syntax al_syntax_nemotron_think = { NEMOTRON, .template_thinks = true };
