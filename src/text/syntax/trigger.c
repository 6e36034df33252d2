/* Where, in what has been generated so far, a call begins: from there on a lazy grammar holds. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

/* *scanned is twice the place up to which nothing has been found, plus one when reasoning is behind it. */
struct scan {
  size_t at;
  bool is_past_reasoning;
};

static struct al_str prefix_of_answer(const struct al_syntax *syntax, const struct al_syntax_request *request,
                                      struct al_str text, bool *is_reasoning, bool *is_open)
{
  struct al_str rest = al_sx_from(text, al_sx_leading_space(text));
  enum al_sx_match match = al_sx_match(rest, syntax->think_open);
  *is_reasoning = al_sx_prompt_opened(syntax, request->prompt_tail).size > 0 || match == AL_SX_FULL;
  *is_open = match == AL_SX_PARTIAL;
  return rest;
}

/* Moves scan->at behind the reasoning; false: it has not ended, or may be about to begin. */
static bool pass_reasoning(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                           struct scan *scan)
{
  if (scan->is_past_reasoning || syntax->think_open == nullptr)
    return true;
  bool is_reasoning = false, is_open = false;
  (void)prefix_of_answer(syntax, request, text, &is_reasoning, &is_open);
  if (!is_reasoning) {
    scan->is_past_reasoning = !is_open;
    return !is_open;
  }
  const char *const close[] = { syntax->think_close, nullptr };
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  scan->at += al_sx_find(al_sx_from(text, scan->at), close, &match, &size);
  scan->is_past_reasoning = match == AL_SX_FULL;
  scan->at += scan->is_past_reasoning ? size : 0;
  return scan->is_past_reasoning;
}

static ptrdiff_t find_opener(const struct al_syntax *syntax, struct al_str text, struct scan *scan)
{
  const char *const opener[] = { syntax->openers[0], nullptr };
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  scan->at += al_sx_find(al_sx_from(text, scan->at), opener, &match, &size);
  return match == AL_SX_FULL ? (ptrdiff_t)scan->at : -1;
}

/* A JSON string token at text[*at]; moves behind it. */
static struct al_str take_string(struct al_str text, size_t *at)
{
  size_t end = 0;
  *at += al_sx_leading_space(al_sx_from(text, *at));
  if (*at >= text.size || text.data[*at] != '"' || al_sx_value_end(text, *at, false, &end) != AL_SX_PART_WHOLE)
    return (struct al_str){};
  struct al_str inner = al_str_n(text.data + *at + 1, end - *at - 2);
  *at = end;
  return inner;
}

static bool take_char(struct al_str text, size_t *at, char c)
{
  *at += al_sx_leading_space(al_sx_from(text, *at));
  if (*at >= text.size || text.data[*at] != c)
    return false;
  ++*at;
  return true;
}

/* {"name": "a declared function", at the beginning of the answer. */
static bool begins_json_call(const struct al_syntax_request *request, struct al_str text)
{
  size_t at = 0;
  return take_char(text, &at, '{') && al_str_is(take_string(text, &at), "name") && take_char(text, &at, ':') &&
         al_sx_tool(request->tools, take_string(text, &at)) != nullptr;
}

/* A declared function's name on a line, and an object below. */
static bool begins_named_call(const struct al_syntax_request *request, struct al_str text)
{
  const char *line = text.size > 0 ? memchr(text.data, '\n', text.size) : nullptr;
  size_t at = line != nullptr ? (size_t)(line - text.data) : 0;
  return line != nullptr && al_sx_tool(request->tools, al_str_n(text.data, at)) != nullptr && take_char(text, &at, '{');
}

/* A call that begins bare says so early: an answer in JSON is not looked through again and again. */
constexpr size_t MAX_CALL_HEAD = 1024;

static ptrdiff_t find_bare(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                           const struct scan *scan)
{
  size_t at = scan->at + al_sx_leading_space(al_sx_from(text, scan->at));
  size_t size = 0;
  if (al_sx_match_any(al_sx_from(text, at), syntax->openers, &size) == AL_SX_FULL)
    at += size;
  at += al_sx_leading_space(al_sx_from(text, at));
  struct al_str rest = al_sx_from(text, at);
  rest.size = al_min_size(rest.size, MAX_CALL_HEAD);
  bool begins = syntax->form.args_key != nullptr ? begins_json_call(request, rest) : begins_named_call(request, rest);
  return begins ? (ptrdiff_t)at : -1;
}

/* "to=functions." in a message's header: behind <|start|> or <|channel|>, or before any marker. */
static bool is_in_header(struct al_str before)
{
  for (size_t i = before.size; i-- > 0;)
    if (al_str_starts(al_sx_from(before, i), al_str("<|")))
      return al_sx_match(al_sx_from(before, i), "<|start|>") == AL_SX_FULL ||
             al_sx_match(al_sx_from(before, i), "<|channel|>") == AL_SX_FULL;
  return true;
}

static ptrdiff_t find_recipient(struct al_str text, struct scan *scan)
{
  static const char *const recipient[] = { "to=functions.", nullptr };
  for (;;) {
    enum al_sx_match match = AL_SX_NONE;
    size_t size = 0;
    scan->at += al_sx_find(al_sx_from(text, scan->at), recipient, &match, &size);
    if (match != AL_SX_FULL)
      return -1;
    if (is_in_header(al_str_n(text.data, scan->at)))
      return (ptrdiff_t)scan->at;
    scan->at += size;
  }
}

ptrdiff_t al_syntax_trigger(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                            size_t *scanned)
{
  if (syntax->openers == nullptr)
    return -1;
  struct scan scan = { .at = *scanned / 2, .is_past_reasoning = *scanned % 2 == 1 };
  ptrdiff_t found = -1;
  if (syntax->step != nullptr)
    found = find_recipient(text, &scan);
  else if (pass_reasoning(syntax, request, text, &scan))
    found = syntax->opens_bare ? find_bare(syntax, request, text, &scan) : find_opener(syntax, text, &scan);
  *scanned = scan.at * 2 + (scan.is_past_reasoning ? 1 : 0);
  return found;
}
