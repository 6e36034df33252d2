/* Regular expressions as JSON Schema uses them (a subset of ECMA-262, unanchored unless they say otherwise), made into
 * grammar. Of \d \w \s, their opposites and '.', only the characters on which ECMA's and Python's dialects agree are
 * admitted. Refused: look-around, back references, \b, \p, anchors inside. */
#ifndef AL_TEXT_SCHEMA_PATTERN_H
#define AL_TEXT_SCHEMA_PATTERN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_sch_pattern;

constexpr uint64_t AL_SCH_NO_MAX = UINT64_MAX;

/* AL_UNSUPPORTED or AL_INVALID_REQUEST, without a place. The pattern lives in the arena. */
enum al_code al_sch_pattern_parse(struct al_arena *arena, struct al_str text, const struct al_sch_pattern **pattern,
                                  struct al_err *err);
/* How long, in code points, what it admits can be; *most may be AL_SCH_NO_MAX. */
void al_sch_pattern_lengths(const struct al_sch_pattern *pattern, uint64_t *least, uint64_t *most);

/* Appends it as the right-hand side of a rule: the characters themselves, or as they stand inside a JSON string.
 * any_char is the rule for one character, for what an anchor leaves open. */
void al_sch_pattern_emit(const struct al_sch_pattern *pattern, bool as_json, const char *any_char, struct al_buf *gbnf);

/* Does the whole of `text` match? */
enum al_code al_sch_pattern_test(struct al_str pattern, struct al_str text, bool *matches, struct al_err *err);

/* The pattern of a string format ("date", "uuid"); nullptr when it is not known. */
const char *al_sch_format_pattern(struct al_str format);
/* Formats that say nothing about strings, or about the text of a value at all ("double"). */
bool al_sch_format_is_note(struct al_str format);

#endif
