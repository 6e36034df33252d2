/* [TOOL_CALLS][{"name": ..., "arguments": {...}}, ...], and since version 11 of its tokenizer
 * [TOOL_CALLS]name[ARGS]{...}, each call with its own marker. Both are read, whichever the template writes. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

static const char *const openers[] = { "[TOOL_CALLS]", nullptr };
static const char *const name_ends[] = { "[ARGS]", "[CALL_ID]", "{", nullptr };
static const char *const controls[] = { "[ARGS]", "[CALL_ID]", nullptr };
static const char *const args[] = { "[ARGS]", "{", nullptr };

/* [CALL_ID]id may stand between the name and [ARGS]. */
static size_t arguments_at(struct al_str view, size_t at, enum al_sx_match *match)
{
  size_t size = 0;
  at += al_sx_find(al_sx_from(view, at), args, match, &size);
  return *match == AL_SX_FULL && size > 1 ? at + size : at;
}

static enum al_sx_verdict named_begin(struct al_syntax_parser *p, struct al_str view, size_t at, bool is_last,
                                      size_t *used)
{
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str name = al_sx_from(view, at);
  name.size = al_sx_find(name, name_ends, &match, &size);
  if (match == AL_SX_NONE && !al_sx_may_be_declared(p, al_str_n(name.data, name.size - al_sx_trailing_space(name))))
    return AL_SX_NO;
  if (match != AL_SX_FULL)
    return AL_SX_WAIT;
  at = arguments_at(view, at + name.size, &match);
  name.size -= al_sx_trailing_space(name);
  if (!al_sx_declared(p, name))
    return AL_SX_NO;
  return match == AL_SX_FULL ? al_sx_named_open(p, name, view, at, is_last, used) : AL_SX_WAIT;
}

static enum al_sx_verdict begin(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  size_t at = 0;
  if (p->in_list)
    return al_sx_wrapped_begin(p, view, is_last, used);
  if (al_sx_match_any(view, openers, &at) != AL_SX_FULL)
    return AL_SX_NO;
  at += al_sx_leading_space(al_sx_from(view, at));
  if (at == view.size)
    return AL_SX_WAIT;
  bool is_json = view.data[at] == '[' || view.data[at] == '{';
  return is_json ? al_sx_wrapped_begin(p, view, is_last, used) : named_begin(p, view, at, is_last, used);
}

#define MISTRAL  .name = "mistral", .openers = openers, .controls = controls, .begin = begin, .body = al_sx_json_body
#define BRACKETS .think_open = "[THINK]", .think_close = "[/THINK]"
#define TAGS     .think_open = "<think>", .think_close = "</think>"
#define MISTRAL_NAMED                                                                                                  \
  .form = {                                                                                                            \
    .open = "",                                                                                                        \
    .item_open = "[TOOL_CALLS]",                                                                                       \
    .item_close = "",                                                                                                  \
    .between = "",                                                                                                     \
    .close = "",                                                                                                       \
    .name_end = "[ARGS]",                                                                                              \
  }

const struct al_syntax al_syntax_mistral = {
  MISTRAL,
  BRACKETS,
  .form = { .open = "[TOOL_CALLS] [",
            .item_open = "",
            .item_close = "",
            .between = ", ",
            .close = "]",
            .args_key = "arguments",
            .has_id = true },
};
const struct al_syntax al_syntax_mistral_named = { MISTRAL, BRACKETS, MISTRAL_NAMED };
const struct al_syntax al_syntax_mistral_think = { MISTRAL, BRACKETS, MISTRAL_NAMED, .template_thinks = true };
const struct al_syntax al_syntax_mistral_tags = { MISTRAL, TAGS, MISTRAL_NAMED, .template_thinks = true };
