/* Where JSON values end, in text that comes in pieces. Looks at brackets and strings only: whether a value is valid is
 * seen when it is whole. */
#ifndef AL_TEXT_SYNTAX_JSON_SCAN_H
#define AL_TEXT_SYNTAX_JSON_SCAN_H

#include "base/str.h"

#include <stdint.h>

/* Walks an object, array or string from its first byte on. */
struct al_sx_scan {
  uint64_t depth;
  bool in_string;
  bool is_escaped;
};
/* Goes on over `text`; returns how many bytes belong to the value. *ended: the value's last byte was among them. */
size_t al_sx_scan_go(struct al_sx_scan *scan, struct al_str text, bool *ended);

enum al_sx_part { AL_SX_PART_CUT, AL_SX_PART_BAD, AL_SX_PART_WHOLE };
/* The JSON value at view[at]; WHOLE sets *end to behind it. Numbers and words need a byte behind them, or is_last. */
enum al_sx_part al_sx_value_end(struct al_str view, size_t at, bool is_last, size_t *end);

#endif
