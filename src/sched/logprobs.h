/* How probable a token was, and what was more probable: natural logarithms of the softmax over the whole vocabulary.
 * The few best are found by partial selection. Owner: one scheduler; not thread-safe. */
#ifndef AL_SCHED_LOGPROBS_H
#define AL_SCHED_LOGPROBS_H

#include "sched/candidates.h"
#include "sched/scheduler.h"

/* What a token without any probability gets: a number that JSON can carry, as OpenAI's API has it. */
constexpr float AL_LEAST_LOGPROB = -9999.0F;

struct al_logprobs {
  struct al_candidates list;
  struct al_token_logprob top[AL_MOST_LOGPROBS];
};

void al_logprobs_done(struct al_logprobs *scratch);
/* Fills logprob, top and n_top of `token`, whose id is set. `logits` is repaired in place. The result borrows the
 * scratch until the next call. */
enum al_code al_logprobs_fill(struct al_logprobs *scratch, float *logits, size_t n_vocab, size_t n_top,
                              struct al_generated *token, struct al_err *err);

#endif
