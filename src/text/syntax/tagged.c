/* Arguments in tags, turned into a JSON object while they come. Strings are passed on piece by piece; other values are
 * kept until they are whole, for only then can it be told what they are. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"
#include "text/syntax/types.h"

constexpr size_t MAX_KEY = 1024;

enum al_sx_verdict al_sx_tagged_open(struct al_syntax_parser *parser, struct al_str name)
{
  parser->tag = (struct al_sx_tag_state){};
  al_sx_call_begin(parser, name);
  al_sx_call_delta(parser, al_str("{"));
  return AL_SX_YES;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

/* A string as JSON, without its quotes. */
static void write_piece(struct al_syntax_parser *p, struct al_str text)
{
  al_buf_clear(&p->scratch);
  struct al_json_writer w = al_json_writer(&p->scratch);
  al_jw_str_n(&w, text);
  if (text.size > 0 && !p->scratch.failed)
    al_sx_call_delta(p, al_str_n(p->scratch.data + 1, p->scratch.size - 2));
}

/* Some templates print Python's words. */
static struct al_str python_word(struct al_str text)
{
  if (al_str_is(text, "True"))
    return al_str("true");
  if (al_str_is(text, "False"))
    return al_str("false");
  return al_str_is(text, "None") ? al_str("null") : text;
}

/* JSON when it is a value that the parameter may have, a string otherwise. */
static void write_kept(struct al_syntax_parser *p)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_str text = al_buf_view(&p->value);
  struct al_str json = al_sx_from(text, al_sx_leading_space(text));
  for (size_t n; (n = al_sx_trailing_space(json)) > 0;)
    json.size -= n;
  json = python_word(json);
  bool is_json = al_json_parse(json, &doc, nullptr) == AL_OK;
  if (is_json && (al_sx_type_of(al_json_root(doc)) & p->tag.types) != 0) {
    al_sx_call_delta(p, json);
    return;
  }
  al_sx_call_delta(p, al_str("\""));
  write_piece(p, text);
  al_sx_call_delta(p, al_str("\""));
}

static void begin_value(struct al_syntax_parser *p, struct al_str key)
{
  const struct al_json *function = al_sx_tool(al_json_root(p->tools), al_buf_view(&p->function));
  const struct al_json *parameters = al_json_get(function, "parameters");
  unsigned types = al_sx_types(parameters, al_sx_parameter(parameters, key));
  al_sx_call_delta(p, p->tag.has_param ? al_str(", \"") : al_str("\""));
  write_piece(p, key);
  al_sx_call_delta(p, types == AL_SX_TYPE_STRING ? al_str("\": \"") : al_str("\": "));
  p->tag = (struct al_sx_tag_state){ .in_value = true,
                                     .is_fresh = true,
                                     .is_blank = true,
                                     .is_string = types == AL_SX_TYPE_STRING,
                                     .has_param = true,
                                     .types = types };
  al_buf_clear(&p->value);
}

static void take_value(struct al_syntax_parser *p, struct al_str text)
{
  if (p->tag.is_string)
    write_piece(p, text);
  else
    al_buf_add(&p->value, text.data, text.size);
}

static void end_value(struct al_syntax_parser *p)
{
  if (p->tag.is_string)
    al_sx_call_delta(p, al_str("\""));
  else
    write_kept(p);
  p->tag.in_value = false;
}

static size_t line_break_at_end(struct al_str text)
{
  return text.size > 0 && text.data[text.size - 1] == '\n' ? 1 : 0;
}

/* A line break that belongs to the tag, then white space up to what tells JSON from other text. */
static enum al_sx_verdict begin_kept(struct al_syntax_parser *p, struct al_str view, size_t *used)
{
  size_t n_space = al_sx_leading_space(view);
  *used = n_space;
  take_value(p, al_str_n(view.data, n_space));
  if (n_space == view.size)
    return AL_SX_WAIT;
  char c = view.data[n_space];
  p->tag.is_blank = false;
  p->tag.in_json = c == '{' || c == '[' || c == '"';
  return AL_SX_YES;
}

static enum al_sx_verdict in_json(struct al_syntax_parser *p, struct al_str view, size_t *used)
{
  bool ended = false;
  *used = al_sx_scan_go(&p->tag.scan, view, &ended);
  take_value(p, al_str_n(view.data, *used));
  p->tag.in_json = !ended;
  return ended ? AL_SX_YES : AL_SX_WAIT;
}

/* Up to the closing tag. */
static enum al_sx_verdict in_text(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  const struct al_sx_tags *tags = p->syntax->tags;
  const char *const closes[] = { tags->value_close, nullptr };
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str text = al_str_n(view.data, al_sx_find(view, closes, &match, &size));
  size_t n_line = tags->has_own_lines ? line_break_at_end(text) : 0;
  if (match == AL_SX_FULL) {
    *used = text.size + size;
    take_value(p, al_str_n(text.data, text.size - n_line));
    end_value(p);
    return AL_SX_YES;
  }
  *used = is_last ? view.size : text.size - n_line;
  take_value(p, al_str_n(view.data, *used));
  return AL_SX_WAIT;
}

/* The view is never empty. */
static enum al_sx_verdict in_value(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  if (p->tag.is_fresh) {
    p->tag.is_fresh = false;
    *used = p->syntax->tags->has_own_lines && view.data[0] == '\n' ? 1 : 0;
    return AL_SX_YES;
  }
  if (p->tag.is_blank && !p->tag.is_string)
    return begin_kept(p, view, used);
  return p->tag.in_json ? in_json(p, view, used) : in_text(p, view, is_last, used);
}

bool al_sx_tagged_recover(struct al_syntax_parser *parser)
{
  if (!parser->in_call || parser->syntax->tags == nullptr || !parser->tag.in_json)
    return false;
  struct al_str close = al_str(parser->syntax->tags->value_close);
  struct al_str value = al_buf_view(&parser->value);
  const char *found = value.size > 0 ? memmem(value.data, value.size, close.data, close.size) : nullptr;
  if (found == nullptr)
    return false;
  size_t at = (size_t)(found - value.data);
  al_buf_add(&parser->pending, found + close.size, value.size - at - close.size);
  parser->value.size = at - (parser->syntax->tags->has_own_lines ? line_break_at_end(al_str_n(value.data, at)) : 0);
  end_value(parser);
  return true;
}

/* --- between values ---------------------------------------------------------------------------------------------- */

/* param_open KEY key_close, and value_open. Keys longer than any real one break the call. */
static enum al_sx_verdict read_param(struct al_syntax_parser *p, struct al_str view, size_t at, size_t *used)
{
  const struct al_sx_tags *tags = p->syntax->tags;
  const char *const closes[] = { tags->key_close, nullptr };
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str key = al_sx_from(view, at);
  key.size = al_min_size(key.size, MAX_KEY);
  bool is_long = key.size == MAX_KEY;
  key.size = al_sx_find(key, closes, &match, &size);
  if (match != AL_SX_FULL)
    return is_long ? AL_SX_NO : AL_SX_WAIT;
  at += key.size + size;
  if (tags->value_open != nullptr) {
    at += al_sx_leading_space(al_sx_from(view, at));
    enum al_sx_match open = al_sx_match(al_sx_from(view, at), tags->value_open);
    if (open != AL_SX_FULL)
      return open == AL_SX_PARTIAL ? AL_SX_WAIT : AL_SX_NO;
    at += strlen(tags->value_open);
  }
  *used = at;
  begin_value(p, key);
  return AL_SX_YES;
}

static enum al_sx_verdict between(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  const struct al_sx_tags *tags = p->syntax->tags;
  size_t n_space = al_sx_leading_space(view);
  view = al_sx_from(view, n_space);
  size_t size = 0;
  enum al_sx_match end = al_sx_match_any(view, tags->ends, &size);
  if (end == AL_SX_FULL) {
    *used = n_space + size;
    al_sx_call_delta(p, al_str("}"));
    al_sx_call_end(p);
    return AL_SX_YES;
  }
  enum al_sx_match open = al_sx_match(view, tags->param_open);
  enum al_sx_verdict verdict = end == AL_SX_PARTIAL || open == AL_SX_PARTIAL ? AL_SX_WAIT : AL_SX_NO;
  if (open == AL_SX_FULL)
    verdict = read_param(p, view, strlen(tags->param_open), used);
  if (verdict == AL_SX_NO || (verdict == AL_SX_WAIT && is_last)) {
    al_sx_call_break(p);
    verdict = AL_SX_YES;
  }
  *used += n_space;
  return verdict;
}

enum al_sx_verdict al_sx_tagged_body(struct al_syntax_parser *parser, struct al_str view, bool is_last, size_t *used)
{
  return parser->tag.in_value ? in_value(parser, view, is_last, used) : between(parser, view, is_last, used);
}
