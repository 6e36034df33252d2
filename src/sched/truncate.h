/* Samplers that shorten the list of candidates. Each works on a sorted list and leaves a sorted list whose mass covers
 * what is left; at least one candidate always stays. */
#ifndef AL_SCHED_TRUNCATE_H
#define AL_SCHED_TRUNCATE_H

#include "sched/candidates.h"
#include "sched/rng.h"

/* Nucleus sampling (Holtzman et al. 2019, arXiv:1904.09751): the fewest of the most probable that reach p together. */
void al_truncate_top_p(struct al_candidates *list, double p);
/* Min-p (Nguyen et al. 2024, arXiv:2407.01082): those at least p times as probable as the best. */
void al_truncate_min_p(struct al_candidates *list, double p);
/* Locally typical sampling (Meister et al. 2022, arXiv:2202.00666): those whose surprise lies nearest the entropy,
 * until they exceed p together. The list must hold all candidates. */
void al_truncate_typical(struct al_candidates *list, double p);
/* XTC, "exclude top choices" (p-e-w, oobabooga/text-generation-webui pull request 6335): with the given probability,
 * drops all but the least probable of those whose probability reaches the threshold. */
void al_truncate_xtc(struct al_candidates *list, double probability, double threshold, struct al_rng *rng);

#endif
