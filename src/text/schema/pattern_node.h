/* A parsed pattern, for its parser and its users. */
#ifndef AL_TEXT_SCHEMA_PATTERN_NODE_H
#define AL_TEXT_SCHEMA_PATTERN_NODE_H

#include "text/schema/pattern.h"
#include "text/schema/ranges.h"

enum al_sch_pattern_kind {
  AL_SCH_SET,
  AL_SCH_SEQ,
  AL_SCH_ALT,
  AL_SCH_LOOP,
  AL_SCH_ANYTHING, /* any text: where there is no anchor */
};

struct al_sch_pattern_node {
  enum al_sch_pattern_kind kind;
  struct al_sch_pattern_node *child, *sibling;
  struct al_sch_ranges set;
  uint32_t least, most; /* of a loop; UINT32_MAX: no end */
};

struct al_sch_pattern {
  const struct al_sch_pattern_node *root;
};

#endif
