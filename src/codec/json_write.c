/* Writing: straight into the buffer, whose sticky failure stands for all of it. */
#include "codec/json.h"

#include "codec/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <yyjson.h>

static bool is_plain(unsigned char c)
{
  return c >= 0x20 && c != '"' && c != '\\';
}

static void put_escape(struct al_buf *out, unsigned char c)
{
  switch (c) {
  case '"': al_buf_str(out, "\\\""); break;
  case '\\': al_buf_str(out, "\\\\"); break;
  case '\n': al_buf_str(out, "\\n"); break;
  case '\r': al_buf_str(out, "\\r"); break;
  case '\t': al_buf_str(out, "\\t"); break;
  case '\b': al_buf_str(out, "\\b"); break;
  case '\f': al_buf_str(out, "\\f"); break;
  default: al_buf_printf(out, "\\u%04x", c); break;
  }
}

static void put_string(struct al_buf *out, struct al_str text)
{
  al_buf_char(out, '"');
  size_t from = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (is_plain((unsigned char)text.data[i]))
      continue;
    al_utf8_sanitize(al_str_n(text.data + from, i - from), out);
    put_escape(out, (unsigned char)text.data[i]);
    from = i + 1;
  }
  if (from < text.size)
    al_utf8_sanitize(al_str_n(text.data + from, text.size - from), out);
  al_buf_char(out, '"');
}

static void put_int(struct al_buf *out, int64_t value)
{
  char text[24];
  int size = snprintf(text, sizeof text, "%lld", (long long)value);
  al_buf_add(out, text, (size_t)size);
}

size_t al_json_number_text(const struct al_json *value, char text[AL_JSON_NUMBER_BYTES])
{
  enum al_json_kind kind = al_json_kind(value);
  bool is_number = kind == AL_JSON_INT || kind == AL_JSON_REAL;
  char *end = is_number ? yyjson_write_number((const yyjson_val *)value, text) : nullptr;
  end = end != nullptr ? end : text;
  *end = '\0';
  return (size_t)(end - text);
}

static void put_finite(struct al_buf *out, const yyjson_val *number)
{
  char text[AL_JSON_NUMBER_BYTES];
  const char *end = yyjson_write_number(number, text);
  al_buf_add(out, text, (size_t)(end - text));
}

static void put_real(struct al_buf *out, double value)
{
  yyjson_val number = {}; /* yyjson_set_real looks at the old type first */
  (void)yyjson_set_real(&number, value);
  if (isfinite(value))
    put_finite(out, &number);
  else
    al_buf_str(out, "null");
}

/* A whole number beyond int64 was read as kind REAL, but is printed as the integer that it was. */
static void put_number(struct al_buf *out, const struct al_json *value)
{
  put_finite(out, (const yyjson_val *)value);
}

static void put_container(struct al_buf *out, const struct al_json *value, bool is_object)
{
  al_buf_char(out, is_object ? '{' : '[');
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    if (it.index > 0)
      al_buf_char(out, ',');
    if (is_object) {
      put_string(out, it.key);
      al_buf_char(out, ':');
    }
    al_json_print(out, it.value);
  }
  al_buf_char(out, is_object ? '}' : ']');
}

/* Recursion is bounded: al_json_parse refused anything deeper than AL_JSON_MAX_DEPTH. */
void al_json_print(struct al_buf *out, const struct al_json *value)
{
  switch (al_json_kind(value)) {
  case AL_JSON_ABSENT:
  case AL_JSON_NULL: al_buf_str(out, "null"); break;
  case AL_JSON_BOOL: al_buf_str(out, al_json_bool(value, false) ? "true" : "false"); break;
  case AL_JSON_INT:
  case AL_JSON_REAL: put_number(out, value); break;
  case AL_JSON_STRING: put_string(out, al_json_str(value)); break;
  case AL_JSON_ARRAY: put_container(out, value, false); break;
  case AL_JSON_OBJECT: put_container(out, value, true); break;
  }
}

struct al_json_writer al_json_writer(struct al_buf *out)
{
  return (struct al_json_writer){ .out = out };
}

/* The comma before an element of the innermost container. */
static void separate(struct al_json_writer *w)
{
  if (w->after_key) {
    w->after_key = false;
    return;
  }
  if (w->depth == 0)
    return;
  assert(w->closer[w->depth - 1] == ']');
  if (w->has_element[w->depth - 1])
    al_buf_char(w->out, ',');
  w->has_element[w->depth - 1] = true;
}

static void open_container(struct al_json_writer *w, char opener, char closer)
{
  separate(w);
  assert(w->depth < AL_JSON_MAX_DEPTH);
  al_buf_char(w->out, opener);
  w->closer[w->depth] = closer;
  w->has_element[w->depth++] = false;
}

void al_jw_object(struct al_json_writer *w)
{
  open_container(w, '{', '}');
}

void al_jw_array(struct al_json_writer *w)
{
  open_container(w, '[', ']');
}

void al_jw_end(struct al_json_writer *w)
{
  assert(w->depth > 0 && !w->after_key);
  al_buf_char(w->out, w->closer[--w->depth]);
}

void al_jw_key_n(struct al_json_writer *w, struct al_str key)
{
  assert(w->depth > 0 && w->closer[w->depth - 1] == '}' && !w->after_key);
  if (w->has_element[w->depth - 1])
    al_buf_char(w->out, ',');
  w->has_element[w->depth - 1] = true;
  put_string(w->out, key);
  al_buf_char(w->out, ':');
  w->after_key = true;
}

void al_jw_key(struct al_json_writer *w, const char *key)
{
  al_jw_key_n(w, al_str(key));
}

void al_jw_str_n(struct al_json_writer *w, struct al_str text)
{
  separate(w);
  put_string(w->out, text);
}

void al_jw_str(struct al_json_writer *w, const char *text)
{
  if (text == nullptr)
    al_jw_null(w);
  else
    al_jw_str_n(w, al_str(text));
}

void al_jw_int(struct al_json_writer *w, int64_t value)
{
  separate(w);
  put_int(w->out, value);
}

void al_jw_real(struct al_json_writer *w, double value)
{
  separate(w);
  put_real(w->out, value);
}

void al_jw_float(struct al_json_writer *w, float value)
{
  separate(w);
  yyjson_val number = {};
  (void)yyjson_set_float(&number, value);
  if (isfinite(value))
    put_finite(w->out, &number);
  else
    al_buf_str(w->out, "null");
}

void al_jw_bool(struct al_json_writer *w, bool value)
{
  separate(w);
  al_buf_str(w->out, value ? "true" : "false");
}

void al_jw_null(struct al_json_writer *w)
{
  separate(w);
  al_buf_str(w->out, "null");
}

void al_jw_raw(struct al_json_writer *w, struct al_str json)
{
  separate(w);
  al_buf_add(w->out, json.data, json.size);
}

void al_jw_value(struct al_json_writer *w, const struct al_json *value)
{
  separate(w);
  al_json_print(w->out, value);
}

void al_jw_kv_str(struct al_json_writer *w, const char *key, const char *text)
{
  al_jw_key(w, key);
  al_jw_str(w, text);
}

void al_jw_kv_str_n(struct al_json_writer *w, const char *key, struct al_str text)
{
  al_jw_key(w, key);
  al_jw_str_n(w, text);
}

void al_jw_kv_int(struct al_json_writer *w, const char *key, int64_t value)
{
  al_jw_key(w, key);
  al_jw_int(w, value);
}

void al_jw_kv_real(struct al_json_writer *w, const char *key, double value)
{
  al_jw_key(w, key);
  al_jw_real(w, value);
}

void al_jw_kv_bool(struct al_json_writer *w, const char *key, bool value)
{
  al_jw_key(w, key);
  al_jw_bool(w, value);
}

void al_jw_kv_null(struct al_json_writer *w, const char *key)
{
  al_jw_key(w, key);
  al_jw_null(w);
}

void al_jw_kv_raw(struct al_json_writer *w, const char *key, struct al_str json)
{
  al_jw_key(w, key);
  al_jw_raw(w, json);
}

void al_jw_kv_value(struct al_json_writer *w, const char *key, const struct al_json *value)
{
  al_jw_key(w, key);
  al_jw_value(w, value);
}
