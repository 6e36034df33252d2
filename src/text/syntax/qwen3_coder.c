/* <tool_call><function=name><parameter=key>value</parameter></function></tool_call>: Qwen3-Coder, Nemotron 3. Models
 * forget the outer tag now and then; the inner one is enough. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

static const char *const openers[] = { "<tool_call>", "<function=", nullptr };
static const char *const closers[] = { "</function>", "</tool_call>", nullptr };
static const char *const name_ends[] = { ">", "\n", nullptr };
static const char *const ends[] = { "</function>", "</tool_call>", nullptr };

static const struct al_sx_tags tags = {
  .param_open = "<parameter=", .key_close = ">", .value_close = "</parameter>", .ends = ends, .has_own_lines = true
};

static enum al_sx_verdict begin(struct al_syntax_parser *p, struct al_str view, bool, size_t *used)
{
  size_t at = al_sx_match(view, openers[0]) == AL_SX_FULL ? strlen(openers[0]) : 0;
  at += al_sx_leading_space(al_sx_from(view, at));
  enum al_sx_match match = al_sx_match(al_sx_from(view, at), openers[1]);
  if (match != AL_SX_FULL)
    return match == AL_SX_PARTIAL ? AL_SX_WAIT : AL_SX_NO;
  at += strlen(openers[1]);
  size_t size = 0;
  struct al_str name = al_sx_from(view, at);
  name.size = al_sx_find(name, name_ends, &match, &size);
  if (match != AL_SX_FULL)
    return AL_SX_WAIT;
  if (!al_sx_declared(p, name))
    return AL_SX_NO;
  *used = at + name.size + size;
  return al_sx_tagged_open(p, name);
}

#define QWEN3_CODER                                                                                                    \
  .name = "qwen3_coder", .think_open = "<think>", .think_close = "</think>", .openers = openers, .closers = closers,   \
  .begin = begin, .body = al_sx_tagged_body, .tags = &tags,                                                            \
  .form = {                                                                                                            \
    .open = "",                                                                                                        \
    .item_open = "<tool_call>\n<function=",                                                                            \
    .item_close = "</function>\n</tool_call>",                                                                         \
    .between = "\n",                                                                                                   \
    .close = "",                                                                                                       \
    .name_end = ">\n",                                                                                                 \
  }

const struct al_syntax al_syntax_qwen3_coder = { QWEN3_CODER };
const struct al_syntax al_syntax_qwen3_coder_think = { QWEN3_CODER, .template_thinks = true };
