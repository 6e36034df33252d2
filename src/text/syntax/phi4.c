/* <|tool_call|>[{"name": ..., "arguments": {...}}, ...]<|/tool_call|>: Phi-4-mini; Granite 3 writes no end. */
#include "text/syntax/parser.h"

static const char *const openers[] = { "<|tool_call|>", nullptr };
static const char *const closers[] = { "<|/tool_call|>", nullptr };

#define LIST_CALLS(is_closed)                                                                                          \
  .openers = openers, .closers = closers, .begin = al_sx_wrapped_begin, .body = al_sx_json_body,                       \
  .form = {                                                                                                            \
    .open = "<|tool_call|>[",                                                                                          \
    .item_open = "",                                                                                                   \
    .item_close = "",                                                                                                  \
    .between = ", ",                                                                                                   \
    .close = is_closed,                                                                                                \
    .args_key = "arguments",                                                                                           \
  }

const struct al_syntax al_syntax_phi4 = {
  .name = "phi4", .think_open = "<think>", .think_close = "</think>", LIST_CALLS("]<|/tool_call|>")
};
const struct al_syntax al_syntax_granite = {
  .name = "granite", .think_open = "<think>", .think_close = "</think>", LIST_CALLS("]")
};
