/* The % operator on strings, and str.format with plain fields. */
#include "text/jinja/chars.h"
#include "text/jinja/render.h"

#include <math.h>
#include <stdio.h>

/* %[flags][width][.precision]type, and the same after ":" in a field of str.format. */
struct spec {
  bool left, plus, blank, zero, alternate;
  int width;
  int precision; /* -1: none */
  char type;     /* '\0': none */
};

constexpr int MAX_WIDTH = 10'000;

static bool take_number(struct al_str *text, int *number)
{
  *number = 0;
  while (text->size > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
    if (*number > MAX_WIDTH)
      return false;
    *number = *number * 10 + (text->data[0] - '0');
    *text = al_jj_from(*text, 1);
  }
  return *number <= MAX_WIDTH;
}

static void take_flags(struct al_str *text, struct spec *spec)
{
  for (; text->size > 0; *text = al_jj_from(*text, 1)) {
    char c = text->data[0];
    if (c == '-')
      spec->left = true;
    else if (c == '+')
      spec->plus = true;
    else if (c == ' ')
      spec->blank = true;
    else if (c == '0')
      spec->zero = true;
    else if (c == '#')
      spec->alternate = true;
    else
      return;
  }
}

static bool take_precision(struct al_str *text, struct spec *spec)
{
  spec->precision = -1;
  if (text->size == 0 || text->data[0] != '.')
    return true;
  *text = al_jj_from(*text, 1);
  return take_number(text, &spec->precision);
}

static enum al_code pad(struct al_jj_render *r, struct al_buf *out, struct al_str text, const struct spec *spec)
{
  size_t n = al_jj_char_count(text), width = spec->width > 0 ? (size_t)spec->width : 0;
  size_t missing = n < width ? width - n : 0;
  AL_TRY(al_jj_step_bytes(r, text.size + missing));
  size_t sign = spec->zero && text.size > 0 && (text.data[0] == '-' || text.data[0] == '+' || text.data[0] == ' ');
  al_buf_add(out, text.data, spec->zero ? sign : 0);
  for (size_t i = 0; !spec->left && i < missing; i++)
    al_buf_char(out, spec->zero ? '0' : ' ');
  al_buf_add(out, text.data + (spec->zero ? sign : 0), text.size - (spec->zero ? sign : 0));
  for (size_t i = 0; spec->left && i < missing; i++)
    al_buf_char(out, ' ');
  return AL_OK;
}

static enum al_code format_int(struct al_jj_render *r, struct al_buf *text, const struct spec *spec, int64_t value)
{
  const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->blank ? " " : "";
  uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  char digits[72];
  const char *prefix = "";
  if (spec->type == 'x' || spec->type == 'X') {
    (void)snprintf(digits, sizeof digits, spec->type == 'x' ? "%llx" : "%llX", (unsigned long long)magnitude);
    prefix = !spec->alternate ? "" : spec->type == 'x' ? "0x" : "0X";
  } else if (spec->type == 'o') {
    (void)snprintf(digits, sizeof digits, "%llo", (unsigned long long)magnitude);
    prefix = spec->alternate ? "0o" : "";
  } else {
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)magnitude);
  }
  al_buf_printf(text, "%s%s", sign, prefix);
  for (int n = (int)strlen(digits); n < spec->precision; n++)
    al_buf_char(text, '0');
  al_buf_str(text, digits);
  return al_jj_step(r, 1);
}

static void format_real(struct al_buf *text, const struct spec *spec, double value)
{
  int precision = spec->precision < 0 ? 6 : spec->precision;
  if (isnan(value) || isinf(value)) {
    al_buf_str(text, isnan(value) ? "nan" : value < 0 ? "-inf" : spec->plus ? "+inf" : "inf");
    return;
  }
  if (spec->plus && !signbit(value))
    al_buf_char(text, '+');
  else if (spec->blank && !signbit(value))
    al_buf_char(text, ' ');
  switch (spec->type) {
  case 'e': al_buf_printf(text, "%.*e", precision, value); break;
  case 'E': al_buf_printf(text, "%.*E", precision, value); break;
  case 'g': al_buf_printf(text, "%.*g", precision, value); break;
  case 'G': al_buf_printf(text, "%.*G", precision, value); break;
  default: al_buf_printf(text, "%.*f", precision, value); break;
  }
}

static bool is_real_type(char type)
{
  return type != '\0' && strchr("eEfFgG", type) != nullptr;
}

static bool is_int_type(char type)
{
  return type != '\0' && strchr("diuxXo", type) != nullptr;
}

static enum al_code format_number(struct al_jj_render *r, struct al_buf *text, const struct spec *spec,
                                  struct al_jj_value value)
{
  if (!al_jj_is_number(value))
    return al_jj_fail(r, "a number is needed, not '%s'", al_jj_kind_name(value));
  if (is_real_type(spec->type)) {
    format_real(text, spec, al_jj_as_real(value));
    return AL_OK;
  }
  bool fits = value.kind != AL_JJ_FLOAT || (value.real > -9.2e18 && value.real < 9.2e18);
  if (!fits || (value.kind == AL_JJ_FLOAT && spec->type != 'd' && spec->type != 'i' && spec->type != 'u'))
    return al_jj_fail(r, "an integer is needed, not '%s'", al_jj_kind_name(value));
  return format_int(r, text, spec, value.kind == AL_JJ_FLOAT ? (int64_t)value.real : al_jj_as_int(value));
}

static enum al_code format_one(struct al_jj_render *r, struct al_buf *out, struct spec spec, struct al_jj_value value)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  bool number = is_real_type(spec.type) || is_int_type(spec.type);
  if (number)
    AL_TRY(format_number(r, &text, &spec, value));
  else if (spec.type == 's')
    AL_TRY(al_jj_print(r, &text, value));
  else if (spec.type == 'r')
    AL_TRY(al_jj_repr(r, &text, value));
  else
    return al_jj_fail(r, "unsupported format character");
  AL_TRY(al_buf_check(&text, r->err));
  struct al_str view = al_buf_view(&text);
  if (!number && spec.precision >= 0)
    view.size = al_jj_char_offset(view, (size_t)spec.precision);
  spec.zero = spec.zero && number && !spec.left;
  return pad(r, out, view, &spec);
}

/* The values that a format takes: a tuple one by one, anything else as the only one. */
struct supply {
  struct al_jj_value args;
  size_t at;
};

static enum al_code next_value(struct al_jj_render *r, struct supply *supply, struct al_jj_value *out)
{
  bool tuple = supply->args.kind == AL_JJ_TUPLE;
  if (supply->at >= (tuple ? supply->args.list->n : 1))
    return al_jj_fail(r, "not enough arguments for the format");
  *out = tuple ? supply->args.list->items[supply->at] : supply->args;
  supply->at++;
  return AL_OK;
}

/* %(name)type takes from a mapping. */
static enum al_code named_value(struct al_jj_render *r, struct al_str *rest, struct supply *supply,
                                struct al_jj_value *out)
{
  size_t end = al_jj_find_bytes(*rest, al_str(")"), 0);
  const struct al_jj_value *value = nullptr;
  if (end == SIZE_MAX || supply->args.kind != AL_JJ_DICT)
    return al_jj_fail(r, "the format needs a mapping");
  AL_TRY(al_jj_dict_find(r, supply->args.dict, al_jj_str(al_str_n(rest->data + 1, end - 1)), &value));
  if (value == nullptr)
    return al_jj_fail(r, "the format names a key that is not there");
  *out = *value;
  *rest = al_jj_from(*rest, end + 1);
  supply->at = 1;
  return AL_OK;
}

static enum al_code format_field(struct al_jj_render *r, struct al_str *rest, struct supply *supply, struct al_buf *out)
{
  struct spec spec = {};
  struct al_jj_value value = { .kind = AL_JJ_MISSING };
  if (rest->size > 0 && rest->data[0] == '(')
    AL_TRY(named_value(r, rest, supply, &value));
  take_flags(rest, &spec);
  if (rest->size > 0 && rest->data[0] == '*')
    return al_jj_unsupported(r, "format width", al_str("*"));
  if (!take_number(rest, &spec.width) || !take_precision(rest, &spec) || rest->size == 0)
    return al_jj_fail(r, "incomplete format");
  spec.type = rest->data[0];
  *rest = al_jj_from(*rest, 1);
  if (spec.type == '%') {
    al_buf_char(out, '%');
    return AL_OK;
  }
  if (value.kind == AL_JJ_MISSING)
    AL_TRY(next_value(r, supply, &value));
  return format_one(r, out, spec, value);
}

static bool all_used(const struct supply *supply)
{
  if (supply->args.kind == AL_JJ_TUPLE)
    return supply->at >= supply->args.list->n;
  enum al_jj_kind kind = supply->args.kind;
  bool mapping = kind == AL_JJ_DICT || kind == AL_JJ_LIST || kind == AL_JJ_RANGE || kind == AL_JJ_UNDEFINED;
  return mapping || supply->at > 0;
}

enum al_code al_jj_format_percent(struct al_jj_render *r, struct al_str format, struct al_jj_value args,
                                  struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct supply supply = { args, 0 };
  for (struct al_str rest = format; rest.size > 0;) {
    size_t percent = al_min_size(al_jj_find_bytes(rest, al_str("%"), 0), rest.size);
    al_buf_add(&text, rest.data, percent);
    rest = al_jj_from(rest, percent);
    if (rest.size == 0)
      break;
    rest = al_jj_from(rest, 1);
    AL_TRY(format_field(r, &rest, &supply, &text));
  }
  if (!all_used(&supply))
    return al_jj_fail(r, "not all arguments of the format were used");
  return al_jj_take_text(r, &text, out);
}

static enum al_code field_value(struct al_jj_render *r, struct al_str name, const struct al_jj_args *args,
                                size_t *automatic, struct al_jj_value *out)
{
  struct al_str digits = name;
  int index = 0;
  if (name.size == 0)
    index = (int)(*automatic)++;
  else if (!take_number(&digits, &index) || digits.size > 0)
    index = -1;
  for (size_t i = 0; index < 0 && i < args->n_named; i++)
    if (al_str_eq(args->named[i].name, name)) {
      *out = args->named[i].value;
      return AL_OK;
    }
  if (index < 0 && memchr(name.data, '.', name.size) == nullptr && memchr(name.data, '[', name.size) == nullptr)
    return al_jj_fail(r, "format: no argument '%.*s'", (int)al_min_size(name.size, 60), name.data);
  if (index < 0)
    return al_jj_unsupported(r, "format field", name);
  if ((size_t)index >= args->n)
    return al_jj_fail(r, "format: not enough arguments");
  *out = args->items[index];
  return AL_OK;
}

/* "[<>][0][width][.precision][type]"; strings stand left, numbers right. */
static enum al_code format_spec(struct al_jj_render *r, struct al_str text, struct al_jj_value value,
                                struct al_buf *out)
{
  struct spec spec = {};
  struct al_str rest = text;
  bool number = al_jj_is_number(value) && value.kind != AL_JJ_BOOL;
  if (rest.size == 0)
    return al_jj_print(r, out, value);
  bool aligned = rest.data[0] == '<' || rest.data[0] == '>';
  spec.left = aligned ? rest.data[0] == '<' : !number;
  rest = al_jj_from(rest, aligned);
  spec.plus = rest.size > 0 && rest.data[0] == '+';
  rest = al_jj_from(rest, spec.plus);
  spec.zero = rest.size > 0 && rest.data[0] == '0' && number && !aligned;
  if (!take_number(&rest, &spec.width) || !take_precision(&rest, &spec))
    return al_jj_fail(r, "format: a width beyond %d", MAX_WIDTH);
  spec.type = rest.size > 0 ? rest.data[0] : value.kind == AL_JJ_INT ? 'd' : 's';
  bool suits = number ? is_real_type(spec.type) || (value.kind == AL_JJ_INT && is_int_type(spec.type)) ||
                            (rest.size == 0 && spec.precision < 0)
                      : spec.type == 's' && value.kind == AL_JJ_STR;
  if (rest.size > 1 || !suits)
    return al_jj_unsupported(r, "format", text);
  return format_one(r, out, spec, value);
}

static enum al_code braces_field(struct al_jj_render *r, struct al_str field, const struct al_jj_args *args,
                                 size_t *automatic, struct al_buf *out)
{
  size_t colon = al_min_size(al_jj_find_bytes(field, al_str(":"), 0), field.size);
  struct al_str name = al_str_n(field.data, colon);
  struct al_jj_value value;
  if (memchr(field.data, '{', field.size) != nullptr || memchr(field.data, '!', field.size) != nullptr)
    return al_jj_unsupported(r, "format", field);
  AL_TRY(field_value(r, name, args, automatic, &value));
  return format_spec(r, colon < field.size ? al_jj_from(field, colon + 1) : al_str(""), value, out);
}

enum al_code al_jj_format_braces(struct al_jj_render *r, struct al_str format, const struct al_jj_args *args,
                                 struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  size_t automatic = 0;
  for (size_t at = 0; at < format.size; at++) {
    char c = format.data[at];
    bool doubled = at + 1 < format.size && format.data[at + 1] == c;
    if ((c != '{' && c != '}') || doubled) {
      al_buf_char(&text, c);
      at += c == '{' || c == '}';
      continue;
    }
    size_t end = c == '{' ? al_jj_find_bytes(format, al_str("}"), at) : SIZE_MAX;
    if (end == SIZE_MAX)
      return al_jj_fail(r, "format: a single brace");
    AL_TRY(braces_field(r, al_str_n(format.data + at + 1, end - at - 1), args, &automatic, &text));
    at = end;
  }
  AL_TRY(al_jj_step_bytes(r, format.size));
  return al_jj_take_text(r, &text, out);
}
