/* Operators on values, with Python's rules. Integers have 64 bits: what would leave them is refused. */
#include "text/jinja/render.h"

#include <math.h>
#include <stdckdint.h>

static const char *const op_names[] = {
  [AL_JJ_ADD] = "+", [AL_JJ_SUB] = "-",  [AL_JJ_MUL] = "*", [AL_JJ_DIV] = "/", [AL_JJ_FLOORDIV] = "//",
  [AL_JJ_MOD] = "%", [AL_JJ_POW] = "**", [AL_JJ_EQ] = "==", [AL_JJ_NE] = "!=", [AL_JJ_LT] = "<",
  [AL_JJ_LE] = "<=", [AL_JJ_GT] = ">",   [AL_JJ_GE] = ">=", [AL_JJ_IN] = "in", [AL_JJ_NOT_IN] = "not in",
};

static enum al_code overflow(struct al_jj_render *r)
{
  return al_fail(r->err, AL_UNSUPPORTED, "template line %d: an integer beyond 64 bits", r->line);
}

static enum al_code by_zero(struct al_jj_render *r)
{
  return al_jj_fail(r, "division by zero");
}

static enum al_code floor_divide(struct al_jj_render *r, int64_t a, int64_t b, int64_t *quotient, int64_t *rest)
{
  if (b == 0)
    return by_zero(r);
  if (a == INT64_MIN && b == -1) {
    *rest = 0;
    return quotient != nullptr ? overflow(r) : AL_OK;
  }
  int64_t q = a / b, m = a % b;
  if (m != 0 && (m < 0) != (b < 0)) {
    m += b;
    q--;
  }
  *rest = m;
  if (quotient != nullptr)
    *quotient = q;
  return AL_OK;
}

static enum al_code int_power(struct al_jj_render *r, int64_t base, int64_t exponent, int64_t *out)
{
  int64_t result = 1;
  for (;;) {
    if ((exponent & 1) != 0 && ckd_mul(&result, result, base))
      return overflow(r);
    exponent >>= 1;
    if (exponent == 0)
      break;
    if (ckd_mul(&base, base, base))
      return overflow(r);
  }
  *out = result;
  return AL_OK;
}

static enum al_code real_power(struct al_jj_render *r, double a, double b, struct al_jj_value *out)
{
  if (a == 0 && b < 0)
    return by_zero(r);
  double result = pow(a, b);
  if (isnan(result) && !isnan(a) && !isnan(b))
    return al_fail(r->err, AL_UNSUPPORTED, "template line %d: a complex number", r->line);
  if (isinf(result) && !isinf(a) && !isinf(b))
    return al_jj_fail(r, "a number too large");
  *out = al_jj_float(result);
  return AL_OK;
}

static enum al_code int_binary(struct al_jj_render *r, enum al_jj_op op, int64_t a, int64_t b, struct al_jj_value *out)
{
  int64_t result = 0, rest;
  bool wraps = false;
  if (op == AL_JJ_ADD)
    wraps = ckd_add(&result, a, b);
  else if (op == AL_JJ_SUB)
    wraps = ckd_sub(&result, a, b);
  else if (op == AL_JJ_MUL)
    wraps = ckd_mul(&result, a, b);
  else if (op == AL_JJ_FLOORDIV)
    AL_TRY(floor_divide(r, a, b, &result, &rest));
  else if (op == AL_JJ_MOD)
    AL_TRY(floor_divide(r, a, b, nullptr, &result));
  else if (op == AL_JJ_POW && b < 0)
    return real_power(r, (double)a, (double)b, out);
  else if (op == AL_JJ_POW)
    AL_TRY(int_power(r, a, b, &result));
  else if (b == 0)
    return by_zero(r);
  else
    return *out = al_jj_float((double)((long double)a / (long double)b)), AL_OK;
  *out = al_jj_int(result);
  return wraps ? overflow(r) : AL_OK;
}

static double real_mod(double a, double b)
{
  double rest = fmod(a, b);
  if (rest == 0)
    return copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

static double real_floor_divide(double a, double b)
{
  double rest = fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0))
    quotient -= 1.0;
  if (quotient == 0)
    return copysign(0.0, a / b);
  double whole = floor(quotient);
  return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

static enum al_code real_binary(struct al_jj_render *r, enum al_jj_op op, double a, double b, struct al_jj_value *out)
{
  if (b == 0 && (op == AL_JJ_DIV || op == AL_JJ_FLOORDIV || op == AL_JJ_MOD))
    return by_zero(r);
  if (op == AL_JJ_POW)
    return real_power(r, a, b, out);
  double result = op == AL_JJ_ADD   ? a + b
                  : op == AL_JJ_SUB ? a - b
                  : op == AL_JJ_MUL ? a * b
                  : op == AL_JJ_DIV ? a / b
                                    : 0;
  if (op == AL_JJ_FLOORDIV)
    result = real_floor_divide(a, b);
  else if (op == AL_JJ_MOD)
    result = real_mod(a, b);
  *out = al_jj_float(result);
  return AL_OK;
}

static enum al_code join_strings(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b,
                                 struct al_jj_value *out)
{
  bool markup = a.markup || b.markup;
  if (markup && !a.markup)
    AL_TRY(al_jj_escape_html(r, a, &a));
  if (markup && !b.markup)
    AL_TRY(al_jj_escape_html(r, b, &b));
  size_t size;
  if (ckd_add(&size, a.str.size, b.str.size))
    return al_jj_fail(r, "a string too long");
  char *text;
  AL_TRY(al_jj_step_bytes(r, size));
  AL_TRY(al_jj_alloc(r, size + 1, 1, &text));
  if (a.str.size > 0)
    memcpy(text, a.str.data, a.str.size);
  if (b.str.size > 0)
    memcpy(text + a.str.size, b.str.data, b.str.size);
  *out = al_jj_str(al_str_n(text, size));
  out->markup = markup;
  return AL_OK;
}

static enum al_code join_lists(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b,
                               struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(al_jj_step(r, a.list->n + b.list->n));
  AL_TRY(al_jj_list_new(r, a.list->n + b.list->n, &list));
  if (a.list->n > 0)
    memcpy(list->items, a.list->items, a.list->n * sizeof *list->items);
  if (b.list->n > 0)
    memcpy(list->items + a.list->n, b.list->items, b.list->n * sizeof *list->items);
  list->n = a.list->n + b.list->n;
  *out = (struct al_jj_value){ .kind = a.kind, .list = list };
  return AL_OK;
}

static enum al_code repeat_string(struct al_jj_render *r, struct al_jj_value text, size_t times,
                                  struct al_jj_value *out)
{
  size_t size;
  char *bytes;
  if (ckd_mul(&size, text.str.size, times) || size == SIZE_MAX)
    size = SIZE_MAX - 1; /* al_jj_alloc refuses it */
  AL_TRY(al_jj_step_bytes(r, size));
  AL_TRY(al_jj_alloc(r, size + 1, 1, &bytes));
  for (size_t i = 0; size > 0 && i < times; i++)
    memcpy(bytes + i * text.str.size, text.str.data, text.str.size);
  *out = al_jj_str(al_str_n(bytes, size));
  out->markup = text.markup;
  return AL_OK;
}

static enum al_code repeat_list(struct al_jj_render *r, struct al_jj_value value, size_t times, struct al_jj_value *out)
{
  size_t n;
  struct al_jj_list *list;
  if (ckd_mul(&n, value.list->n, times))
    n = SIZE_MAX;
  AL_TRY(al_jj_step(r, al_min_size(n, SIZE_MAX / 2)));
  AL_TRY(al_jj_list_new(r, n, &list));
  for (list->n = 0; list->n < n; list->n++)
    list->items[list->n] = value.list->items[list->n % value.list->n];
  *out = (struct al_jj_value){ .kind = value.kind, .list = list };
  return AL_OK;
}

static enum al_code repeat(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value times,
                           struct al_jj_value *out)
{
  int64_t n = al_jj_as_int(times);
  size_t count = n > 0 ? (size_t)n : 0;
  return value.kind == AL_JJ_STR ? repeat_string(r, value, count, out) : repeat_list(r, value, count, out);
}

static bool is_repeatable(struct al_jj_value value)
{
  return value.kind == AL_JJ_STR || value.kind == AL_JJ_LIST || value.kind == AL_JJ_TUPLE;
}

enum al_code al_jj_binary(struct al_jj_render *r, enum al_jj_op op, struct al_jj_value a, struct al_jj_value b,
                          struct al_jj_value *out)
{
  if (al_jj_is_integral(a) && al_jj_is_integral(b))
    return int_binary(r, op, al_jj_as_int(a), al_jj_as_int(b), out);
  if (al_jj_is_number(a) && al_jj_is_number(b))
    return real_binary(r, op, al_jj_as_real(a), al_jj_as_real(b), out);
  if (op == AL_JJ_ADD && a.kind == AL_JJ_STR && b.kind == AL_JJ_STR)
    return join_strings(r, a, b, out);
  if (op == AL_JJ_ADD && a.kind == b.kind && (a.kind == AL_JJ_LIST || a.kind == AL_JJ_TUPLE))
    return join_lists(r, a, b, out);
  if (op == AL_JJ_MUL && is_repeatable(a) && al_jj_is_integral(b))
    return repeat(r, a, b, out);
  if (op == AL_JJ_MUL && al_jj_is_integral(a) && is_repeatable(b))
    return repeat(r, b, a, out);
  if (op == AL_JJ_MOD && a.kind == AL_JJ_STR)
    return al_jj_format_percent(r, a.str, b, out);
  if (op == AL_JJ_SUB && a.kind == AL_JJ_VIEW)
    return al_jj_unsupported(r, "difference of", al_str("dict views"));
  return al_jj_fail(r, "'%s' %s '%s' is not possible", al_jj_kind_name(a), op_names[op], al_jj_kind_name(b));
}

enum al_code al_jj_negate(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value *out)
{
  if (value.kind == AL_JJ_FLOAT) {
    *out = al_jj_float(-value.real);
    return AL_OK;
  }
  int64_t result;
  if (ckd_sub(&result, 0, al_jj_as_int(value)))
    return overflow(r);
  *out = al_jj_int(result);
  return AL_OK;
}

enum al_code al_jj_compare_op(struct al_jj_render *r, enum al_jj_op op, struct al_jj_value a, struct al_jj_value b,
                              bool *out)
{
  if (op == AL_JJ_EQ || op == AL_JJ_NE) {
    AL_TRY(al_jj_equal(r, a, b, out));
    *out ^= op == AL_JJ_NE;
    return AL_OK;
  }
  if (op == AL_JJ_IN || op == AL_JJ_NOT_IN) {
    AL_TRY(al_jj_contains(r, b, a, out));
    *out ^= op == AL_JJ_NOT_IN;
    return AL_OK;
  }
  int order = 0;
  bool unordered = false;
  AL_TRY(al_jj_compare(r, a, b, &order, &unordered));
  bool holds = op == AL_JJ_LT ? order < 0 : op == AL_JJ_LE ? order <= 0 : op == AL_JJ_GT ? order > 0 : order >= 0;
  *out = holds && !unordered;
  return AL_OK;
}
