/* No tool calls that are known; reasoning where the template speaks of it. */
#include "text/syntax/parser.h"

const struct al_syntax al_syntax_plain = { .name = "plain" };
const struct al_syntax al_syntax_plain_think = {
  .name = "plain", .think_open = "<think>", .think_close = "</think>", .template_thinks = true
};
const struct al_syntax al_syntax_plain_think_brackets = {
  .name = "plain", .think_open = "[THINK]", .think_close = "[/THINK]", .template_thinks = true
};
