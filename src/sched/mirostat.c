#include "sched/mirostat.h"

#include <math.h>

constexpr size_t ZIPF_SAMPLES = 100;

void al_mirostat_init(struct al_mirostat *mirostat, const struct al_sampling *sampling)
{
  mirostat->mu = 2 * (double)sampling->mirostat_tau;
}

static size_t zipf_top_k(double mu, const struct al_candidates *list, size_t n_vocab)
{
  double sum_tb = 0, sum_tt = 0;
  for (size_t i = 0; i + 1 < ZIPF_SAMPLES && i + 1 < list->count; i++) {
    double t = log((double)(i + 2) / (double)(i + 1));
    double b = (double)list->items[i].logit - (double)list->items[i + 1].logit;
    sum_tb += t * b;
    sum_tt += t * t;
  }
  double s = sum_tb / sum_tt;
  double epsilon = s - 1;
  double k = pow(epsilon * pow(2, mu) / (1 - pow((double)n_vocab, -epsilon)), 1 / s);
  if (!(k >= 1))
    return 1;
  return k < (double)list->count ? (size_t)k : list->count;
}

static size_t within(double mu, const struct al_candidates *list)
{
  size_t count = 0;
  while (count < list->count && -log2(al_candidate_weight(list, count) / list->mass) <= mu)
    count++;
  return count > 0 ? count : 1;
}

void al_mirostat_cut(const struct al_mirostat *mirostat, const struct al_sampling *sampling, struct al_candidates *list,
                     size_t n_vocab)
{
  if (list->count < 2)
    return;
  size_t count = sampling->mirostat == 1 ? zipf_top_k(mirostat->mu, list, n_vocab) : within(mirostat->mu, list);
  al_candidates_cut(list, count);
}

void al_mirostat_learn(struct al_mirostat *mirostat, const struct al_sampling *sampling,
                       const struct al_candidates *list, size_t chosen)
{
  double surprise = -log2(al_candidate_weight(list, chosen) / list->mass);
  mirostat->mu -= (double)sampling->mirostat_eta * (surprise - (double)sampling->mirostat_tau);
}
