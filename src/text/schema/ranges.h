/* Sets of characters: sorted ranges of code points, in an arena. */
#ifndef AL_TEXT_SCHEMA_RANGES_H
#define AL_TEXT_SCHEMA_RANGES_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>

constexpr size_t AL_SCH_MAX_RANGES = 256;

struct al_sch_range {
  uint32_t first, last;
};

struct al_sch_ranges {
  struct al_sch_range *ranges;
  size_t count;
};

/* A set being collected. */
struct al_sch_chars {
  struct al_sch_range ranges[AL_SCH_MAX_RANGES];
  size_t count;
  bool is_full; /* there were more */
};

void al_sch_chars_add(struct al_sch_chars *chars, uint32_t first, uint32_t last);
void al_sch_chars_normalise(struct al_sch_chars *chars); /* sorts and merges */
void al_sch_chars_complement(struct al_sch_chars *chars);
/* \d \w \s \D \W \S: those on which all dialects agree that they are in it, or (wide) that any says so. */
void al_sch_chars_add_class(struct al_sch_chars *chars, char name, bool is_wide);

/* "[a-z]" */
void al_sch_ranges_emit(const struct al_sch_range *ranges, size_t count, struct al_buf *gbnf);
bool al_sch_ranges_have(const struct al_sch_range *ranges, size_t count, uint32_t code_point);

#endif
