/* DeepSeek. R1 and V3: <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>name, then the arguments in a
 * fence of ```json; V3.1: name<｜tool▁sep｜>arguments. Both are read, whichever the template writes. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

#define CALLS_BEGIN "<｜tool▁calls▁begin｜>"
#define CALLS_END   "<｜tool▁calls▁end｜>"
#define CALL_BEGIN  "<｜tool▁call▁begin｜>"
#define CALL_END    "<｜tool▁call▁end｜>"
#define SEPARATOR   "<｜tool▁sep｜>"

static const char *const openers[] = { CALLS_BEGIN, CALL_BEGIN, nullptr };
static const char *const closers[] = { "```", CALL_END, CALLS_END, nullptr };
static const char *const separators[] = { SEPARATOR, nullptr };
static const char *const controls[] = { SEPARATOR, nullptr };
static const char *const fences[] = { "```json", nullptr };

static struct al_str trimmed(struct al_str text)
{
  text = al_sx_from(text, al_sx_leading_space(text));
  text.size -= al_sx_trailing_space(text);
  return text;
}

/* The old form: "function" stands where the name is in the new one, and the name before a fence. */
static enum al_sx_verdict fenced_begin(struct al_syntax_parser *p, struct al_str view, size_t at, bool is_last,
                                       size_t *used)
{
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str name = al_sx_from(view, at);
  name.size = al_sx_find(name, fences, &match, &size);
  if (match != AL_SX_FULL)
    return AL_SX_WAIT;
  at += name.size + size;
  if (!al_sx_declared(p, trimmed(name)))
    return AL_SX_NO;
  return al_sx_named_open(p, trimmed(name), view, at, is_last, used);
}

static enum al_sx_verdict begin(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  size_t at = 0;
  for (size_t size = 0; al_sx_match_any(al_sx_from(view, at), openers, &size) == AL_SX_FULL;) {
    at += size;
    at += al_sx_leading_space(al_sx_from(view, at));
  }
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str name = al_sx_from(view, at);
  name.size = al_sx_find(name, separators, &match, &size);
  if (match != AL_SX_FULL)
    return AL_SX_WAIT;
  at += name.size + size;
  if (al_sx_declared(p, trimmed(name)))
    return al_sx_named_open(p, trimmed(name), view, at, is_last, used);
  return al_str_is(trimmed(name), "function") ? fenced_begin(p, view, at, is_last, used) : AL_SX_NO;
}

#define DEEPSEEK                                                                                                       \
  .name = "deepseek", .think_open = "<think>", .think_close = "</think>", .template_thinks = true, .openers = openers, \
  .closers = closers, .controls = controls, .begin = begin, .body = al_sx_json_body

const struct al_syntax al_syntax_deepseek = {
  DEEPSEEK,
  .form = { .open = CALLS_BEGIN,
            .item_open = CALL_BEGIN "function" SEPARATOR,
            .item_close = "\n```" CALL_END,
            .between = "\n",
            .close = CALLS_END,
            .name_end = "\n```json\n" },
};
const struct al_syntax al_syntax_deepseek_named = {
  DEEPSEEK,
  .form = { .open = CALLS_BEGIN,
            .item_open = CALL_BEGIN,
            .item_close = CALL_END,
            .between = "",
            .close = CALLS_END,
            .name_end = SEPARATOR },
};
