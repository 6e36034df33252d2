/* Decimal numbers between bounds: the bounds as digits before and after the point, compared digit by digit. */
#include "text/schema/number.h"

#include <stdio.h>
#include <stdlib.h>

constexpr uint64_t LIMIT = 1'000'000'000'000'000'000; /* 10^18: beyond all digits before the point */
constexpr size_t MAX_FRACTION = 40;                   /* digits of a bound after the point */
constexpr size_t FREE_FRACTION = 15;                  /* digits of a number after the point */
constexpr size_t EXACT_DIGITS = 15;                   /* any two decimals of that many are different doubles */

struct decimal { /* a magnitude */
  uint64_t whole;
  char fraction[MAX_FRACTION];
  size_t n_fraction; /* without zeros at the end */
};

struct end { /* of an interval of magnitudes */
  struct decimal at;
  bool is_set, is_exclusive;
};

struct interval {
  struct end low, high;
};

/* Splits digits with the point after `point` of them. */
static bool place_point(const char *digits, size_t size, long point, struct decimal *decimal)
{
  *decimal = (struct decimal){};
  if (point > 18) {
    decimal->whole = LIMIT;
    return true;
  }
  for (long i = 0; i < point; i++)
    decimal->whole = decimal->whole * 10 + (i < (long)size ? (uint64_t)(digits[i] - '0') : 0);
  for (long i = point; i < (long)size; i++) {
    if (decimal->n_fraction == MAX_FRACTION)
      return false;
    decimal->fraction[decimal->n_fraction++] = i < 0 ? '0' : digits[i];
  }
  while (decimal->n_fraction > 0 && decimal->fraction[decimal->n_fraction - 1] == '0')
    decimal->n_fraction--;
  return true;
}

/* Reads a number as it is printed, "-12.5e-3". false: too fine. */
static bool read_decimal(const struct al_json *number, bool *is_negative, struct decimal *decimal)
{
  char text[AL_JSON_NUMBER_BYTES];
  (void)al_json_number_text(number, text);
  char digits[48];
  size_t n_digits = 0;
  long point = -1;
  const char *at = text;
  *is_negative = *at == '-';
  for (at += *is_negative; (*at >= '0' && *at <= '9') || *at == '.'; at++) {
    if (*at == '.')
      point = (long)n_digits;
    else if (n_digits > 0 || *at != '0' || point >= 0)
      digits[n_digits++ % sizeof digits] = *at;
  }
  if (n_digits > sizeof digits)
    return false;
  point = point < 0 ? (long)n_digits : point;
  if (*at == 'e' || *at == 'E')
    point += strtol(at + 1, nullptr, 10);
  size_t zeros = 0;
  while (zeros < n_digits && digits[zeros] == '0')
    zeros++;
  return place_point(digits + zeros, n_digits - zeros, zeros < n_digits ? point - (long)zeros : 0, decimal);
}

/* --- the digits after the point ---------------------------------------------------------------------------------- */

struct fraction {
  size_t n_free; /* digits that there may be */
  struct al_buf *gbnf;
};

static char digit_at(const struct end *end, size_t at)
{
  return at < end->at.n_fraction ? end->at.fraction[at] : '0';
}

static bool is_over(const struct end *end, size_t at)
{
  return at >= end->at.n_fraction;
}

static bool is_exclusive(const struct end *end)
{
  return end != nullptr && end->is_exclusive;
}

static bool undo(struct al_buf *gbnf, size_t size)
{
  if (!gbnf->failed && gbnf->data != nullptr) {
    gbnf->size = size;
    gbnf->data[size] = '\0';
  }
  return false;
}

/* May the digits end here, all so far having been those of the ends that are given? */
static bool may_stop(const struct end *low, const struct end *high, size_t at)
{
  if (low != nullptr && (!is_over(low, at) || low->is_exclusive))
    return false;
  return high == nullptr || !is_over(high, at) || !high->is_exclusive;
}

static bool emit_digits(const struct fraction *f, const struct end *low, const struct end *high, size_t at);

/* More digits after those so far, or none where that is right. false: neither. */
static bool emit_rest(const struct fraction *f, const struct end *low, const struct end *high, size_t at)
{
  size_t before = f->gbnf->size;
  bool stops = may_stop(low, high, at);
  al_buf_str(f->gbnf, "(");
  if (emit_digits(f, low, high, at)) {
    al_buf_str(f->gbnf, stops ? ")? " : ") ");
    return true;
  }
  (void)undo(f->gbnf, before);
  return stops;
}

static bool emit_branch(const struct fraction *f, char digit, const struct end *low, const struct end *high, size_t at)
{
  size_t before = f->gbnf->size;
  al_buf_printf(f->gbnf, "| \"%c\" ", digit);
  return emit_rest(f, low, high, at + 1) || undo(f->gbnf, before);
}

static bool emit_free(const struct fraction *f, size_t at)
{
  if (at >= f->n_free)
    return false;
  al_buf_printf(f->gbnf, "[0-9]{1,%zu} ", f->n_free - at);
  return true;
}

/* After all digits of the low bound: any, but not only zeros when it is exclusive. */
static bool emit_past_low(const struct fraction *f, const struct end *low, size_t at)
{
  if (!low->is_exclusive)
    return emit_free(f, at);
  if (at >= f->n_free)
    return false;
  size_t room = f->n_free - at - 1;
  al_buf_printf(f->gbnf, "\"0\"{0,%zu} [1-9] [0-9]{0,%zu} ", room / 2, room - room / 2);
  return true;
}

/* After all digits of the high bound: zeros. */
static bool emit_past_high(const struct fraction *f, const struct end *low, const struct end *high, size_t at)
{
  if (high->is_exclusive || at >= f->n_free || !may_stop(low, nullptr, at))
    return false;
  al_buf_printf(f->gbnf, "\"0\"{1,%zu} ", f->n_free - at);
  return true;
}

/* One digit or more from `at` on; those before were the digits of the ends that are given. false: none can come, and
 * nothing was written. After the ends have parted each branch keeps one of them, so the recursion grows linearly. */
static bool emit_digits(const struct fraction *f, const struct end *low, const struct end *high, size_t at)
{
  if (low == nullptr && high == nullptr)
    return emit_free(f, at);
  if (high != nullptr && is_over(high, at))
    return emit_past_high(f, low, high, at);
  if (low != nullptr && high == nullptr && is_over(low, at))
    return emit_past_low(f, low, at);
  if (at >= MAX_FRACTION || (at >= f->n_free && (is_exclusive(low) || is_exclusive(high))))
    return false;
  char least = low != nullptr ? digit_at(low, at) : '0', most = high != nullptr ? digit_at(high, at) : '9';
  size_t before = f->gbnf->size;
  bool any = false;
  al_buf_str(f->gbnf, "("); /* each branch begins with "| " */
  if (low != nullptr && high != nullptr && least == most) {
    any = emit_branch(f, least, low, high, at);
  } else {
    char first = (char)(least + (low != nullptr)), last = (char)(most - (high != nullptr));
    any = low != nullptr && emit_branch(f, least, low, nullptr, at);
    if (first <= last) {
      al_buf_printf(f->gbnf, "| [%c-%c] [0-9]{0,%zu} ", first, last, at + 1 < f->n_free ? f->n_free - at - 1 : 0);
      any = true;
    }
    any = (high != nullptr && emit_branch(f, most, nullptr, high, at)) || any;
  }
  al_buf_str(f->gbnf, ") ");
  if (any && !f->gbnf->failed)
    f->gbnf->data[before + 1] = ' '; /* the first needs no '|' */
  return any || undo(f->gbnf, before);
}

/* "12" with digits after the point between the ends, as one more alternative. */
static bool emit_at_whole(uint64_t whole, const struct end *low, const struct end *high, struct al_buf *gbnf)
{
  char text[24];
  int size = snprintf(text, sizeof text, "%llu", (unsigned long long)whole);
  struct fraction f = { .n_free = (size_t)size < EXACT_DIGITS ? EXACT_DIGITS - (size_t)size : 0, .gbnf = gbnf };
  size_t before = gbnf->size;
  bool stops = may_stop(low, high, 0);
  al_buf_printf(gbnf, "| \"%s\" (\".\" ", text);
  if (emit_digits(&f, low, high, 0)) {
    al_buf_str(gbnf, stops ? ")? " : ") ");
    return true;
  }
  (void)undo(gbnf, before);
  if (stops)
    al_buf_printf(gbnf, "| \"%s\" ", text);
  return stops;
}

/* --- intervals --------------------------------------------------------------------------------------------------- */

/* Magnitudes in the interval, as alternatives that begin with "| ". */
static bool emit_interval(const struct interval *interval, struct al_buf *gbnf)
{
  const struct end *low = &interval->low, *high = interval->high.is_set ? &interval->high : nullptr;
  uint64_t last = high != nullptr && high->at.whole < LIMIT ? high->at.whole : LIMIT;
  if (low->at.whole >= LIMIT || low->at.whole > last)
    return false;
  if (low->at.whole == last)
    return emit_at_whole(last, low, high, gbnf);
  bool any = emit_at_whole(low->at.whole, low, nullptr, gbnf);
  if (low->at.whole + 1 < last) {
    al_buf_str(gbnf, "| ");
    al_sch_digits_emit(low->at.whole + 1, last - 1, gbnf);
    al_buf_printf(gbnf, " (\".\" [0-9]{1,%zu})? ", FREE_FRACTION);
    any = true;
  }
  if (last < LIMIT)
    any = emit_at_whole(last, nullptr, high, gbnf) || any;
  return any;
}

/* The bounds as intervals of magnitudes, one on each side of zero. */
struct sides {
  struct interval positive, negative;
  bool has_positive, has_negative;
};

static int order(const struct decimal *a, const struct decimal *b)
{
  if (a->whole != b->whole)
    return a->whole < b->whole ? -1 : 1;
  size_t shared = al_min_size(a->n_fraction, b->n_fraction);
  int digits = shared > 0 ? memcmp(a->fraction, b->fraction, shared) : 0;
  if (digits != 0)
    return digits;
  return a->n_fraction < b->n_fraction ? -1 : a->n_fraction > b->n_fraction;
}

static bool is_empty_interval(const struct interval *interval)
{
  if (!interval->high.is_set)
    return false;
  int ends = order(&interval->low.at, &interval->high.at);
  return ends > 0 || (ends == 0 && (interval->low.is_exclusive || interval->high.is_exclusive));
}

static bool split(const struct al_sch_bounds *bounds, struct sides *sides)
{
  struct end zero_excluded = { .is_set = true, .is_exclusive = true };
  *sides = (struct sides){ .has_positive = true, .has_negative = true };
  sides->negative.low = zero_excluded;
  bool is_negative;
  if (bounds->least != nullptr) {
    struct end end = { .is_set = true, .is_exclusive = bounds->above_least };
    if (!read_decimal(bounds->least, &is_negative, &end.at))
      return false;
    is_negative = is_negative && (end.at.whole > 0 || end.at.n_fraction > 0);
    *(is_negative ? &sides->negative.high : &sides->positive.low) = end;
    sides->has_negative = is_negative;
  }
  if (bounds->most != nullptr) {
    struct end end = { .is_set = true, .is_exclusive = bounds->below_most };
    if (!read_decimal(bounds->most, &is_negative, &end.at))
      return false;
    is_negative = is_negative && (end.at.whole > 0 || end.at.n_fraction > 0);
    *(is_negative ? &sides->negative.low : &sides->positive.high) = end;
    sides->has_positive = !is_negative;
  }
  sides->has_positive = sides->has_positive && !is_empty_interval(&sides->positive);
  sides->has_negative = sides->has_negative && !is_empty_interval(&sides->negative);
  return true;
}

enum al_code al_sch_number_emit(const struct al_sch_bounds *bounds, struct al_buf *gbnf, bool *is_empty,
                                struct al_err *err)
{
  *is_empty = false;
  if (bounds->least == nullptr && bounds->most == nullptr) {
    al_buf_str(gbnf, "\"-\"? (\"0\" | [1-9] [0-9]{0,17}) (\".\" [0-9]{1,18})? ([eE] [-+]? [0-9]{1,2})?");
    return AL_OK;
  }
  struct sides sides;
  if (!split(bounds, &sides))
    return al_fail(err, AL_UNSUPPORTED, "a bound with more than %zu digits after the point is not supported",
                   MAX_FRACTION);
  size_t before = gbnf->size;
  bool any = false;
  if (sides.has_negative) {
    al_buf_str(gbnf, "\"-\" (");
    size_t inner = gbnf->size;
    any = emit_interval(&sides.negative, gbnf);
    if (any && !gbnf->failed)
      gbnf->data[inner] = ' '; /* the first alternative needs no '|' */
    al_buf_str(gbnf, ") ");
  }
  if (!any)
    (void)undo(gbnf, before);
  size_t positive = gbnf->size;
  bool more = sides.has_positive && emit_interval(&sides.positive, gbnf);
  if (more && !any && !gbnf->failed)
    gbnf->data[positive] = ' ';
  *is_empty = !any && !more;
  return AL_OK;
}
