/* Penalties on what was said before.
 *
 * Repetition (Keskar et al. 2019, CTRL, section 4.1): logit / penalty when positive, logit * penalty otherwise, for
 * each token among the last n. Frequency and presence (OpenAI's API reference): logit -= count * frequency + presence.
 */
#ifndef AL_SCHED_PENALTIES_H
#define AL_SCHED_PENALTIES_H

#include "base/err.h"
#include "sched/history.h"
#include "sched/sampling.h"
#include "sched/token_table.h"

bool al_penalties_active(const struct al_sampling *sampling);
size_t al_penalties_reach(const struct al_sampling *sampling); /* how many tokens back they look; SIZE_MAX: all */
enum al_code al_penalties_apply(struct al_token_table *scratch, const struct al_sampling *sampling,
                                const struct al_history *history, float *logits, size_t n_vocab, struct al_err *err);

/* logit += bias for each entry; tokens outside the vocabulary are ignored. */
void al_logit_bias_apply(const struct al_sampling *sampling, float *logits, size_t n_vocab);

#endif
