#include "sched/sampler.h"

#include "base/alloc.h"
#include "sched/candidates.h"
#include "sched/dry.h"
#include "sched/mirostat.h"
#include "sched/penalties.h"
#include "sched/rng.h"
#include "sched/truncate.h"

#include <float.h>
#include <math.h>

struct al_sampler {
  struct al_sampling sampling;
  struct al_logit_bias *bias; /* what sampling.logit_bias points to */
  size_t n_vocab;
  struct al_rng rng;
  struct al_history history;
  struct al_token_table counts;
  struct al_dry dry;
  struct al_mirostat mirostat, mirostat_before; /* the last choice */
  struct al_candidates list;
};

struct al_sampling al_sampling_default(void)
{
  return (struct al_sampling){
    .temperature = 1,
    .top_p = 1,
    .typical_p = 1,
    .repeat_penalty = 1,
    .penalty_last_n = 64,
    .dry_base = 1.75f,
    .dry_allowed_length = 2,
    .dry_last_n = -1,
    .xtc_threshold = 0.1f,
    .mirostat_tau = 5,
    .mirostat_eta = 0.1f,
  };
}

static enum al_code copy_bias(struct al_sampler *sampler, struct al_err *err)
{
  struct al_sampling *sampling = &sampler->sampling;
  if (sampling->n_logit_bias == 0)
    return AL_OK;
  size_t n_bytes = sampling->n_logit_bias * sizeof *sampler->bias;
  sampler->bias = al_alloc(n_bytes);
  if (sampler->bias == nullptr)
    return al_fail_oom(err, n_bytes);
  memcpy(sampler->bias, sampling->logit_bias, n_bytes);
  sampling->logit_bias = sampler->bias;
  return AL_OK;
}

enum al_code al_sampler_new(const struct al_sampler_options *options, struct al_sampler **sampler, struct al_err *err)
{
  struct al_sampler *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->sampling = options->sampling;
  made->n_vocab = options->n_vocab;
  made->dry.breakers = options->dry_breakers;
  al_rng_init(&made->rng, made->sampling.has_seed ? made->sampling.seed : al_rng_fresh_seed());
  al_mirostat_init(&made->mirostat, &made->sampling);
  al_history_init(&made->history, al_max_size(al_penalties_reach(&made->sampling), al_dry_reach(&made->sampling)));
  enum al_code code = copy_bias(made, err);
  if (code != AL_OK) {
    al_sampler_free(made);
    return code;
  }
  *sampler = made;
  return AL_OK;
}

void al_sampler_free(struct al_sampler *sampler)
{
  if (sampler == nullptr)
    return;
  al_history_done(&sampler->history);
  al_token_table_done(&sampler->counts);
  al_dry_done(&sampler->dry);
  al_candidates_done(&sampler->list);
  al_free(sampler->bias);
  al_free(sampler);
}

enum al_code al_sampler_accept(struct al_sampler *sampler, const int32_t *tokens, size_t n_tokens, struct al_err *err)
{
  return al_history_add(&sampler->history, tokens, n_tokens, err);
}

/* The draw from weights in place of the logits: no list, no sort. */
static int32_t draw_from_all(struct al_sampler *sampler, float *logits)
{
  float max = al_logits_max(logits, sampler->n_vocab);
  double total = al_logits_exp_sum(logits, sampler->n_vocab, max, 1 / sampler->sampling.temperature, logits);
  return (int32_t)al_weights_find(logits, sampler->n_vocab, al_rng_unit(&sampler->rng) * total);
}

static size_t draw_from_list(struct al_sampler *sampler)
{
  struct al_candidates *list = &sampler->list;
  double target = al_rng_unit(&sampler->rng) * list->mass;
  double reached = 0;
  for (size_t i = 0; i < list->count; i++) {
    reached += al_candidate_weight(list, i);
    if (reached > target)
      return i;
  }
  return list->count - 1;
}

/* Raises the distribution to 1/temperature. */
static void heat(struct al_candidates *list, float temperature)
{
  for (size_t i = 0; i < list->count; i++)
    list->items[i].logit /= temperature;
  al_candidates_cut(list, list->count);
}

static bool has_xtc(const struct al_sampling *sampling)
{
  return sampling->xtc_probability > 0 && sampling->xtc_threshold <= 0.5f;
}

/* The shortest list that the samplers in use can start from. */
static enum al_code make_list(struct al_sampler *sampler, const float *logits, struct al_err *err)
{
  const struct al_sampling *s = &sampler->sampling;
  struct al_candidates *list = &sampler->list;
  if (s->top_k > 0)
    return al_candidates_top_k(list, logits, sampler->n_vocab, (size_t)s->top_k, err);
  if (s->typical_p >= 1 && s->top_p < 1)
    return al_candidates_for_top_p(list, logits, sampler->n_vocab, (double)s->top_p, err);
  if (s->typical_p >= 1 && s->min_p > 0) {
    float least = al_logits_max(logits, sampler->n_vocab) + logf(s->min_p);
    return al_candidates_at_least(list, logits, sampler->n_vocab, least, err);
  }
  return al_candidates_top_k(list, logits, sampler->n_vocab, 0, err);
}

static enum al_code choose_truncated(struct al_sampler *sampler, float *logits, int32_t *token, struct al_err *err)
{
  const struct al_sampling *s = &sampler->sampling;
  struct al_candidates *list = &sampler->list;
  AL_TRY(make_list(sampler, logits, err));
  if (s->typical_p < 1)
    al_truncate_typical(list, (double)s->typical_p);
  if (s->top_p < 1)
    al_truncate_top_p(list, (double)s->top_p);
  if (s->min_p > 0)
    al_truncate_min_p(list, (double)s->min_p);
  if (has_xtc(s))
    al_truncate_xtc(list, (double)s->xtc_probability, (double)s->xtc_threshold, &sampler->rng);
  heat(list, s->temperature);
  *token = list->items[draw_from_list(sampler)].token;
  return AL_OK;
}

static enum al_code choose_mirostat(struct al_sampler *sampler, float *logits, int32_t *token, struct al_err *err)
{
  struct al_candidates *list = &sampler->list;
  sampler->mirostat_before = sampler->mirostat;
  AL_TRY(al_candidates_top_k(list, logits, sampler->n_vocab, 0, err));
  heat(list, sampler->sampling.temperature);
  al_mirostat_cut(&sampler->mirostat, &sampler->sampling, list, sampler->n_vocab);
  size_t chosen = draw_from_list(sampler);
  al_mirostat_learn(&sampler->mirostat, &sampler->sampling, list, chosen);
  *token = list->items[chosen].token;
  return AL_OK;
}

void al_sampler_take_back(struct al_sampler *sampler)
{
  if (sampler->sampling.mirostat != 0 && sampler->sampling.temperature > 0)
    sampler->mirostat = sampler->mirostat_before;
}

static enum al_code adjust(struct al_sampler *sampler, float *logits, struct al_err *err)
{
  const struct al_sampling *s = &sampler->sampling;
  al_logit_bias_apply(s, logits, sampler->n_vocab);
  AL_TRY(al_penalties_apply(&sampler->counts, s, &sampler->history, logits, sampler->n_vocab, err));
  return al_dry_reach(s) > 0 ? al_dry_apply(&sampler->dry, s, &sampler->history, logits, sampler->n_vocab, err) : AL_OK;
}

static enum al_code fail_unusable(struct al_err *err)
{
  return al_fail(err, AL_INTERNAL, "the model gave no usable value for any token");
}

/* NaN loses every comparison, so one look at the logits is enough. */
static enum al_code choose_greedy(const struct al_sampler *sampler, const float *logits, int32_t *token,
                                  struct al_err *err)
{
  size_t best = al_logits_argmax(logits, sampler->n_vocab);
  if (!(logits[best] >= -FLT_MAX))
    return fail_unusable(err);
  *token = (int32_t)best;
  return AL_OK;
}

enum al_code al_sampler_choose(struct al_sampler *sampler, float *logits, int32_t *token, struct al_err *err)
{
  const struct al_sampling *s = &sampler->sampling;
  AL_TRY(adjust(sampler, logits, err));
  if (!(s->temperature > 0))
    return choose_greedy(sampler, logits, token, err);
  if (!al_logits_repair(logits, sampler->n_vocab))
    return fail_unusable(err);
  if (s->mirostat != 0)
    return choose_mirostat(sampler, logits, token, err);
  if (s->top_k <= 0 && s->top_p >= 1 && s->min_p <= 0 && s->typical_p >= 1 && !has_xtc(s)) {
    *token = draw_from_all(sampler, logits);
    return AL_OK;
  }
  return choose_truncated(sampler, logits, token, err);
}
