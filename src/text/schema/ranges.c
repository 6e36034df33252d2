#include "text/schema/ranges.h"

#include <stdlib.h>

constexpr uint32_t LAST = 0x10ffff;

void al_sch_chars_add(struct al_sch_chars *chars, uint32_t first, uint32_t last)
{
  if (chars->count == AL_SCH_MAX_RANGES) {
    chars->is_full = true;
    return;
  }
  chars->ranges[chars->count++] = (struct al_sch_range){ first, last };
}

static int by_first(const void *a, const void *b)
{
  const struct al_sch_range *left = a, *right = b;
  return left->first < right->first ? -1 : left->first > right->first;
}

void al_sch_chars_normalise(struct al_sch_chars *chars)
{
  if (chars->count < 2)
    return;
  qsort(chars->ranges, chars->count, sizeof *chars->ranges, by_first);
  size_t kept = 0;
  for (size_t i = 1; i < chars->count; i++) {
    struct al_sch_range *last = &chars->ranges[kept], next = chars->ranges[i];
    if (next.first <= last->last + 1)
      last->last = next.last > last->last ? next.last : last->last;
    else
      chars->ranges[++kept] = next;
  }
  chars->count = kept + 1;
}

void al_sch_chars_complement(struct al_sch_chars *chars)
{
  al_sch_chars_normalise(chars);
  struct al_sch_chars gaps = { .is_full = chars->is_full };
  uint32_t next = 0;
  for (size_t i = 0; i < chars->count; i++) {
    if (chars->ranges[i].first > next)
      al_sch_chars_add(&gaps, next, chars->ranges[i].first - 1);
    next = chars->ranges[i].last + 1;
  }
  if (next <= LAST)
    al_sch_chars_add(&gaps, next, LAST);
  *chars = gaps;
}

static void add_table(struct al_sch_chars *chars, const struct al_sch_range *table, size_t count)
{
  for (size_t i = 0; i < count; i++)
    al_sch_chars_add(chars, table[i].first, table[i].last);
}

/* What lies between the ranges of a table. */
static void add_others(struct al_sch_chars *chars, const struct al_sch_range *table, size_t count)
{
  struct al_sch_chars others = {};
  add_table(&others, table, count);
  al_sch_chars_complement(&others);
  add_table(chars, others.ranges, others.count);
}

/* Narrow: what every dialect counts. Wide: what any could. Beyond ASCII, digits and word characters are left open. */
static const struct al_sch_range digits[] = { { '0', '9' } };
static const struct al_sch_range digits_wide[] = { { '0', '9' }, { 0x660, LAST } };
static const struct al_sch_range word[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const struct al_sch_range word_wide[] = {
  { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' }, { 0x80, LAST }
};
static const struct al_sch_range space[] = { { '\t', '\r' },     { ' ', ' ' },       { 0xa0, 0xa0 },
                                             { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x2028, 0x2029 },
                                             { 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 } };
static const struct al_sch_range space_wide[] = { { '\t', '\r' },     { 0x1c, ' ' },      { 0x85, 0x85 },
                                                  { 0xa0, 0xa0 },     { 0x1680, 0x1680 }, { 0x2000, 0x200a },
                                                  { 0x2028, 0x2029 }, { 0x202f, 0x202f }, { 0x205f, 0x205f },
                                                  { 0x3000, 0x3000 }, { 0xfeff, 0xfeff } };

void al_sch_chars_add_class(struct al_sch_chars *chars, char name, bool is_wide)
{
  switch (name) {
  case 'd':
    is_wide ? add_table(chars, digits_wide, AL_COUNT(digits_wide)) : add_table(chars, digits, AL_COUNT(digits));
    break;
  case 'w': is_wide ? add_table(chars, word_wide, AL_COUNT(word_wide)) : add_table(chars, word, AL_COUNT(word)); break;
  case 's':
    is_wide ? add_table(chars, space_wide, AL_COUNT(space_wide)) : add_table(chars, space, AL_COUNT(space));
    break;
  case 'D':
    is_wide ? add_others(chars, digits, AL_COUNT(digits)) : add_others(chars, digits_wide, AL_COUNT(digits_wide));
    break;
  case 'W':
    is_wide ? add_others(chars, word, AL_COUNT(word)) : add_others(chars, word_wide, AL_COUNT(word_wide));
    break;
  default:
    is_wide ? add_others(chars, space, AL_COUNT(space)) : add_others(chars, space_wide, AL_COUNT(space_wide));
    break;
  }
}

static void emit_char(struct al_buf *gbnf, uint32_t code_point)
{
  bool is_plain = (code_point >= 'a' && code_point <= 'z') || (code_point >= 'A' && code_point <= 'Z') ||
                  (code_point >= '0' && code_point <= '9');
  al_buf_printf(gbnf, is_plain ? "%c" : code_point < 0x100 ? "\\x%02X" : "\\U%08X", code_point);
}

/* Surrogates are no characters, and a range may not begin or end with one. */
void al_sch_ranges_emit(const struct al_sch_range *ranges, size_t count, struct al_buf *gbnf)
{
  al_buf_char(gbnf, '[');
  for (size_t i = 0; i < count; i++) {
    uint32_t first = ranges[i].first, last = ranges[i].last;
    if (first >= 0xd800 && first <= 0xdfff)
      first = 0xe000;
    if (last >= 0xd800 && last <= 0xdfff)
      last = 0xd7ff;
    if (first > last)
      continue;
    emit_char(gbnf, first);
    if (last > first) {
      al_buf_char(gbnf, '-');
      emit_char(gbnf, last);
    }
  }
  al_buf_char(gbnf, ']');
}

bool al_sch_ranges_have(const struct al_sch_range *ranges, size_t count, uint32_t code_point)
{
  for (size_t i = 0; i < count; i++)
    if (ranges[i].first <= code_point && code_point <= ranges[i].last)
      return true;
  return false;
}
