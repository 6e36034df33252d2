/* Whole numbers between bounds. */
#include "text/schema/number.h"
#include "text/schema/place.h"

#include <math.h>
#include <stdio.h>

constexpr size_t MAX_DIGITS = 20;

void al_sch_bounds_least(struct al_sch_bounds *bounds, const struct al_json *least, bool is_exclusive)
{
  int order = bounds->least != nullptr ? al_sch_compare(least, bounds->least) : 1;
  if (order > 0)
    bounds->above_least = is_exclusive;
  else if (order == 0)
    bounds->above_least = bounds->above_least || is_exclusive;
  if (order > 0)
    bounds->least = least;
}

void al_sch_bounds_most(struct al_sch_bounds *bounds, const struct al_json *most, bool is_exclusive)
{
  int order = bounds->most != nullptr ? al_sch_compare(most, bounds->most) : -1;
  if (order < 0)
    bounds->below_most = is_exclusive;
  else if (order == 0)
    bounds->below_most = bounds->below_most || is_exclusive;
  if (order < 0)
    bounds->most = most;
}

bool al_sch_bounds_admit(const struct al_sch_bounds *bounds, const struct al_json *number)
{
  int low = bounds->least != nullptr ? al_sch_compare(number, bounds->least) : 1;
  int high = bounds->most != nullptr ? al_sch_compare(number, bounds->most) : -1;
  return (bounds->above_least ? low > 0 : low >= 0) && (bounds->below_most ? high < 0 : high <= 0);
}

static void emit_digit(struct al_buf *gbnf, char first, char last)
{
  if (first == last)
    al_buf_printf(gbnf, "\"%c\" ", first);
  else
    al_buf_printf(gbnf, "[%c-%c] ", first, last);
}

static void emit_free(struct al_buf *gbnf, size_t count)
{
  if (count > 0)
    al_buf_printf(gbnf, "[0-9]{%zu} ", count);
}

static bool all_are(const char *digits, size_t size, char digit)
{
  for (size_t i = 0; i < size; i++)
    if (digits[i] != digit)
      return false;
  return true;
}

/* All numbers of `size` digits from low to high. The recursion goes down one digit at a time, in at most two
 * branches that no longer branch. */
static void emit_same_size(const char *low, const char *high, size_t size, struct al_buf *gbnf)
{
  static const char nines[] = "99999999999999999999", zeros[] = "00000000000000000000";
  if (all_are(low, size, '0') && all_are(high, size, '9')) {
    emit_free(gbnf, size);
    return;
  }
  if (low[0] == high[0]) {
    emit_digit(gbnf, low[0], low[0]);
    emit_same_size(low + 1, high + 1, size - 1, gbnf);
    return;
  }
  bool low_is_free = all_are(low + 1, size - 1, '0'), high_is_free = all_are(high + 1, size - 1, '9');
  char first = (char)(low[0] + !low_is_free), last = (char)(high[0] - !high_is_free);
  const char *between = "(";
  if (first <= last) {
    al_buf_str(gbnf, between);
    emit_digit(gbnf, first, last);
    emit_free(gbnf, size - 1);
    between = "| ";
  }
  if (!low_is_free) {
    al_buf_str(gbnf, between);
    emit_digit(gbnf, low[0], low[0]);
    emit_same_size(low + 1, nines, size - 1, gbnf);
    between = "| ";
  }
  if (!high_is_free) {
    al_buf_str(gbnf, between);
    emit_digit(gbnf, high[0], high[0]);
    emit_same_size(zeros, high + 1, size - 1, gbnf);
  }
  al_buf_str(gbnf, ") ");
}
static_assert(MAX_DIGITS == 20, "the nines and zeros above");

void al_sch_digits_emit(uint64_t first, uint64_t last, struct al_buf *gbnf)
{
  uint64_t from = first, power = 10;
  const char *between = "(";
  for (size_t size = 1; from <= last; size++, power *= 10) {
    bool is_last = size == MAX_DIGITS || last < power;
    if (!is_last && from >= power)
      continue;
    uint64_t to = is_last ? last : power - 1;
    char low[MAX_DIGITS + 1], high[MAX_DIGITS + 1];
    (void)snprintf(low, sizeof low, "%llu", (unsigned long long)from);
    (void)snprintf(high, sizeof high, "%llu", (unsigned long long)to);
    al_buf_str(gbnf, between);
    between = "| ";
    emit_same_size(low, high, size, gbnf);
    if (is_last)
      break;
    from = power;
  }
  al_buf_char(gbnf, ')');
}

/* The least integer that the bound admits. false: it lies above all of 64 bits. */
static bool least_of(const struct al_sch_bounds *bounds, int64_t *least)
{
  *least = INT64_MIN;
  if (bounds->least == nullptr)
    return true;
  if (al_json_kind(bounds->least) == AL_JSON_INT) {
    *least = al_json_int(bounds->least, 0);
  } else {
    double up = ceil(al_json_real(bounds->least, 0));
    if (up >= 0x1p63)
      return false;
    if (up < -0x1p63)
      return true;
    *least = (int64_t)up;
    if (up != al_json_real(bounds->least, 0))
      return true;
  }
  if (bounds->above_least && *least == INT64_MAX)
    return false;
  *least += bounds->above_least;
  return true;
}

static bool most_of(const struct al_sch_bounds *bounds, int64_t *most)
{
  *most = INT64_MAX;
  if (bounds->most == nullptr)
    return true;
  if (al_json_kind(bounds->most) == AL_JSON_INT) {
    *most = al_json_int(bounds->most, 0);
  } else {
    double down = floor(al_json_real(bounds->most, 0));
    if (down < -0x1p63)
      return false;
    if (down >= 0x1p63)
      return true;
    *most = (int64_t)down;
    if (down != al_json_real(bounds->most, 0))
      return true;
  }
  if (bounds->below_most && *most == INT64_MIN)
    return false;
  *most -= bounds->below_most;
  return true;
}

enum al_code al_sch_integer_emit(const struct al_sch_bounds *bounds, struct al_buf *gbnf, bool *is_empty,
                                 struct al_err *err)
{
  int64_t least, most;
  if (!least_of(bounds, &least) || !most_of(bounds, &most))
    return al_fail(err, AL_UNSUPPORTED, "only integers of 64 bits are supported");
  *is_empty = least > most;
  if (*is_empty)
    return AL_OK;
  if (bounds->least == nullptr && bounds->most == nullptr) {
    al_buf_str(gbnf, "\"0\" | \"-\"? [1-9] [0-9]{0,17}");
    return AL_OK;
  }
  if (least < 0) {
    uint64_t from = most < 0 ? 0 - (uint64_t)most : 1;
    al_buf_str(gbnf, "\"-\" ");
    al_sch_digits_emit(from, 0 - (uint64_t)least, gbnf);
  }
  if (least < 0 && most >= 0)
    al_buf_str(gbnf, " | ");
  if (most >= 0)
    al_sch_digits_emit(least > 0 ? (uint64_t)least : 0, (uint64_t)most, gbnf);
  return AL_OK;
}
