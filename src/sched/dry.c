/* The longest run that ends at each earlier position and equals the end of the text is the Z function of the text read
 * backwards: linear time, so a long history is no way to stall the scheduler. */
#include "sched/dry.h"

#include "base/alloc.h"

#include <math.h>

void al_dry_done(struct al_dry *dry)
{
  al_free(dry->runs);
  al_token_table_done(&dry->longest);
  *dry = (struct al_dry){};
}

size_t al_dry_reach(const struct al_sampling *sampling)
{
  if (!(sampling->dry_multiplier > 0) || !(sampling->dry_base >= 1) || sampling->dry_last_n == 0)
    return 0;
  return sampling->dry_last_n < 0 ? SIZE_MAX : (size_t)sampling->dry_last_n;
}

static bool is_breaker(const struct al_dry *dry, int32_t token)
{
  return dry->breakers != nullptr && token >= 0 && ((dry->breakers[token / 8] >> (token % 8)) & 1) != 0;
}

/* How many tokens stand after the last breaker. */
static size_t run_limit(const struct al_dry *dry, const int32_t *tokens, size_t n)
{
  size_t limit = 0;
  while (limit < n && !is_breaker(dry, tokens[n - 1 - limit]))
    limit++;
  return limit;
}

/* runs[k]: length of the common prefix of the reversed text and the reversed text from k on. */
static void z_function(const int32_t *tokens, size_t n, uint32_t *runs)
{
  const int32_t *last = tokens + n - 1;
  runs[0] = 0;
  for (size_t k = 1, left = 0, right = 0; k < n; k++) {
    size_t run = k < right ? al_min_size(runs[k - left], right - k) : 0;
    while (k + run < n && last[-(ptrdiff_t)run] == last[-(ptrdiff_t)(k + run)])
      run++;
    runs[k] = (uint32_t)run;
    if (k + run > right) {
      left = k;
      right = k + run;
    }
  }
}

static float penalty(const struct al_sampling *sampling, size_t run)
{
  double exponent = (double)run - (double)sampling->dry_allowed_length;
  double most = sampling->dry_base > 1.000001f ? 88.7228391 / log((double)sampling->dry_base) : exponent;
  return (float)((double)sampling->dry_multiplier * pow((double)sampling->dry_base, fmin(exponent, most)));
}

/* For each token that followed an earlier run: the longest such run. */
static void gather(struct al_dry *dry, const int32_t *tokens, size_t n, size_t least, size_t limit)
{
  for (size_t k = 1; k < n; k++) {
    uint32_t run = (uint32_t)al_min_size(dry->runs[k], limit);
    if (run < least || is_breaker(dry, tokens[n - k]))
      continue;
    uint32_t *longest = al_token_table_at(&dry->longest, tokens[n - k]);
    *longest = run > *longest ? run : *longest;
  }
}

static void penalise(const struct al_token_table *longest, const struct al_sampling *sampling, float *logits,
                     size_t n_vocab)
{
  for (size_t i = 0; i < longest->n_slots; i++) {
    const struct al_token_slot *slot = &longest->slots[i];
    if (slot->value > 0 && slot->token >= 0 && (size_t)slot->token < n_vocab)
      logits[slot->token] -= penalty(sampling, slot->value);
  }
}

enum al_code al_dry_apply(struct al_dry *dry, const struct al_sampling *sampling, const struct al_history *history,
                          float *logits, size_t n_vocab, struct al_err *err)
{
  size_t n;
  const int32_t *tokens = al_history_last(history, al_dry_reach(sampling), &n);
  size_t least = sampling->dry_allowed_length > 0 ? (size_t)sampling->dry_allowed_length : 1;
  size_t limit = n > 1 ? run_limit(dry, tokens, n) : 0;
  if (limit < least)
    return AL_OK;
  void *runs = dry->runs;
  enum al_code code = al_grow(&runs, &dry->capacity, n, sizeof *dry->runs, err);
  dry->runs = runs;
  AL_TRY(code);
  z_function(tokens, n, dry->runs);
  AL_TRY(al_token_table_reset(&dry->longest, n, err));
  gather(dry, tokens, n, least, limit);
  penalise(&dry->longest, sampling, logits, n_vocab);
  return AL_OK;
}
