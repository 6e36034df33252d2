/* The tokens a sampler has seen, prompt and answer alike, as far back as any penalty looks. Owner: one sampler. */
#ifndef AL_SCHED_HISTORY_H
#define AL_SCHED_HISTORY_H

#include "base/err.h"

#include <stdint.h>

struct al_history {
  int32_t *tokens;
  size_t count;
  size_t keep; /* how many of the last ones matter; SIZE_MAX: all, 0: none */
  /* private */
  size_t capacity;
};

void al_history_init(struct al_history *history, size_t keep);
void al_history_done(struct al_history *history);
enum al_code al_history_add(struct al_history *history, const int32_t *tokens, size_t n_tokens, struct al_err *err);
/* The last n tokens, or all when there are fewer; sets *count. Borrowed until the next add. */
const int32_t *al_history_last(const struct al_history *history, size_t n, size_t *count);

#endif
