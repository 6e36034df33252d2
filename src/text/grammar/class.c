/* Characters and character classes of GBNF: escapes, ranges, negation. */
#include "text/grammar/gbnf.h"

#include "base/alloc.h"
#include "codec/utf8.h"

#include <stdlib.h>

constexpr uint32_t LAST_CODE_POINT = 0x10ffff;

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum al_code parse_hex(struct al_str text, size_t *at, size_t n_digits, uint32_t *value, struct al_err *err)
{
  *value = 0;
  for (size_t i = 0; i < n_digits; i++, (*at)++) {
    int digit = *at < text.size ? hex_digit(text.data[*at]) : -1;
    if (digit < 0)
      return al_gr_fail_at(err, text, *at, "%zu hexadecimal digits are expected here", n_digits);
    *value = *value << 4 | (uint32_t)digit;
  }
  if (*value > LAST_CODE_POINT || (*value >= 0xd800 && *value <= 0xdfff))
    return al_gr_fail_at(err, text, *at, "U+%04X is no character", *value);
  return AL_OK;
}

static enum al_code parse_escape(struct al_str text, size_t *at, uint32_t *code_point, struct al_err *err)
{
  char c = *at < text.size ? text.data[*at] : '\0';
  (*at)++;
  switch (c) {
  case 'x': return parse_hex(text, at, 2, code_point, err);
  case 'u': return parse_hex(text, at, 4, code_point, err);
  case 'U': return parse_hex(text, at, 8, code_point, err);
  case 't': *code_point = '\t'; return AL_OK;
  case 'r': *code_point = '\r'; return AL_OK;
  case 'n': *code_point = '\n'; return AL_OK;
  case '\\':
  case '"':
  case '[':
  case ']':
  case '-':
  case '^': *code_point = (uint32_t)c; return AL_OK;
  default: return al_gr_fail_at(err, text, *at - 1, "an unknown escape");
  }
}

enum al_code al_gr_parse_char(struct al_str text, size_t *at, uint32_t *code_point, struct al_err *err)
{
  if (*at < text.size && text.data[*at] == '\\') {
    (*at)++;
    return parse_escape(text, at, code_point, err);
  }
  size_t size = al_utf8_decode(al_str_n(text.data + *at, text.size - *at), code_point);
  if (size == 0 || *code_point == AL_UTF8_INVALID)
    return al_gr_fail_at(err, text, *at, "the text is not UTF-8, or ends here");
  *at += size;
  return AL_OK;
}

static enum al_code add_range(struct al_gr_gbnf *gbnf, uint32_t first, uint32_t last, struct al_err *err)
{
  if (gbnf->n_ranges >= AL_GR_MAX_NODES)
    return al_fail(err, AL_INVALID_REQUEST, "the grammar has more than %zu character ranges", AL_GR_MAX_NODES);
  void *ranges = gbnf->ranges;
  AL_TRY(al_grow(&ranges, &gbnf->ranges_capacity, gbnf->n_ranges + 1, sizeof *gbnf->ranges, err));
  gbnf->ranges = ranges;
  gbnf->ranges[gbnf->n_ranges++] = (struct al_gr_range){ first, last };
  return AL_OK;
}

static int by_first(const void *a, const void *b)
{
  const struct al_gr_range *left = a, *right = b;
  return left->first < right->first ? -1 : left->first > right->first;
}

/* Sorts and merges the ranges from `from` on. */
static void normalise(struct al_gr_gbnf *gbnf, size_t from)
{
  if (gbnf->n_ranges == from)
    return;
  qsort(gbnf->ranges + from, gbnf->n_ranges - from, sizeof *gbnf->ranges, by_first);
  size_t kept = from;
  for (size_t i = from + 1; i < gbnf->n_ranges; i++) {
    struct al_gr_range *last = &gbnf->ranges[kept], next = gbnf->ranges[i];
    if (next.first <= last->last + 1)
      last->last = next.last > last->last ? next.last : last->last;
    else
      gbnf->ranges[++kept] = next;
  }
  gbnf->n_ranges = kept + 1;
}

/* In place but for one range more: the gaps between n ranges are at most n + 1. */
static enum al_code complement(struct al_gr_gbnf *gbnf, size_t from, struct al_err *err)
{
  uint32_t next = 0;
  size_t kept = from, end = gbnf->n_ranges;
  for (size_t i = from; i < end; i++) {
    struct al_gr_range range = gbnf->ranges[i];
    if (range.first > next)
      gbnf->ranges[kept++] = (struct al_gr_range){ next, range.first - 1 };
    next = range.last + 1;
  }
  gbnf->n_ranges = kept;
  return next <= LAST_CODE_POINT ? add_range(gbnf, next, LAST_CODE_POINT, err) : AL_OK;
}

static enum al_code parse_ranges(struct al_gr_gbnf *gbnf, size_t *at, struct al_err *err)
{
  struct al_str text = gbnf->text;
  while (*at < text.size && text.data[*at] != ']') {
    uint32_t first, last;
    size_t begin = *at;
    AL_TRY(al_gr_parse_char(text, at, &first, err));
    last = first;
    if (*at + 1 < text.size && text.data[*at] == '-' && text.data[*at + 1] != ']') {
      (*at)++;
      AL_TRY(al_gr_parse_char(text, at, &last, err));
    }
    if (last < first)
      return al_gr_fail_at(err, text, begin, "a range whose end comes before its beginning");
    AL_TRY(add_range(gbnf, first, last, err));
  }
  return AL_OK;
}

enum al_code al_gr_parse_class(struct al_gr_gbnf *gbnf, size_t *at, uint32_t *node, struct al_err *err)
{
  size_t opened = (*at)++, from = gbnf->n_ranges;
  bool is_negated = *at < gbnf->text.size && gbnf->text.data[*at] == '^';
  *at += is_negated;
  AL_TRY(parse_ranges(gbnf, at, err));
  if (*at >= gbnf->text.size)
    return al_gr_fail_at(err, gbnf->text, opened, "a character class without end");
  (*at)++;
  normalise(gbnf, from);
  if (is_negated)
    AL_TRY(complement(gbnf, from, err));
  if (gbnf->n_ranges == from)
    return al_gr_fail_at(err, gbnf->text, opened, "a character class that admits nothing");
  struct al_gr_node made = { .kind = AL_GR_CLASS,
                             .child = AL_GR_NONE,
                             .sibling = AL_GR_NONE,
                             .a = (uint32_t)from,
                             .b = (uint32_t)(gbnf->n_ranges - from) };
  return al_gr_gbnf_node(gbnf, made, node, err);
}
