/* Values from the caller's JSON, and json.dumps as transformers' tojson uses it. */
#include "text/jinja/render.h"

#include "codec/utf8.h"
#include "text/jinja/chars.h"

#include <math.h>
#include <stdlib.h>

static enum al_code list_from_json(struct al_jj_render *r, const struct al_json *json, struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(al_jj_list_new(r, al_json_count(json), &list));
  struct al_json_iter it = al_json_iter(json);
  while (al_json_next(&it)) {
    struct al_jj_value item;
    AL_TRY(al_jj_from_json(r, it.value, &item));
    AL_TRY(al_jj_list_add(r, list, item));
  }
  *out = al_jj_list_value(list);
  return AL_OK;
}

static enum al_code dict_from_json(struct al_jj_render *r, const struct al_json *json, struct al_jj_value *out)
{
  struct al_jj_dict *dict;
  AL_TRY(al_jj_dict_new(r, al_json_count(json), &dict));
  struct al_json_iter it = al_json_iter(json);
  while (al_json_next(&it)) {
    struct al_jj_value value;
    AL_TRY(al_jj_from_json(r, it.value, &value));
    AL_TRY(al_jj_dict_append(r, dict, al_jj_str(it.key), value));
  }
  *out = (struct al_jj_value){ .kind = AL_JJ_DICT, .dict = dict };
  return AL_OK;
}

enum al_code al_jj_from_json(struct al_jj_render *r, const struct al_json *json, struct al_jj_value *out)
{
  AL_TRY(al_jj_step(r, 1));
  switch (al_json_kind(json)) {
  case AL_JSON_ABSENT: *out = al_jj_undefined(); return AL_OK;
  case AL_JSON_NULL: *out = al_jj_none(); return AL_OK;
  case AL_JSON_BOOL: *out = al_jj_bool(al_json_bool(json, false)); return AL_OK;
  case AL_JSON_INT: *out = al_jj_int(al_json_int(json, 0)); return AL_OK;
  case AL_JSON_REAL: *out = al_jj_float(al_json_real(json, 0)); return AL_OK;
  case AL_JSON_STRING: *out = al_jj_str(al_json_str(json)); return AL_OK;
  case AL_JSON_ARRAY: return list_from_json(r, json, out);
  case AL_JSON_OBJECT: return dict_from_json(r, json, out);
  }
  return al_jj_fail(r, "a JSON value of an unknown kind");
}

static void put_unicode(struct al_buf *out, uint32_t c)
{
  if (c >= 0x10000) {
    uint32_t rest = c - 0x10000;
    al_buf_printf(out, "\\u%04x\\u%04x", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
  } else {
    al_buf_printf(out, "\\u%04x", c);
  }
}

static const char *short_escape(char c)
{
  switch (c) {
  case '"': return "\\\"";
  case '\\': return "\\\\";
  case '\n': return "\\n";
  case '\r': return "\\r";
  case '\t': return "\\t";
  case '\b': return "\\b";
  case '\f': return "\\f";
  default: return nullptr;
  }
}

static size_t plain_run(struct al_str text, bool ensure_ascii)
{
  size_t n = 0;
  for (; n < text.size; n++) {
    unsigned char c = (unsigned char)text.data[n];
    if (c < 0x20 || c == '"' || c == '\\' || (ensure_ascii && c >= 0x7f))
      break;
  }
  return n;
}

static enum al_code dump_str(struct al_jj_render *r, struct al_buf *out, struct al_str text, bool ensure_ascii)
{
  AL_TRY(al_jj_step_bytes(r, text.size));
  al_buf_char(out, '"');
  for (size_t at = 0; at < text.size;) {
    size_t run = plain_run(al_jj_from(text, at), ensure_ascii);
    al_buf_add(out, text.data + at, run);
    at += run;
    if (at == text.size)
      break;
    const char *escape = short_escape(text.data[at]);
    uint32_t c;
    at += al_utf8_decode(al_jj_from(text, at), &c);
    if (escape != nullptr)
      al_buf_str(out, escape);
    else
      put_unicode(out, c);
  }
  al_buf_char(out, '"');
  return AL_OK;
}

static void dump_float(struct al_buf *out, double value)
{
  if (isnan(value))
    al_buf_str(out, "NaN");
  else if (isinf(value))
    al_buf_str(out, value < 0 ? "-Infinity" : "Infinity");
  else
    al_jj_print_float(out, value);
}

/* json.dumps writes one level deeper at a time. */
struct dump {
  struct al_jj_render *r;
  struct al_buf *out;
  const struct al_jj_json_style *style;
  size_t level;
};

static enum al_code dump_any(struct dump *d, struct al_jj_value value);

static void new_line(struct dump *d)
{
  if (!d->style->has_indent)
    return;
  al_buf_char(d->out, '\n');
  for (size_t i = 0; i < d->level && !d->out->failed; i++)
    al_buf_add(d->out, d->style->indent.data, d->style->indent.size);
}

static void begin_element(struct dump *d, size_t index)
{
  if (index > 0)
    al_buf_add(d->out, d->style->item_separator.data, d->style->item_separator.size);
  new_line(d);
}

static enum al_code dump_list(struct dump *d, const struct al_jj_list *list)
{
  al_buf_char(d->out, '[');
  d->level++;
  for (size_t i = 0; i < list->n; i++) {
    begin_element(d, i);
    AL_TRY(dump_any(d, list->items[i]));
  }
  d->level--;
  if (list->n > 0)
    new_line(d);
  al_buf_char(d->out, ']');
  return AL_OK;
}

static enum al_code dump_key(struct dump *d, struct al_jj_value key)
{
  if (key.kind == AL_JJ_STR)
    return dump_str(d->r, d->out, key.str, d->style->ensure_ascii);
  if (!al_jj_is_number(key) && key.kind != AL_JJ_NONE)
    return al_jj_fail(d->r, "a '%s' cannot be a key in JSON", al_jj_kind_name(key));
  al_buf_char(d->out, '"');
  AL_TRY(dump_any(d, key));
  al_buf_char(d->out, '"');
  return AL_OK;
}

static enum al_code sorted_pairs(struct al_jj_render *r, const struct al_jj_dict *dict, const struct al_jj_dict **out)
{
  struct al_jj_list *order;
  struct al_jj_value *keys;
  struct al_jj_dict *sorted;
  AL_TRY(al_jj_list_new(r, dict->n, &order));
  AL_TRY(al_jj_alloc(r, dict->n, sizeof *keys, &keys));
  for (size_t i = 0; i < dict->n; i++) {
    keys[i] = dict->pairs[i].key;
    AL_TRY(al_jj_list_add(r, order, al_jj_int((int64_t)i)));
  }
  AL_TRY(al_jj_sort(r, order, keys, false));
  AL_TRY(al_jj_dict_new(r, dict->n, &sorted));
  for (size_t i = 0; i < dict->n; i++)
    sorted->pairs[i] = dict->pairs[order->items[i].integer];
  sorted->n = dict->n;
  *out = sorted;
  return AL_OK;
}

static enum al_code dump_dict(struct dump *d, const struct al_jj_dict *dict)
{
  if (d->style->sort_keys)
    AL_TRY(sorted_pairs(d->r, dict, &dict));
  al_buf_char(d->out, '{');
  d->level++;
  for (size_t i = 0; i < dict->n; i++) {
    begin_element(d, i);
    AL_TRY(dump_key(d, dict->pairs[i].key));
    al_buf_add(d->out, d->style->key_separator.data, d->style->key_separator.size);
    AL_TRY(dump_any(d, dict->pairs[i].value));
  }
  d->level--;
  if (dict->n > 0)
    new_line(d);
  al_buf_char(d->out, '}');
  return AL_OK;
}

static enum al_code dump_value(struct dump *d, struct al_jj_value value)
{
  if (value.kind == AL_JJ_STR)
    return dump_str(d->r, d->out, value.str, d->style->ensure_ascii);
  if (value.kind == AL_JJ_LIST || value.kind == AL_JJ_TUPLE)
    return dump_list(d, value.list);
  if (value.kind == AL_JJ_DICT)
    return dump_dict(d, value.dict);
  if (value.kind == AL_JJ_NONE)
    al_buf_str(d->out, "null");
  else if (value.kind == AL_JJ_BOOL)
    al_buf_str(d->out, value.boolean ? "true" : "false");
  else if (value.kind == AL_JJ_INT)
    al_buf_printf(d->out, "%lld", (long long)value.integer);
  else if (value.kind == AL_JJ_FLOAT)
    dump_float(d->out, value.real);
  else
    return al_jj_fail(d->r, "'%s' cannot be written as JSON", al_jj_kind_name(value));
  return AL_OK;
}

static enum al_code dump_any(struct dump *d, struct al_jj_value value)
{
  AL_TRY(al_jj_enter(d->r));
  enum al_code code = dump_value(d, value);
  al_jj_leave(d->r);
  if (code == AL_OK && d->out->failed) {
    d->r->fatal = true;
    return al_jj_fail(d->r, "a text takes more than %zu bytes", d->out->cap_bytes);
  }
  return code;
}

enum al_code al_jj_json_dump(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value,
                             const struct al_jj_json_style *style)
{
  return dump_any(&(struct dump){ r, out, style, 0 }, value);
}
