/* <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Qwen 2.5 and 3, Hermes, and our built-in assistant. */
#include "text/syntax/parser.h"

static const char *const openers[] = { "<tool_call>", nullptr };
static const char *const closers[] = { "</tool_call>", nullptr };

#define HERMES                                                                                                         \
  .name = "hermes", .think_open = "<think>", .think_close = "</think>", .openers = openers, .closers = closers,        \
  .begin = al_sx_wrapped_begin, .body = al_sx_json_body,                                                               \
  .form = {                                                                                                            \
    .open = "",                                                                                                        \
    .item_open = "<tool_call>\n",                                                                                      \
    .item_close = "\n</tool_call>",                                                                                    \
    .between = "\n",                                                                                                   \
    .close = "",                                                                                                       \
    .args_key = "arguments",                                                                                           \
  }

const struct al_syntax al_syntax_hermes = { HERMES };
const struct al_syntax al_syntax_hermes_think = { HERMES, .template_thinks = true };
