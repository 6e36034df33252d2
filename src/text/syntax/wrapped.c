/* Calls that are JSON objects: {"name": "f", "arguments": {...}}, alone or in an array. The arguments' bytes are passed
 * on as they come. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

/* What has been read of the object around the arguments. */
struct head {
  struct al_str view;
  bool is_last;
  bool is_bare; /* it may as well be an answer in JSON: only a call's members are taken */
  size_t at;
  struct al_str name;      /* as it is written, with its quotes; empty: not yet */
  struct al_str arguments; /* that came before the name */
  bool is_at_arguments;
  bool is_closed;
};

static enum al_sx_verdict verdict_of(enum al_sx_part part)
{
  if (part == AL_SX_PART_WHOLE)
    return AL_SX_YES;
  return part == AL_SX_PART_CUT ? AL_SX_WAIT : AL_SX_NO;
}

static enum al_sx_verdict expect(struct head *h, char c)
{
  h->at += al_sx_leading_space(al_sx_from(h->view, h->at));
  if (h->at == h->view.size)
    return AL_SX_WAIT;
  if (h->view.data[h->at] != c)
    return AL_SX_NO;
  h->at++;
  return AL_SX_YES;
}

static enum al_sx_verdict read_value(struct head *h, struct al_str *value)
{
  h->at += al_sx_leading_space(al_sx_from(h->view, h->at));
  size_t end = 0;
  enum al_sx_verdict verdict = verdict_of(al_sx_value_end(h->view, h->at, h->is_last, &end));
  if (verdict != AL_SX_YES)
    return verdict;
  *value = al_str_n(h->view.data + h->at, end - h->at);
  h->at = end;
  return AL_SX_YES;
}

static enum al_sx_verdict read_member_value(struct head *h, struct al_str key)
{
  bool is_arguments = al_str_is(key, "\"arguments\"") || al_str_is(key, "\"parameters\"");
  bool is_name = al_str_is(key, "\"name\"") || al_str_is(key, "\"function\"");
  if (h->is_bare && !is_arguments && !is_name && !al_str_is(key, "\"type\"") && !al_str_is(key, "\"id\""))
    return AL_SX_NO;
  h->at += al_sx_leading_space(al_sx_from(h->view, h->at));
  if (is_arguments && h->name.size > 0) {
    h->is_at_arguments = true;
    return h->at < h->view.size ? AL_SX_YES : AL_SX_WAIT;
  }
  struct al_str value = {};
  enum al_sx_verdict verdict = read_value(h, &value);
  if (verdict != AL_SX_YES)
    return verdict;
  if (is_arguments)
    h->arguments = value;
  else if (is_name && h->name.size == 0 && value.data[0] == '"')
    h->name = value;
  return AL_SX_YES;
}

static enum al_sx_verdict read_member(struct head *h)
{
  struct al_str key = {};
  h->at += al_sx_leading_space(al_sx_from(h->view, h->at));
  if (h->at < h->view.size && h->view.data[h->at] != '"')
    return AL_SX_NO;
  enum al_sx_verdict verdict = read_value(h, &key);
  if (verdict == AL_SX_YES)
    verdict = expect(h, ':');
  return verdict == AL_SX_YES ? read_member_value(h, key) : verdict;
}

static enum al_sx_verdict read_head(struct head *h)
{
  enum al_sx_verdict verdict = expect(h, '{');
  while (verdict == AL_SX_YES) {
    verdict = read_member(h);
    if (verdict != AL_SX_YES || h->is_at_arguments)
      return verdict;
    verdict = expect(h, '}');
    h->is_closed = verdict == AL_SX_YES;
    if (h->is_closed)
      return h->name.size > 0 ? AL_SX_YES : AL_SX_NO;
    if (verdict == AL_SX_NO)
      verdict = expect(h, ',');
  }
  return verdict;
}

/* Arguments that were kept: an object, a string that holds one, or null for none. */
static bool write_kept(struct al_syntax_parser *p, struct al_str json)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (al_json_parse(json, &doc, nullptr) != AL_OK)
    return false;
  const struct al_json *root = al_json_root(doc);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *inner = nullptr;
  if (al_json_kind(root) == AL_JSON_STRING && al_json_parse(al_json_str(root), &inner, nullptr) == AL_OK &&
      al_json_kind(al_json_root(inner)) == AL_JSON_OBJECT)
    al_sx_call_delta(p, al_json_str(root));
  else if (al_json_kind(root) == AL_JSON_OBJECT)
    al_sx_call_delta(p, json);
  else if (al_json_kind(root) == AL_JSON_NULL)
    al_sx_call_delta(p, al_str("{}"));
  else
    return false;
  return true;
}

/* Arguments that are not an object. */
static enum al_sx_verdict open_kept(struct al_syntax_parser *p, struct al_str name, struct al_str json)
{
  if (json.size > 0 && json.data[0] != '"' && json.data[0] != 'n' && json.data[0] != '{')
    return AL_SX_NO;
  al_sx_call_begin(p, name);
  bool is_good = write_kept(p, json.size > 0 ? json : al_str("{}"));
  if (is_good)
    al_sx_call_end(p);
  else
    al_sx_call_break(p);
  return AL_SX_YES;
}

enum al_sx_verdict al_sx_named_open(struct al_syntax_parser *parser, struct al_str name, struct al_str view, size_t at,
                                    bool is_last, size_t *used)
{
  at += al_sx_leading_space(al_sx_from(view, at));
  if (at == view.size)
    return AL_SX_WAIT;
  if (view.data[at] == '{') {
    *used = at;
    al_sx_call_begin(parser, name);
    return AL_SX_YES;
  }
  struct al_str kept = {};
  enum al_sx_verdict verdict = verdict_of(al_sx_value_end(view, at, is_last, used));
  if (verdict == AL_SX_YES)
    kept = al_str_n(view.data + at, *used - at);
  return verdict == AL_SX_YES ? open_kept(parser, name, kept) : verdict;
}

/* The generation ended behind the name: a call all the same, and an incomplete one. */
static enum al_sx_verdict open_cut(struct al_syntax_parser *p, const struct head *h, struct al_str name, size_t *used)
{
  *used = h->view.size;
  al_sx_call_begin(p, name);
  al_sx_call_break(p);
  return AL_SX_YES;
}

static enum al_sx_verdict open_head(struct al_syntax_parser *p, struct head *h, enum al_sx_verdict read,
                                    struct al_str name, size_t *used)
{
  if (read == AL_SX_WAIT && h->is_last)
    return open_cut(p, h, name, used);
  if (read != AL_SX_YES)
    return read;
  *used = h->at;
  enum al_sx_verdict verdict = h->is_at_arguments ? al_sx_named_open(p, name, h->view, h->at, h->is_last, used)
                                                  : open_kept(p, name, h->arguments);
  if (verdict == AL_SX_WAIT && h->is_last)
    return open_cut(p, h, name, used);
  if (verdict == AL_SX_YES)
    p->in_wrapper = !h->is_closed;
  return verdict;
}

/* {"name", "arguments"} at the view's beginning, up to the arguments. */
static enum al_sx_verdict open_wrapped(struct al_syntax_parser *parser, struct al_str view, bool is_bare, bool is_last,
                                       size_t *used)
{
  struct head h = { .view = view, .is_last = is_last, .is_bare = is_bare };
  enum al_sx_verdict read = read_head(&h);
  if (h.name.size == 0 || read == AL_SX_NO)
    return read;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (al_json_parse(h.name, &doc, nullptr) != AL_OK)
    return AL_SX_NO;
  struct al_str name = al_json_str(al_json_root(doc));
  if (!al_sx_declared(parser, name))
    return AL_SX_NO;
  return open_head(parser, &h, read, name, used);
}

enum al_sx_verdict al_sx_wrapped_begin(struct al_syntax_parser *parser, struct al_str view, bool is_last, size_t *used)
{
  size_t at = 0;
  bool in_list = parser->in_list;
  bool is_bare = false;
  if (!in_list) {
    enum al_sx_match match = al_sx_match_any(view, parser->syntax->openers, &at);
    if (match == AL_SX_PARTIAL)
      return AL_SX_WAIT;
    is_bare = match == AL_SX_NONE;
    at += al_sx_leading_space(al_sx_from(view, at));
    in_list = at < view.size && view.data[at] == '[';
    at += in_list ? 1 : 0;
  }
  enum al_sx_verdict verdict = open_wrapped(parser, al_sx_from(view, at), is_bare, is_last, used);
  *used += at;
  if (verdict == AL_SX_YES)
    parser->in_list = in_list;
  return verdict;
}

enum al_sx_verdict al_sx_json_body(struct al_syntax_parser *parser, struct al_str view, bool, size_t *used)
{
  bool ended = false;
  *used = al_sx_scan_go(&parser->scan, view, &ended);
  al_sx_call_delta(parser, al_str_n(view.data, *used));
  if (!ended)
    return AL_SX_WAIT;
  al_sx_call_end(parser);
  return AL_SX_YES;
}
