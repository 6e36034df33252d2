/* Mirostat (Basu et al. 2020, arXiv:2007.14966): keeps the surprise of the text near tau bits by moving a bound mu
 * after every token. Version 1 turns mu into a top-k through an estimate of the Zipf exponent (algorithm 1 of the
 * paper, with m = 100); version 2 drops whatever surprises by more than mu. */
#ifndef AL_SCHED_MIROSTAT_H
#define AL_SCHED_MIROSTAT_H

#include "sched/candidates.h"
#include "sched/sampling.h"

struct al_mirostat {
  double mu;
};

void al_mirostat_init(struct al_mirostat *mirostat, const struct al_sampling *sampling);
/* Shortens the list (sorted, complete). */
void al_mirostat_cut(const struct al_mirostat *mirostat, const struct al_sampling *sampling, struct al_candidates *list,
                     size_t n_vocab);
/* The one at `chosen` of the shortened list was drawn. */
void al_mirostat_learn(struct al_mirostat *mirostat, const struct al_sampling *sampling,
                       const struct al_candidates *list, size_t chosen);

#endif
