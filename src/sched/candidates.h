/* The tokens that may still be chosen: a list sorted by falling logit (ties: the smaller id first), cut from the logits
 * of the whole vocabulary by partial selection, so that a vocabulary of 150,000 is never sorted without need.
 *
 * `mass` is the sum of exp(logit - items[0].logit) over everything that competes, which may be more than the list holds
 * (top-p needs only the head of the list, but the probability of the whole). Owner: one sampler; not thread-safe. */
#ifndef AL_SCHED_CANDIDATES_H
#define AL_SCHED_CANDIDATES_H

#include "base/err.h"

#include <stdint.h>

struct al_candidate {
  float logit;
  int32_t token;
};

struct al_candidates {
  struct al_candidate *items;
  size_t count;
  double mass;
  /* private */
  size_t capacity;
  struct al_candidate *spare; /* of the radix sort */
  size_t spare_capacity;
};

void al_candidates_done(struct al_candidates *list);

/* NaN becomes -INFINITY, +INFINITY the largest float. false when no token is left with a finite logit. */
bool al_logits_repair(float *logits, size_t n_vocab);
/* The first index of the largest value (0 without any), and that value (-INFINITY without any). NaN is ignored. */
size_t al_logits_argmax(const float *logits, size_t n_vocab);
float al_logits_max(const float *logits, size_t n_vocab);
/* Sum of exp((logit - max) * scale); where `weights` is not nullptr it gets the terms (may be `logits` itself). */
double al_logits_exp_sum(const float *logits, size_t n_vocab, float max, float scale, float *weights);
/* The index where the running sum of the weights exceeds target, 0 <= target < their sum; never one of weight 0. */
size_t al_weights_find(const float *weights, size_t n_vocab, double target);

/* The k largest (all with k == 0 or k >= n_vocab), sorted; tokens at -INFINITY are left out. mass covers the list. */
enum al_code al_candidates_top_k(struct al_candidates *list, const float *logits, size_t n_vocab, size_t k,
                                 struct al_err *err);
/* As few of the largest as reach probability p of the whole vocabulary, sorted, or somewhat more; mass covers the whole
 * vocabulary. */
enum al_code al_candidates_for_top_p(struct al_candidates *list, const float *logits, size_t n_vocab, double p,
                                     struct al_err *err);
/* All with logit >= least, sorted. mass covers the list. */
enum al_code al_candidates_at_least(struct al_candidates *list, const float *logits, size_t n_vocab, float least,
                                    struct al_err *err);

double al_candidate_weight(const struct al_candidates *list, size_t i); /* exp(logit - largest logit) */
void al_candidates_cut(struct al_candidates *list, size_t count);       /* keeps the head; mass covers it afterwards */

#endif
