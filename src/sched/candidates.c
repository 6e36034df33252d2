#include "sched/candidates.h"

#include "base/alloc.h"

#include <float.h>
#include <math.h>

enum { LANES = 16 };               /* independent accumulators, so that the compiler makes vectors of them */
constexpr size_t HEAP_MOST = 1024; /* selections beyond this sort everything */
constexpr size_t BLOCK = 1024;     /* summed in float, the blocks in double */

void al_candidates_done(struct al_candidates *list)
{
  al_free(list->items);
  al_free(list->spare);
  *list = (struct al_candidates){};
}

bool al_logits_repair(float *logits, size_t n_vocab)
{
  int n_finite = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    float x = logits[i];
    x = x > -FLT_MAX ? x : -INFINITY; /* NaN compares false */
    x = x > FLT_MAX ? FLT_MAX : x;
    n_finite |= x >= -FLT_MAX;
    logits[i] = x;
  }
  return n_finite != 0;
}

float al_logits_max(const float *logits, size_t n_vocab)
{
  float best[LANES];
  for (int j = 0; j < LANES; j++)
    best[j] = -INFINITY;
  size_t i = 0;
  for (; i + LANES <= n_vocab; i += LANES)
    for (int j = 0; j < LANES; j++)
      best[j] = logits[i + (size_t)j] > best[j] ? logits[i + (size_t)j] : best[j];
  for (; i < n_vocab; i++)
    best[0] = logits[i] > best[0] ? logits[i] : best[0];
  for (int j = 1; j < LANES; j++)
    best[0] = best[j] > best[0] ? best[j] : best[0];
  return best[0];
}

size_t al_logits_argmax(const float *logits, size_t n_vocab)
{
  float max = al_logits_max(logits, n_vocab);
  for (size_t i = 0; i < n_vocab; i++)
    if (logits[i] >= max)
      return i;
  return 0;
}

/* exp for x <= 0 by range reduction to [-ln2/2, ln2/2] and a polynomial of degree 6 (the Taylor terms, whose error
 * there is below 2e-7); made of plain arithmetic so that it becomes vector code. */
static inline float exp_negative(float x)
{
  x = x < -87.0f ? -87.0f : x;
  float n = x * 1.44269504f;
  float rounded = (n - 0.5f);
  int32_t whole = (int32_t)rounded; /* towards zero, which is nearest for negatives after the shift */
  float r = x - (float)whole * 0.693359375f;
  r += (float)whole * 2.12194440e-4f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  union {
    uint32_t bits;
    float value;
  } power = { .bits = (uint32_t)(whole + 127) << 23 };
  return p * power.value;
}

static double sum_of(const float *values, size_t n)
{
  float lanes[LANES] = {};
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int j = 0; j < LANES; j++)
      lanes[j] += values[i + (size_t)j];
  for (; i < n; i++)
    lanes[0] += values[i];
  double total = 0;
  for (int j = 0; j < LANES; j++)
    total += (double)lanes[j];
  return total;
}

double al_logits_exp_sum(const float *logits, size_t n_vocab, float max, float scale, float *weights)
{
  float block[BLOCK];
  double total = 0;
  for (size_t at = 0; at < n_vocab; at += BLOCK) {
    size_t n = al_min_size(BLOCK, n_vocab - at);
    for (size_t i = 0; i < n; i++) {
      float x = (logits[at + i] - max) * scale;
      float weight = exp_negative(x);
      block[i] = x < -87.0f ? 0.0f : weight;
    }
    total += sum_of(block, n);
    if (weights != nullptr)
      memcpy(weights + at, block, n * sizeof *block);
  }
  return total;
}

size_t al_weights_find(const float *weights, size_t n_vocab, double target)
{
  size_t at = 0, last = 0;
  for (double block; at < n_vocab; at += BLOCK, target -= block) {
    block = sum_of(weights + at, al_min_size(BLOCK, n_vocab - at));
    if (block > target)
      break;
  }
  for (size_t i = at < n_vocab ? at : 0; i < n_vocab; i++) {
    if (!(weights[i] > 0))
      continue;
    last = i;
    target -= (double)weights[i];
    if (target < 0)
      break;
  }
  return last;
}

double al_candidate_weight(const struct al_candidates *list, size_t i)
{
  return exp((double)list->items[i].logit - (double)list->items[0].logit);
}

void al_candidates_cut(struct al_candidates *list, size_t count)
{
  constexpr size_t FEW = 256; /* summed exactly; the many by the fast exponential */
  list->count = count;
  list->mass = 0;
  for (size_t i = 0; i < al_min_size(count, FEW); i++)
    list->mass += al_candidate_weight(list, i);
  float block[BLOCK], best = list->items[0].logit;
  for (size_t at = FEW; at < count; at += BLOCK) {
    size_t n = al_min_size(BLOCK, count - at);
    for (size_t i = 0; i < n; i++)
      block[i] = exp_negative(list->items[at + i].logit - best);
    list->mass += sum_of(block, n);
  }
}

static enum al_code reserve(struct al_candidates *list, size_t count, struct al_err *err)
{
  void *items = list->items;
  enum al_code code = al_grow(&items, &list->capacity, count, sizeof *list->items, err);
  list->items = items;
  return code;
}

/* --- the k largest through a heap whose root is the worst kept ---------------------------------------------------- */

static bool worse(struct al_candidate a, struct al_candidate b)
{
  return a.logit < b.logit || (a.logit <= b.logit && a.token > b.token);
}

static void sift_down(struct al_candidate *heap, size_t count, size_t at)
{
  struct al_candidate moving = heap[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && worse(heap[child + 1], heap[child]))
      child++;
    if (!worse(heap[child], moving))
      break;
    heap[at] = heap[child];
  }
  heap[at] = moving;
}

/* Takes the worst out again and again: best first afterwards. */
static void heap_to_sorted(struct al_candidate *heap, size_t count)
{
  while (count > 1) {
    struct al_candidate worst = heap[0];
    heap[0] = heap[--count];
    sift_down(heap, count, 0);
    heap[count] = worst;
  }
}

static void select_largest(struct al_candidates *list, const float *logits, size_t n_vocab, size_t k)
{
  struct al_candidate *heap = list->items;
  for (size_t i = 0; i < k; i++)
    heap[i] = (struct al_candidate){ logits[i], (int32_t)i };
  for (size_t i = k / 2; i-- > 0;)
    sift_down(heap, k, i);
  for (size_t i = k; i < n_vocab; i++) {
    if (logits[i] <= heap[0].logit) /* equal and later loses */
      continue;
    heap[0] = (struct al_candidate){ logits[i], (int32_t)i };
    sift_down(heap, k, 0);
  }
  heap_to_sorted(heap, k);
  while (k > 1 && isinf(heap[k - 1].logit))
    k--;
  list->count = k;
}

/* --- everything, by a stable radix sort of 3 x 11 bits ------------------------------------------------------------ */

/* Order-preserving map of floats to integers, turned over: the largest logit gets the smallest key. */
static uint32_t falling_key(float logit)
{
  union {
    float value;
    uint32_t bits;
  } x = { .value = logit };
  uint32_t rising = x.bits ^ ((x.bits >> 31) != 0 ? UINT32_MAX : UINT32_C(0x80000000));
  return ~rising;
}

static void radix_pass(const struct al_candidate *from, struct al_candidate *to, size_t count, int shift)
{
  size_t starts[2048] = {};
  for (size_t i = 0; i < count; i++)
    starts[(falling_key(from[i].logit) >> shift) & 2047]++;
  for (size_t digit = 0, at = 0; digit < 2048; digit++) {
    size_t n = starts[digit];
    starts[digit] = at;
    at += n;
  }
  for (size_t i = 0; i < count; i++)
    to[starts[(falling_key(from[i].logit) >> shift) & 2047]++] = from[i];
}

static enum al_code sort_all(struct al_candidates *list, struct al_err *err)
{
  void *spare = list->spare;
  enum al_code code = al_grow(&spare, &list->spare_capacity, list->capacity, sizeof *list->spare, err);
  list->spare = spare;
  AL_TRY(code);
  radix_pass(list->items, list->spare, list->count, 0);
  radix_pass(list->spare, list->items, list->count, 11);
  radix_pass(list->items, list->spare, list->count, 22);
  struct al_candidate *sorted = list->spare;
  size_t sorted_capacity = list->spare_capacity;
  list->spare = list->items;
  list->spare_capacity = list->capacity;
  list->items = sorted;
  list->capacity = sorted_capacity;
  return AL_OK;
}

enum al_code al_candidates_at_least(struct al_candidates *list, const float *logits, size_t n_vocab, float least,
                                    struct al_err *err)
{
  AL_TRY(reserve(list, n_vocab, err));
  size_t count = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    list->items[count] = (struct al_candidate){ logits[i], (int32_t)i };
    count += logits[i] >= least && logits[i] >= -FLT_MAX;
  }
  list->count = count;
  AL_TRY(sort_all(list, err));
  al_candidates_cut(list, count);
  return AL_OK;
}

enum al_code al_candidates_top_k(struct al_candidates *list, const float *logits, size_t n_vocab, size_t k,
                                 struct al_err *err)
{
  if (k == 0 || k > HEAP_MOST || k >= n_vocab) {
    AL_TRY(al_candidates_at_least(list, logits, n_vocab, -FLT_MAX, err));
    if (k > 0 && k < list->count)
      al_candidates_cut(list, k);
    return AL_OK;
  }
  AL_TRY(reserve(list, k, err));
  select_largest(list, logits, n_vocab, k);
  al_candidates_cut(list, list->count);
  return AL_OK;
}

enum al_code al_candidates_for_top_p(struct al_candidates *list, const float *logits, size_t n_vocab, double p,
                                     struct al_err *err)
{
  double whole = al_logits_exp_sum(logits, n_vocab, al_logits_max(logits, n_vocab), 1, nullptr);
  for (size_t k = 64; k <= HEAP_MOST; k *= 4) {
    AL_TRY(al_candidates_top_k(list, logits, n_vocab, k, err));
    if (list->mass >= p * whole || k >= n_vocab)
      break;
  }
  if (list->mass < p * whole)
    AL_TRY(al_candidates_top_k(list, logits, n_vocab, 0, err));
  list->mass = whole > list->mass ? whole : list->mass;
  return AL_OK;
}
