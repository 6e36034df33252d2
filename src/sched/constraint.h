/* What holds a generation to a form (a grammar, most often) while its tokens are chosen. The scheduler knows it by this
 * interface alone; the text manager makes one for a request that asks for it.
 *
 * Called on the scheduler's thread only, from the first generated token to the request's end. */
#ifndef AL_SCHED_CONSTRAINT_H
#define AL_SCHED_CONSTRAINT_H

#include "base/err.h"

#include <stdint.h>

struct al_constraint_ops {
  /* May this token come next? Asked about the token that the sampler chose from unmasked logits; when the answer is yes
   * no mask is made. */
  bool (*allows)(void *state, int32_t token);
  /* When it leaves no token that the request may have, the generation ends there (AL_END_STOP).
   * One bit a token (bit i % 64 of word i / 64), borrowed until `accept`; *mask nullptr: everything is allowed. */
  enum al_code (*mask)(void *state, const uint64_t **mask, struct al_err *err);
  /* The token has been chosen. */
  enum al_code (*accept)(void *state, int32_t token, struct al_err *err);
};

struct al_constraint {
  const struct al_constraint_ops *ops; /* nullptr: nothing is held */
  void *state;                         /* borrowed until `done` */
};

#endif
