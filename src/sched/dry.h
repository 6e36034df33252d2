/* DRY ("don't repeat yourself", p-e-w, oobabooga/text-generation-webui pull request 5677): a token that would make the
 * text repeat a run of n tokens said before loses multiplier * base^(n - allowed_length), for n >= allowed_length.
 * A run ends at a breaker: a token whose text has one of \n : " * in it, as in llama.cpp's defaults. */
#ifndef AL_SCHED_DRY_H
#define AL_SCHED_DRY_H

#include "base/err.h"
#include "sched/history.h"
#include "sched/sampling.h"
#include "sched/token_table.h"

struct al_dry {
  const uint8_t *breakers; /* borrowed, one bit a token of the vocabulary; nullptr: none */
  /* private: scratch */
  struct al_token_table longest;
  uint32_t *runs;
  size_t capacity;
};

constexpr char AL_DRY_BREAKERS[] = "\n:\"*";

void al_dry_done(struct al_dry *dry);
size_t al_dry_reach(const struct al_sampling *sampling); /* how many tokens back it looks; SIZE_MAX: all, 0: off */
enum al_code al_dry_apply(struct al_dry *dry, const struct al_sampling *sampling, const struct al_history *history,
                          float *logits, size_t n_vocab, struct al_err *err);

#endif
