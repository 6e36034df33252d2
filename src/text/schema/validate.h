/* The validator's inner side: one value against one schema of a larger one. */
#ifndef AL_TEXT_SCHEMA_VALIDATE_H
#define AL_TEXT_SCHEMA_VALIDATE_H

#include "text/schema/conj.h"

/* *is_valid; when false and `err` is not nullptr, *err says where in the value and why. Failures to find out (memory,
 * limits, a schema that is none) are returned, through context->err. */
enum al_code al_sch_is_valid(struct al_sch_context *context, const struct al_sch_term *term,
                             const struct al_json *value, bool *is_valid, struct al_err *err);

#endif
