/* Filters for web pages and people: rare in chat templates. */
#include "text/jinja/filters.h"

#include "text/jinja/methods.h"

#include <math.h>

static enum al_code given_text(struct al_jj_render *r, struct al_jj_value value, struct al_str *out)
{
  AL_TRY(al_jj_to_str(r, value, out));
  return al_jj_step_bytes(r, out->size);
}

static bool is_unreserved(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("_.-~", c) != nullptr);
}

static enum al_code quote(struct al_jj_render *r, struct al_jj_value value, bool in_query, struct al_buf *out)
{
  struct al_str text;
  AL_TRY(given_text(r, value, &text));
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (is_unreserved(c) || (c == '/' && !in_query))
      al_buf_char(out, c);
    else if (c == ' ' && in_query)
      al_buf_char(out, '+');
    else
      al_buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
  }
  return AL_OK;
}

static enum al_code quote_pairs(struct al_jj_render *r, struct al_jj_value source, struct al_buf *out)
{
  struct al_jj_cursor cursor;
  AL_TRY(al_jj_cursor_open(r, source, &cursor));
  for (bool is_first = true;; is_first = false) {
    struct al_jj_value element;
    struct al_jj_list *pair;
    bool more;
    AL_TRY(al_jj_cursor_next(r, &cursor, &element, &more));
    if (!more)
      return AL_OK;
    if (source.kind == AL_JJ_DICT)
      AL_TRY(al_jj_pair_tuple(r, element, source.dict->pairs[cursor.at - 1].value, &element));
    AL_TRY(al_jj_to_list(r, element, &pair));
    if (pair->n != 2)
      return al_jj_fail(r, "urlencode takes pairs; one has %zu elements", pair->n);
    al_buf_str(out, is_first ? "" : "&");
    AL_TRY(quote(r, pair->items[0], true, out));
    al_buf_char(out, '=');
    AL_TRY(quote(r, pair->items[1], true, out));
  }
}

static enum al_code filter_urlencode(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  bool is_plain = call->self.kind == AL_JJ_STR || !al_jj_iterable(call->self);
  AL_TRY(is_plain ? quote(r, call->self, false, &text) : quote_pairs(r, call->self, &text));
  return al_jj_take_text(r, &text, out);
}

static bool is_attribute_name(struct al_str name)
{
  for (size_t i = 0; i < name.size; i++)
    if (strchr(" \t\n\r\f\v/>=", name.data[i]) != nullptr)
      return false;
  return true;
}

static enum al_code add_attribute(struct al_jj_render *r, const struct al_jj_pair *pair, bool autospace,
                                  struct al_buf *out)
{
  struct al_jj_value key, value;
  if (pair->value.kind == AL_JJ_NONE || pair->value.kind == AL_JJ_UNDEFINED)
    return AL_OK;
  if (pair->key.kind != AL_JJ_STR || !is_attribute_name(pair->key.str))
    return al_jj_fail(r, "xmlattr: a key that is no attribute name");
  AL_TRY(al_jj_escape_html(r, pair->key, &key));
  AL_TRY(al_jj_escape_html(r, pair->value, &value));
  al_buf_str(out, out->size > 0 || autospace ? " " : "");
  al_buf_add(out, key.str.data, key.str.size);
  al_buf_str(out, "=\"");
  al_buf_add(out, value.str.data, value.str.size);
  al_buf_char(out, '"');
  return AL_OK;
}

static enum al_code filter_xmlattr(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  bool autospace = call->slot[0].kind == AL_JJ_MISSING || al_jj_truth(call->slot[0]);
  if (call->self.kind != AL_JJ_DICT)
    return al_jj_fail(r, "xmlattr of '%s'", al_jj_kind_name(call->self));
  for (size_t i = 0; i < call->self.dict->n; i++)
    AL_TRY(add_attribute(r, &call->self.dict->pairs[i], autospace, &text));
  return al_jj_take_text(r, &text, out);
}

static enum al_code file_size_of(struct al_jj_render *r, struct al_jj_value value, double *size)
{
  if (al_jj_is_number(value))
    return *size = al_jj_as_real(value), AL_OK;
  if (value.kind != AL_JJ_STR || !al_jj_parse_float(value.str, size))
    return al_jj_fail(r, "filesizeformat takes a number");
  return AL_OK;
}

static enum al_code filter_filesizeformat(struct al_jj_render *r, const struct al_jj_call *call,
                                          struct al_jj_value *out)
{
  static const char prefixes[] = "kMGTPEZY";
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  bool binary = call->slot[0].kind != AL_JJ_MISSING && al_jj_truth(call->slot[0]);
  double base = binary ? 1024 : 1000, size = 0, unit;
  AL_TRY(file_size_of(r, call->self, &size));
  if (isnan(size) || isinf(size))
    return al_jj_unsupported(r, "filter for such numbers", al_str("filesizeformat"));
  if (size == 1)
    return *out = al_jj_text("1 Byte"), AL_OK;
  if (size < base) {
    al_buf_printf(&text, "%.0f Bytes", trunc(size) == 0 ? 0.0 : trunc(size));
    return al_jj_take_text(r, &text, out);
  }
  size_t i = 0;
  for (unit = base * base; size >= unit && i + 1 < sizeof prefixes - 1; i++)
    unit *= base;
  al_buf_printf(&text, "%.1f %c%sB", base * size / unit, i == 0 && binary ? 'K' : prefixes[i], binary ? "i" : "");
  return al_jj_take_text(r, &text, out);
}

/* Cuts out everything from `open` to the next `close`, as long as both are there. */
static void cut_out(struct al_buf *text, const char *open, const char *close)
{
  AL_CLEANUP(al_buf_done) struct al_buf kept = { .cap_bytes = text->cap_bytes };
  struct al_str rest = al_buf_view(text);
  for (;;) {
    size_t start = al_jj_find_bytes(rest, al_str(open), 0);
    size_t end = start != SIZE_MAX ? al_jj_find_bytes(rest, al_str(close), start) : SIZE_MAX;
    if (end == SIZE_MAX)
      break;
    al_buf_add(&kept, rest.data, start);
    rest = al_jj_from(rest, end + strlen(close));
  }
  al_buf_add(&kept, rest.data, rest.size);
  struct al_buf swapped = *text;
  *text = kept;
  kept = swapped;
}

static enum al_code filter_striptags(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str given;
  struct al_jj_value text, words;
  AL_TRY(given_text(r, call->self, &given));
  if (al_jj_find_bytes(given, al_str("&"), 0) != SIZE_MAX)
    return al_jj_unsupported(r, "filter for texts with entities", al_str("striptags"));
  AL_CLEANUP(al_buf_done) struct al_buf stripped = { .cap_bytes = r->limits.max_memory_bytes };
  al_buf_add(&stripped, given.data, given.size);
  cut_out(&stripped, "<!--", "-->");
  cut_out(&stripped, "<", ">");
  AL_TRY(al_jj_take_text(r, &stripped, &text));
  struct al_jj_args none = {};
  AL_TRY(al_jj_call_native(r, al_jj_find_str_search(al_str("split")), text, &none, &words));
  for (size_t i = 0; i < words.list->n; i++) {
    al_buf_str(&stripped, i > 0 ? " " : "");
    al_buf_add(&stripped, words.list->items[i].str.data, words.list->items[i].str.size);
  }
  return al_jj_take_text(r, &stripped, out);
}

static bool has_dict(struct al_jj_value value, int depth)
{
  if (value.kind == AL_JJ_DICT || depth > 32)
    return true;
  for (size_t i = 0; (value.kind == AL_JJ_LIST || value.kind == AL_JJ_TUPLE) && i < value.list->n; i++)
    if (has_dict(value.list->items[i], depth + 1))
      return true;
  return false;
}

/* What fits into a line and needs no sorting; Python lays out anything else by rules of its own. */
static enum al_code filter_pprint(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  if (has_dict(call->self, 0) && !(call->self.kind == AL_JJ_DICT && call->self.dict->n == 0))
    return al_jj_unsupported(r, "filter for dicts", al_str("pprint"));
  AL_TRY(al_jj_repr(r, &text, call->self));
  if (text.size > 78)
    return al_jj_unsupported(r, "filter for long values", al_str("pprint"));
  return al_jj_take_text(r, &text, out);
}

static const struct al_jj_native filters[] = {
  { "urlencode", "", filter_urlencode, nullptr },
  { "xmlattr", "autospace?", filter_xmlattr, nullptr },
  { "filesizeformat", "binary?", filter_filesizeformat, nullptr },
  { "striptags", "", filter_striptags, nullptr },
  { "pprint", "", filter_pprint, nullptr },
  { "urlize", "*", nullptr, nullptr },
  { "wordwrap", "*", nullptr, nullptr },
  { "random", "*", nullptr, nullptr },
};

const struct al_jj_native *al_jj_find_web_filter(struct al_str name)
{
  return al_jj_find_in(filters, AL_COUNT(filters), name);
}
