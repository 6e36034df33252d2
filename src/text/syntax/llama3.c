/* {"name": ..., "parameters": {...}} in place of an answer, perhaps behind <|python_tag|>: Llama 3.1 to 3.3. */
#include "text/syntax/parser.h"

static const char *const openers[] = { "<|python_tag|>", nullptr };
static const char *const closers[] = { ";", nullptr };

const struct al_syntax al_syntax_llama3 = {
  .name = "llama3",
  .think_open = "<think>",
  .think_close = "</think>",
  .openers = openers,
  .closers = closers,
  .opens_bare = true,
  .begin = al_sx_wrapped_begin,
  .body = al_sx_json_body,
  .form = { .open = "",
            .item_open = "",
            .item_close = "",
            .between = "",
            .close = "",
            .args_key = "parameters",
            .is_single = true },
};
