/* Numbers between bounds, as grammar over their digits.
 *
 * Whole numbers: exactly the 64-bit integers between the bounds. Others are written without an exponent, with at most
 * 18 digits before the point and 15 after it, compared as decimals with the bound as it is written; next to an
 * exclusive bound only as many digits are admitted as doubles can tell apart. */
#ifndef AL_TEXT_SCHEMA_NUMBER_H
#define AL_TEXT_SCHEMA_NUMBER_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

struct al_sch_bounds {
  const struct al_json *least, *most; /* nullptr: none */
  bool above_least, below_most;       /* exclusive */
};

/* Narrows by another bound. */
void al_sch_bounds_least(struct al_sch_bounds *bounds, const struct al_json *least, bool is_exclusive);
void al_sch_bounds_most(struct al_sch_bounds *bounds, const struct al_json *most, bool is_exclusive);
bool al_sch_bounds_admit(const struct al_sch_bounds *bounds, const struct al_json *number);

/* Appends the right-hand side of a rule. *is_empty: no number lies between, and nothing was appended. AL_UNSUPPORTED,
 * without a place, for bounds that are too large or too fine. */
enum al_code al_sch_integer_emit(const struct al_sch_bounds *bounds, struct al_buf *gbnf, bool *is_empty,
                                 struct al_err *err);
enum al_code al_sch_number_emit(const struct al_sch_bounds *bounds, struct al_buf *gbnf, bool *is_empty,
                                struct al_err *err);

/* The numbers from first to last, both included, without a sign. */
void al_sch_digits_emit(uint64_t first, uint64_t last, struct al_buf *gbnf);

#endif
