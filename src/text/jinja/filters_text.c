/* Filters on strings and single values. */
#include "text/jinja/filters.h"

#include "codec/utf8.h"
#include "text/jinja/chars.h"
#include "text/jinja/methods.h"

#include <math.h>
#include <stdckdint.h>
#include <stdlib.h>

static enum al_code self_text(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  if (call->self.kind == AL_JJ_STR) {
    *out = call->self;
    return AL_OK;
  }
  *out = al_jj_str((struct al_str){});
  return al_jj_to_str(r, call->self, &out->str);
}

static enum al_code filter_upper(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value text;
  AL_TRY(self_text(r, call, &text));
  return al_jj_in_case(r, text, AL_JJ_UPPER, out);
}

static enum al_code filter_lower(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value text;
  AL_TRY(self_text(r, call, &text));
  return al_jj_in_case(r, text, AL_JJ_LOWER, out);
}

static enum al_code filter_capitalize(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value text;
  AL_TRY(self_text(r, call, &text));
  return al_jj_capitalize(r, text, out);
}

static bool begins_word(uint32_t c)
{
  return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || al_jj_is_space(c);
}

/* Unlike str.title(): words begin behind white space, dashes and opening brackets alone. */
static enum al_code filter_title(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value self;
  AL_TRY(self_text(r, call, &self));
  AL_TRY(al_jj_step_bytes(r, self.str.size));
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct al_str rest = self.str;
  while (rest.size > 0) {
    uint32_t c;
    size_t first = al_utf8_decode(rest, &c), end = first;
    for (size_t size; !begins_word(c) && end < rest.size; end += size) {
      uint32_t next;
      size = al_utf8_decode(al_jj_from(rest, end), &next);
      if (begins_word(next))
        break;
    }
    al_jj_change_case(&text, al_str_n(rest.data, first), AL_JJ_UPPER, r->program->ctype);
    al_jj_change_case(&text, al_str_n(rest.data + first, end - first), AL_JJ_LOWER, r->program->ctype);
    rest = al_jj_from(rest, end);
  }
  AL_TRY(al_jj_take_text(r, &text, out));
  return AL_OK;
}

static enum al_code filter_trim(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value text;
  AL_TRY(self_text(r, call, &text));
  return al_jj_strip(r, text, call->slot[0], AL_JJ_STRIP_BOTH, out);
}

static enum al_code filter_string(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return self_text(r, call, out);
}

static enum al_code filter_safe(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_TRY(self_text(r, call, out));
  out->markup = true;
  return AL_OK;
}

static enum al_code filter_escape(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_escape_html(r, call->self, out);
}

static enum al_code filter_forceescape(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value text;
  AL_TRY(self_text(r, call, &text));
  text.markup = false;
  return al_jj_escape_html(r, text, out);
}

static enum al_code filter_replace(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str part[3];
  int64_t count;
  AL_TRY(al_jj_to_str(r, call->self, &part[0]));
  AL_TRY(al_jj_to_str(r, call->slot[0], &part[1]));
  AL_TRY(al_jj_to_str(r, call->slot[1], &part[2]));
  AL_TRY(al_jj_int_arg(r, call->slot[2], -1, &count));
  return al_jj_replace(r, part, count, out);
}

static enum al_code filter_default(struct al_jj_render *, const struct al_jj_call *call, struct al_jj_value *out)
{
  bool boolean = call->slot[1].kind != AL_JJ_MISSING && al_jj_truth(call->slot[1]);
  *out = call->self;
  if (call->self.kind == AL_JJ_UNDEFINED || (boolean && !al_jj_truth(call->self)))
    *out = call->slot[0].kind == AL_JJ_MISSING ? al_jj_text("") : call->slot[0];
  return AL_OK;
}

static enum al_code filter_abs(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  if (!al_jj_is_number(call->self))
    return al_jj_fail(r, "abs of '%s'", al_jj_kind_name(call->self));
  if (call->self.kind == AL_JJ_FLOAT) {
    *out = al_jj_float(fabs(call->self.real));
    return AL_OK;
  }
  *out = al_jj_int(al_jj_as_int(call->self));
  return out->integer < 0 ? al_jj_negate(r, *out, out) : AL_OK;
}

static enum al_code real_to_int(struct al_jj_render *r, double value, struct al_jj_value *out)
{
  if (!(value > -9.2e18 && value < 9.2e18))
    return al_fail(r->err, AL_UNSUPPORTED, "template line %d: an integer beyond 64 bits", r->line);
  *out = al_jj_int((int64_t)value);
  return AL_OK;
}

static enum al_code filter_int(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  int64_t base;
  double real;
  struct al_jj_value self = call->self;
  if (self.kind == AL_JJ_UNDEFINED)
    return al_jj_fail(r, "int of an undefined value");
  AL_TRY(al_jj_int_arg(r, call->slot[1], 10, &base));
  *out = call->slot[0].kind == AL_JJ_MISSING ? al_jj_int(0) : call->slot[0];
  if (al_jj_is_integral(self))
    return *out = al_jj_int(al_jj_as_int(self)), AL_OK;
  if (self.kind == AL_JJ_STR && al_jj_parse_int(self.str, base, out))
    return AL_OK;
  if (self.kind == AL_JJ_FLOAT)
    real = self.real;
  else if (self.kind != AL_JJ_STR || !al_jj_parse_float(self.str, &real))
    return AL_OK;
  if (isinf(real) && self.kind == AL_JJ_FLOAT)
    return al_jj_fail(r, "int of infinity");
  return isnan(real) || isinf(real) ? AL_OK : real_to_int(r, real, out);
}

static enum al_code filter_float(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value self = call->self;
  if (self.kind == AL_JJ_UNDEFINED)
    return al_jj_fail(r, "float of an undefined value");
  *out = call->slot[0].kind == AL_JJ_MISSING ? al_jj_float(0) : call->slot[0];
  double real;
  if (al_jj_is_number(self))
    *out = al_jj_float(al_jj_as_real(self));
  else if (self.kind == AL_JJ_STR && al_jj_parse_float(self.str, &real))
    *out = al_jj_float(real);
  return AL_OK;
}

/* Python rounds the decimal value that the number really has, ties to even: what printf does. */
static enum al_code round_digits(struct al_jj_render *r, double value, int64_t digits, struct al_jj_value *out)
{
  if (digits > 300 || isnan(value) || isinf(value)) {
    *out = al_jj_float(value);
    return AL_OK;
  }
  if (digits < 0) {
    double scale = pow(10, (double)-digits);
    *out = al_jj_float(isinf(scale) ? copysign(0.0, value) : nearbyint(value / scale) * scale);
    return AL_OK;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_printf(&text, "%.*f", (int)digits, value);
  AL_TRY(al_buf_check(&text, r->err));
  *out = al_jj_float(strtod(text.data, nullptr));
  return AL_OK;
}

static enum al_code round_int(struct al_jj_render *r, int64_t value, int64_t digits, struct al_jj_value *out)
{
  int64_t scale = 1, half;
  *out = al_jj_int(value);
  for (; digits < 0; digits++)
    if (ckd_mul(&scale, scale, 10)) {
      *out = al_jj_int(0);
      return AL_OK;
    }
  if (scale == 1)
    return AL_OK;
  int64_t rest = ((value % scale) + scale) % scale;
  half = scale / 2;
  int64_t low;
  if (ckd_sub(&low, value, rest))
    return al_jj_fail(r, "a number too large");
  bool up = rest > half || (rest == half && (low / scale) % 2 != 0);
  *out = al_jj_int(up ? low + scale : low);
  return AL_OK;
}

static enum al_code round_towards(struct al_jj_render *r, struct al_jj_value value, int64_t digits, bool up,
                                  struct al_jj_value *out)
{
  struct al_jj_value scale, scaled;
  AL_TRY(al_jj_binary(r, AL_JJ_POW, al_jj_int(10), al_jj_int(digits), &scale));
  AL_TRY(al_jj_binary(r, AL_JJ_MUL, value, scale, &scaled));
  if (scaled.kind == AL_JJ_FLOAT) {
    if (isnan(scaled.real) || isinf(scaled.real))
      return al_jj_fail(r, "a number that cannot be rounded");
    AL_TRY(real_to_int(r, up ? ceil(scaled.real) : floor(scaled.real), &scaled));
  }
  return al_jj_binary(r, AL_JJ_DIV, scaled, scale, out);
}

static enum al_code filter_round(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  int64_t digits;
  struct al_str method;
  AL_TRY(al_jj_int_arg(r, call->slot[0], 0, &digits));
  AL_TRY(al_jj_str_arg(r, call->slot[1], "common", &method));
  bool up = al_str_is(method, "ceil");
  if (!up && !al_str_is(method, "floor") && !al_str_is(method, "common"))
    return al_jj_fail(r, "round: the method must be common, ceil or floor");
  if (!al_jj_is_number(call->self))
    return al_jj_fail(r, "round of '%s'", al_jj_kind_name(call->self));
  if (!al_str_is(method, "common"))
    return round_towards(r, call->self, digits, up, out);
  if (call->self.kind != AL_JJ_FLOAT)
    return round_int(r, al_jj_as_int(call->self), digits, out);
  if (call->slot[0].kind == AL_JJ_NONE)
    return real_to_int(r, nearbyint(call->self.real), out);
  return round_digits(r, call->self.real, digits, out);
}

static enum al_code filter_indent(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value indention = call->slot[0].kind == AL_JJ_MISSING ? al_jj_int(4) : call->slot[0];
  bool first = call->slot[1].kind != AL_JJ_MISSING && al_jj_truth(call->slot[1]);
  bool blank = call->slot[2].kind != AL_JJ_MISSING && al_jj_truth(call->slot[2]);
  if (call->self.kind != AL_JJ_STR)
    return al_jj_fail(r, "indent of '%s'", al_jj_kind_name(call->self));
  if (indention.kind != AL_JJ_STR)
    AL_TRY(al_jj_binary(r, AL_JJ_MUL, al_jj_text(" "), indention, &indention));
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct al_str rest = call->self.str, line;
  AL_TRY(al_jj_step_bytes(r, rest.size));
  for (size_t n = 0; n == 0 || rest.data != nullptr; n++) {
    al_jj_take_line(&rest, &line);
    if (n > 0)
      al_buf_char(&text, '\n');
    if (n == 0 ? first : blank || line.size > 0)
      al_buf_add(&text, indention.str.data, indention.str.size);
    al_buf_add(&text, line.data, line.size);
    AL_TRY(al_jj_step(r, 1 + indention.str.size / 256));
  }
  AL_TRY(al_jj_take_text(r, &text, out));
  out->markup = call->self.markup;
  return AL_OK;
}

static enum al_code filter_truncate(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  int64_t length, leeway;
  struct al_str end;
  AL_TRY(al_jj_int_arg(r, call->slot[0], 255, &length));
  AL_TRY(al_jj_str_arg(r, call->slot[2], "...", &end));
  AL_TRY(al_jj_int_arg(r, call->slot[3], 5, &leeway));
  int64_t longest, keep = length - (int64_t)al_jj_char_count(end);
  if (keep < 0 || leeway < 0 || !al_jj_has_len(call->self))
    return al_jj_fail(r, "truncate: a length that cannot be");
  *out = call->self;
  if (ckd_add(&longest, length, leeway) || (int64_t)al_jj_len(call->self) <= longest)
    return AL_OK;
  if (call->self.kind != AL_JJ_STR)
    return al_jj_fail(r, "truncate of '%s'", al_jj_kind_name(call->self));
  struct al_str text = call->self.str;
  text.size = al_jj_char_offset(text, (size_t)keep);
  size_t blank = al_jj_rfind_bytes(text, al_str(" "));
  if ((call->slot[1].kind == AL_JJ_MISSING || !al_jj_truth(call->slot[1])) && blank != SIZE_MAX)
    text.size = blank;
  return al_jj_binary(r, AL_JJ_ADD, al_jj_str(text), al_jj_str(end), out);
}

static enum al_code filter_wordcount(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value self;
  AL_TRY(self_text(r, call, &self));
  AL_TRY(al_jj_step_bytes(r, self.str.size));
  *out = al_jj_int(al_jj_count_words(self.str, r->program->ctype));
  return AL_OK;
}

static enum al_code filter_center(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value self;
  int64_t width;
  AL_TRY(self_text(r, call, &self));
  AL_TRY(al_jj_int_arg(r, call->slot[0], 80, &width));
  return al_jj_justify(r, self, width, al_str(" "), AL_JJ_JUSTIFY_CENTER, out);
}

static enum al_code filter_format(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str format;
  struct al_jj_list *list;
  AL_TRY(al_jj_to_str(r, call->self, &format));
  if (call->args->n_named > 0)
    return al_jj_unsupported(r, "named arguments of the filter", al_str("format"));
  AL_TRY(al_jj_list_new(r, call->args->n, &list));
  for (size_t i = 0; i < call->args->n; i++)
    AL_TRY(al_jj_list_add(r, list, call->args->items[i]));
  return al_jj_format_percent(r, format, al_jj_tuple_value(list), out);
}

/* json.dumps' idea of its parameters. */
static enum al_code json_style(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_json_style *style)
{
  struct al_jj_value indent = call->slot[1], separators = call->slot[2];
  style->ensure_ascii = call->slot[0].kind != AL_JJ_MISSING && al_jj_truth(call->slot[0]);
  style->sort_keys = call->slot[3].kind != AL_JJ_MISSING && al_jj_truth(call->slot[3]);
  style->has_indent = indent.kind != AL_JJ_MISSING && indent.kind != AL_JJ_NONE;
  style->item_separator = al_str(style->has_indent ? "," : ", ");
  style->key_separator = al_str(": ");
  if (style->has_indent && indent.kind != AL_JJ_STR)
    AL_TRY(al_jj_binary(r, AL_JJ_MUL, al_jj_text(" "), indent, &indent));
  if (style->has_indent)
    style->indent = indent.str;
  if (separators.kind == AL_JJ_MISSING || separators.kind == AL_JJ_NONE)
    return AL_OK;
  struct al_jj_list *pair;
  AL_TRY(al_jj_to_list(r, separators, &pair));
  if (pair->n != 2 || pair->items[0].kind != AL_JJ_STR || pair->items[1].kind != AL_JJ_STR)
    return al_jj_fail(r, "tojson: separators must be two strings");
  style->item_separator = pair->items[0].str;
  style->key_separator = pair->items[1].str;
  return AL_OK;
}

static enum al_code filter_tojson(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_json_style style = {};
  AL_TRY(json_style(r, call, &style));
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  AL_TRY(al_jj_json_dump(r, &text, call->self, &style));
  return al_jj_take_text(r, &text, out);
}

static enum al_code filter_attr(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str name;
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &name));
  *out = al_jj_undefined();
  if (call->self.kind == AL_JJ_UNDEFINED)
    return al_jj_fail(r, "attr of an undefined value");
  if (call->self.kind == AL_JJ_DICT) { /* attributes alone, no items */
    bool mutates;
    if (al_jj_find_method(AL_JJ_DICT, name, &mutates) == nullptr)
      return AL_OK;
  }
  return al_jj_attr(r, call->self, name, out);
}

static const struct al_jj_native filters[] = {
  { "upper", "", filter_upper, nullptr },
  { "lower", "", filter_lower, nullptr },
  { "capitalize", "", filter_capitalize, nullptr },
  { "title", "", filter_title, nullptr },
  { "trim", "chars?", filter_trim, nullptr },
  { "string", "", filter_string, nullptr },
  { "safe", "", filter_safe, nullptr },
  { "e", "", filter_escape, nullptr },
  { "escape", "", filter_escape, nullptr },
  { "forceescape", "", filter_forceescape, nullptr },
  { "replace", "old new count?", filter_replace, nullptr },
  { "default", "default_value? boolean?", filter_default, nullptr },
  { "d", "default_value? boolean?", filter_default, nullptr },
  { "abs", "", filter_abs, nullptr },
  { "int", "default? base?", filter_int, nullptr },
  { "float", "default?", filter_float, nullptr },
  { "round", "precision? method?", filter_round, nullptr },
  { "indent", "width? first? blank?", filter_indent, nullptr },
  { "truncate", "length? killwords? end? leeway?", filter_truncate, nullptr },
  { "wordcount", "", filter_wordcount, nullptr },
  { "center", "width?", filter_center, nullptr },
  { "format", "*", filter_format, nullptr },
  { "tojson", "ensure_ascii? indent? separators? sort_keys?", filter_tojson, nullptr },
  { "attr", "name", filter_attr, nullptr },
};

const struct al_jj_native *al_jj_find_text_filter(struct al_str name)
{
  return al_jj_find_in(filters, AL_COUNT(filters), name);
}
