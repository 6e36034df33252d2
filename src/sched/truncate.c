#include "sched/truncate.h"

#include <math.h>

void al_truncate_top_p(struct al_candidates *list, double p)
{
  double reached = 0;
  size_t count = 0;
  while (count < list->count && reached < p * list->mass)
    reached += al_candidate_weight(list, count++);
  al_candidates_cut(list, count > 0 ? count : 1);
}

void al_truncate_min_p(struct al_candidates *list, double p)
{
  float least = list->items[0].logit + (float)log(p);
  size_t count = 1;
  while (count < list->count && list->items[count].logit >= least)
    count++;
  al_candidates_cut(list, count);
}

static double entropy_of(const struct al_candidates *list, double log_mass)
{
  double entropy = 0;
  for (size_t i = 0; i < list->count; i++) {
    double below = (double)list->items[i].logit - (double)list->items[0].logit;
    entropy += exp(below - log_mass) * (log_mass - below);
  }
  return entropy;
}

static void keep_range(struct al_candidates *list, size_t from, size_t to)
{
  memmove(list->items, list->items + from, (to - from) * sizeof *list->items);
  al_candidates_cut(list, to - from);
}

/* Along the sorted list the surprise only grows, so what lies nearest the entropy is a range that widens to the nearer
 * side until it holds enough: no second sort. */
void al_truncate_typical(struct al_candidates *list, double p)
{
  double log_mass = log(list->mass), entropy = entropy_of(list, log_mass);
  float best = list->items[0].logit;
  size_t from = 0;
  while (from < list->count && log_mass + (double)(best - list->items[from].logit) < entropy)
    from++;
  size_t to = from; /* [from, to) is kept */
  for (double reached = 0; reached <= p && to - from < list->count;) {
    double before = from > 0 ? entropy - log_mass - (double)(best - list->items[from - 1].logit) : INFINITY;
    double after = to < list->count ? log_mass + (double)(best - list->items[to].logit) - entropy : INFINITY;
    size_t taken = before <= after ? --from : to++;
    reached += al_candidate_weight(list, taken) / list->mass;
  }
  keep_range(list, from, to);
}

void al_truncate_xtc(struct al_candidates *list, double probability, double threshold, struct al_rng *rng)
{
  if (list->count < 2 || threshold > 0.5 || al_rng_unit(rng) >= probability)
    return;
  size_t n_above = 0;
  while (n_above < list->count && al_candidate_weight(list, n_above) >= threshold * list->mass)
    n_above++;
  if (n_above < 2)
    return;
  keep_range(list, n_above - 1, list->count);
}
