/* GLM. 4.5 and later: <tool_call>name<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>. GLM-4 before that writes
 * the name on a line of its own and the arguments as JSON under it, in place of an answer. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

static const char *const openers[] = { "<tool_call>", nullptr };
static const char *const closers[] = { "</tool_call>", nullptr };
static const char *const name_ends[] = { "\n", "<", nullptr };
static const char *const ends[] = { "</tool_call>", nullptr };
static const char *const old_openers[] = { "<|assistant|>", nullptr };
static const char *const old_name_ends[] = { "\n", "{", nullptr };

static const struct al_sx_tags tags = { .param_open = "<arg_key>",
                                        .key_close = "</arg_key>",
                                        .value_open = "<arg_value>",
                                        .value_close = "</arg_value>",
                                        .ends = ends };

static struct al_str trimmed(struct al_str text)
{
  text = al_sx_from(text, al_sx_leading_space(text));
  text.size -= al_sx_trailing_space(text);
  return text;
}

static enum al_sx_verdict begin(struct al_syntax_parser *p, struct al_str view, bool, size_t *used)
{
  size_t at = strlen(openers[0]);
  at += al_sx_leading_space(al_sx_from(view, at));
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str name = al_sx_from(view, at);
  name.size = al_sx_find(name, name_ends, &match, &size);
  if (match != AL_SX_FULL)
    return AL_SX_WAIT;
  if (!al_sx_declared(p, trimmed(name)))
    return AL_SX_NO;
  *used = at + name.size;
  return al_sx_tagged_open(p, trimmed(name));
}

/* The name's line, then an object. Anything else is an answer. */
static enum al_sx_verdict old_begin(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  size_t at = 0;
  if (al_sx_match_any(view, old_openers, &at) == AL_SX_PARTIAL)
    return AL_SX_WAIT;
  at += al_sx_leading_space(al_sx_from(view, at));
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str name = al_sx_from(view, at);
  name.size = al_sx_find(name, old_name_ends, &match, &size);
  if (match != AL_SX_FULL)
    return al_sx_may_be_declared(p, trimmed(name)) ? AL_SX_WAIT : AL_SX_NO;
  at += name.size;
  at += al_sx_leading_space(al_sx_from(view, at));
  if (!al_sx_declared(p, trimmed(name)))
    return AL_SX_NO;
  if (at == view.size)
    return AL_SX_WAIT;
  return view.data[at] == '{' ? al_sx_named_open(p, trimmed(name), view, at, is_last, used) : AL_SX_NO;
}

const struct al_syntax al_syntax_glm = {
  .name = "glm",
  .think_open = "<think>",
  .think_close = "</think>",
  .template_thinks = true,
  .openers = openers,
  .closers = closers,
  .begin = begin,
  .body = al_sx_tagged_body,
  .tags = &tags,
  .form = { .open = "",
            .item_open = "\n<tool_call>",
            .item_close = "</tool_call>",
            .between = "",
            .close = "",
            .name_end = "\n" },
};

const struct al_syntax al_syntax_glm4 = {
  .name = "glm4",
  .think_open = "<think>",
  .think_close = "</think>",
  .openers = old_openers,
  .opens_bare = true,
  .begin = old_begin,
  .body = al_sx_json_body,
  .form = { .open = "",
            .item_open = "",
            .item_close = "",
            .between = "",
            .close = "",
            .name_end = "\n",
            .is_single = true },
};
