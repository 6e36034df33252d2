/* str() and repr() of values, as Python writes them. */
#include "text/jinja/render.h"

#include "codec/utf8.h"
#include "text/jinja/chars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The shortest digits that read back as the same number; *exponent is that of the first digit. */
static size_t shortest_digits(double value, char digits[32], int *exponent)
{
  char text[48];
  for (int precision = 0; precision <= 16; precision++) {
    (void)snprintf(text, sizeof text, "%.*e", precision, value);
    if (strtod(text, nullptr) == value)
      break;
  }
  size_t n = 0;
  const char *p = text;
  for (; *p != 'e' && *p != '\0'; p++)
    if (*p >= '0' && *p <= '9' && n < 31)
      digits[n++] = *p;
  digits[n] = '\0';
  *exponent = *p == 'e' ? (int)strtol(p + 1, nullptr, 10) : 0;
  return n;
}

static void print_positional(struct al_buf *out, const char *digits, size_t n, int exponent)
{
  if (exponent < 0) {
    al_buf_str(out, "0.");
    for (int i = -1; i > exponent; i--)
      al_buf_char(out, '0');
    al_buf_add(out, digits, n);
    return;
  }
  size_t whole = (size_t)exponent + 1;
  for (size_t i = 0; i < whole; i++)
    al_buf_char(out, i < n ? digits[i] : '0');
  al_buf_char(out, '.');
  if (n > whole)
    al_buf_add(out, digits + whole, n - whole);
  else
    al_buf_char(out, '0');
}

void al_jj_print_float(struct al_buf *out, double value)
{
  if (isnan(value) || isinf(value)) {
    al_buf_str(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return;
  }
  char digits[32];
  int exponent;
  if (signbit(value))
    al_buf_char(out, '-');
  size_t n = shortest_digits(fabs(value), digits, &exponent);
  if (exponent >= -4 && exponent < 16) {
    print_positional(out, digits, n, exponent);
    return;
  }
  al_buf_char(out, digits[0]);
  if (n > 1)
    al_buf_printf(out, ".%s", digits + 1);
  al_buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void repr_char(struct al_jj_render *r, struct al_buf *out, struct al_str bytes, uint32_t c, char quote)
{
  const char *escape = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\\' ? "\\\\" : nullptr;
  if (escape != nullptr)
    al_buf_str(out, escape);
  else if (c == (unsigned char)quote)
    al_buf_printf(out, "\\%c", quote);
  else if (al_jj_is_printable(c, r->program->ctype))
    al_buf_add(out, bytes.data, bytes.size);
  else if (c < 0x100)
    al_buf_printf(out, "\\x%02x", c);
  else if (c < 0x10000)
    al_buf_printf(out, "\\u%04x", c);
  else
    al_buf_printf(out, "\\U%08x", c);
}

static void repr_str(struct al_jj_render *r, struct al_buf *out, struct al_str text)
{
  bool has_single = al_jj_find_bytes(text, al_str("'"), 0) != SIZE_MAX;
  char quote = has_single && al_jj_find_bytes(text, al_str("\""), 0) == SIZE_MAX ? '"' : '\'';
  al_buf_char(out, quote);
  size_t size;
  for (size_t at = 0; at < text.size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(text, at), &c);
    repr_char(r, out, al_str_n(text.data + at, size), c, quote);
  }
  al_buf_char(out, quote);
}

static enum al_code repr_items(struct al_jj_render *r, struct al_buf *out, const struct al_jj_list *list)
{
  for (size_t i = 0; i < list->n; i++) {
    al_buf_str(out, i > 0 ? ", " : "");
    AL_TRY(al_jj_repr(r, out, list->items[i]));
  }
  return AL_OK;
}

static enum al_code repr_tuple(struct al_jj_render *r, struct al_buf *out, const struct al_jj_list *list)
{
  al_buf_char(out, '(');
  AL_TRY(repr_items(r, out, list));
  al_buf_str(out, list->n == 1 ? ",)" : ")");
  return AL_OK;
}

static enum al_code repr_list(struct al_jj_render *r, struct al_buf *out, const struct al_jj_list *list)
{
  al_buf_char(out, '[');
  AL_TRY(repr_items(r, out, list));
  al_buf_char(out, ']');
  return AL_OK;
}

static enum al_code repr_dict(struct al_jj_render *r, struct al_buf *out, const struct al_jj_dict *dict)
{
  al_buf_char(out, '{');
  for (size_t i = 0; i < dict->n; i++) {
    al_buf_str(out, i > 0 ? ", " : "");
    AL_TRY(al_jj_repr(r, out, dict->pairs[i].key));
    al_buf_str(out, ": ");
    AL_TRY(al_jj_repr(r, out, dict->pairs[i].value));
  }
  al_buf_char(out, '}');
  return AL_OK;
}

static enum al_code repr_view(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value)
{
  static const char *const names[] = { [AL_JJ_KEYS] = "dict_keys(",
                                       [AL_JJ_VALUES] = "dict_values(",
                                       [AL_JJ_ITEMS] = "dict_items(" };
  struct al_jj_list *list;
  AL_TRY(al_jj_to_list(r, value, &list));
  al_buf_str(out, names[value.view->of]);
  AL_TRY(repr_list(r, out, list));
  al_buf_char(out, ')');
  return AL_OK;
}

static void repr_range(struct al_buf *out, const struct al_jj_range *range)
{
  al_buf_printf(out, "range(%lld, %lld", (long long)range->start, (long long)range->stop);
  if (range->step != 1)
    al_buf_printf(out, ", %lld", (long long)range->step);
  al_buf_char(out, ')');
}

static enum al_code repr_namespace(struct al_jj_render *r, struct al_buf *out, const struct al_jj_dict *dict)
{
  al_buf_str(out, "<Namespace ");
  AL_TRY(repr_dict(r, out, dict));
  al_buf_char(out, '>');
  return AL_OK;
}

static void repr_macro(struct al_jj_render *r, struct al_buf *out, const struct al_jj_macro *macro)
{
  al_buf_str(out, "<Macro ");
  if (macro->function->name != nullptr)
    repr_str(r, out, macro->function->name->name);
  else
    al_buf_str(out, "anonymous");
  al_buf_char(out, '>');
}

static enum al_code repr_any(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value)
{
  switch (value.kind) {
  case AL_JJ_MISSING:
  case AL_JJ_UNDEFINED: al_buf_str(out, "Undefined"); break;
  case AL_JJ_NONE: al_buf_str(out, "None"); break;
  case AL_JJ_BOOL: al_buf_str(out, value.boolean ? "True" : "False"); break;
  case AL_JJ_INT: al_buf_printf(out, "%lld", (long long)value.integer); break;
  case AL_JJ_FLOAT: al_jj_print_float(out, value.real); break;
  case AL_JJ_STR:
    AL_TRY(al_jj_step_bytes(r, value.str.size));
    al_buf_str(out, value.markup ? "Markup(" : "");
    repr_str(r, out, value.str);
    al_buf_str(out, value.markup ? ")" : "");
    break;
  case AL_JJ_LIST: return repr_list(r, out, value.list);
  case AL_JJ_TUPLE: return repr_tuple(r, out, value.list);
  case AL_JJ_DICT: return repr_dict(r, out, value.dict);
  case AL_JJ_VIEW: return repr_view(r, out, value);
  case AL_JJ_RANGE: repr_range(out, value.range); break;
  case AL_JJ_ITER: al_buf_str(out, "<generator object>"); break;
  case AL_JJ_NAMESPACE: return repr_namespace(r, out, value.dict);
  case AL_JJ_MACRO: repr_macro(r, out, value.macro); break;
  case AL_JJ_BOUND: al_buf_printf(out, "<function %s>", value.bound->native->name); break;
  case AL_JJ_LOOP: return al_jj_print_loop(r, value.loop, out);
  }
  return AL_OK;
}

enum al_code al_jj_repr(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value)
{
  AL_TRY(al_jj_enter(r));
  enum al_code code = repr_any(r, out, value);
  al_jj_leave(r);
  if (code == AL_OK && out->failed) {
    r->fatal = true;
    if (al_jj_lacks_memory(out, 0))
      return al_fail_oom(r->err, out->size);
    return al_jj_fail(r, "a text takes more than %zu bytes", out->cap_bytes);
  }
  return code;
}

enum al_code al_jj_print(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value)
{
  if (value.kind == AL_JJ_UNDEFINED)
    return AL_OK;
  if (value.kind != AL_JJ_STR)
    return al_jj_repr(r, out, value);
  al_buf_add(out, value.str.data, value.str.size);
  return al_jj_step_bytes(r, value.str.size);
}

enum al_code al_jj_take_text(struct al_jj_render *r, struct al_buf *text, struct al_jj_value *out)
{
  if (text->failed) {
    r->fatal = true;
    if (al_jj_lacks_memory(text, 0))
      return al_fail_oom(r->err, text->size);
    return al_jj_fail(r, "a text takes more than %zu bytes", text->cap_bytes);
  }
  AL_TRY(al_jj_str_copy(r, al_buf_view(text), out));
  al_buf_clear(text);
  return AL_OK;
}

enum al_code al_jj_to_str(struct al_jj_render *r, struct al_jj_value value, struct al_str *out)
{
  if (value.kind == AL_JJ_STR) {
    *out = value.str;
    return AL_OK;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct al_jj_value copy;
  AL_TRY(al_jj_print(r, &text, value));
  AL_TRY(al_jj_take_text(r, &text, &copy));
  *out = copy.str;
  return AL_OK;
}

enum al_code al_jj_escape_html(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value *out)
{
  if (value.kind == AL_JJ_STR && value.markup) {
    *out = value;
    return AL_OK;
  }
  struct al_str text;
  AL_TRY(al_jj_to_str(r, value, &text));
  AL_TRY(al_jj_step_bytes(r, text.size));
  AL_CLEANUP(al_buf_done) struct al_buf escaped = { .cap_bytes = r->limits.max_memory_bytes };
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&#34;" : nullptr;
    if (entity != nullptr || c == '\'')
      al_buf_str(&escaped, entity != nullptr ? entity : "&#39;");
    else
      al_buf_char(&escaped, c);
  }
  AL_TRY(al_jj_take_text(r, &escaped, out));
  out->markup = true;
  return AL_OK;
}
