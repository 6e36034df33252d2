#include "sched/truncate.h"

#include "base/alloc.h"

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

/* Distance of a candidate's surprise from the entropy, with its place in the list. */
struct distance {
  double value;
  size_t at;
};

static int by_distance(const void *a, const void *b)
{
  const struct distance *left = a, *right = b;
  if (left->value < right->value)
    return -1;
  if (left->value > right->value)
    return 1;
  return left->at < right->at ? -1 : left->at > right->at;
}

static void measure(const struct al_candidates *list, struct distance *distances)
{
  double entropy = 0;
  for (size_t i = 0; i < list->count; i++) {
    double p = al_candidate_weight(list, i) / list->mass;
    distances[i] = (struct distance){ .value = p > 0 ? -log(p) : INFINITY, .at = i };
    entropy += p > 0 ? p * distances[i].value : 0;
  }
  for (size_t i = 0; i < list->count; i++)
    distances[i].value = fabs(distances[i].value - entropy);
}

static int by_place(const void *a, const void *b)
{
  const struct distance *left = a, *right = b;
  return left->at < right->at ? -1 : left->at > right->at;
}

enum al_code al_truncate_typical(struct al_candidates *list, double p, struct al_err *err)
{
  AL_CLEANUP(al_free_p) struct distance *distances = al_calloc(list->count, sizeof *distances);
  if (distances == nullptr)
    return al_fail_oom(err, list->count * sizeof *distances);
  measure(list, distances);
  qsort(distances, list->count, sizeof *distances, by_distance);
  size_t count = 0;
  for (double reached = 0; count < list->count && reached <= p;)
    reached += al_candidate_weight(list, distances[count++].at) / list->mass;
  qsort(distances, count, sizeof *distances, by_place);
  for (size_t i = 0; i < count; i++)
    list->items[i] = list->items[distances[i].at];
  al_candidates_cut(list, count);
  return AL_OK;
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
  size_t dropped = n_above - 1;
  memmove(list->items, list->items + dropped, (list->count - dropped) * sizeof *list->items);
  al_candidates_cut(list, list->count - dropped);
}
