#include "sched/penalties.h"

bool al_penalties_active(const struct al_sampling *s)
{
  bool neutral = s->repeat_penalty >= 1 && s->repeat_penalty <= 1 && s->presence_penalty >= 0 &&
                 s->presence_penalty <= 0 && s->frequency_penalty >= 0 && s->frequency_penalty <= 0;
  return !neutral && s->penalty_last_n != 0;
}

size_t al_penalties_reach(const struct al_sampling *sampling)
{
  if (!al_penalties_active(sampling))
    return 0;
  return sampling->penalty_last_n < 0 ? SIZE_MAX : (size_t)sampling->penalty_last_n;
}

static float penalised(const struct al_sampling *sampling, float logit, uint32_t times)
{
  logit = logit <= 0 ? logit * sampling->repeat_penalty : logit / sampling->repeat_penalty;
  return logit - ((float)times * sampling->frequency_penalty + sampling->presence_penalty);
}

enum al_code al_penalties_apply(struct al_token_table *scratch, const struct al_sampling *sampling,
                                const struct al_history *history, float *logits, size_t n_vocab, struct al_err *err)
{
  if (!al_penalties_active(sampling))
    return AL_OK;
  size_t n_tokens;
  const int32_t *tokens = al_history_last(history, al_penalties_reach(sampling), &n_tokens);
  AL_TRY(al_token_table_reset(scratch, n_tokens, err));
  for (size_t i = 0; i < n_tokens; i++)
    ++*al_token_table_at(scratch, tokens[i]);
  for (size_t i = 0; i < scratch->n_slots; i++) {
    const struct al_token_slot *slot = &scratch->slots[i];
    if (slot->value > 0 && slot->token >= 0 && (size_t)slot->token < n_vocab)
      logits[slot->token] = penalised(sampling, logits[slot->token], slot->value);
  }
  return AL_OK;
}

void al_logit_bias_apply(const struct al_sampling *sampling, float *logits, size_t n_vocab)
{
  for (size_t i = 0; i < sampling->n_logit_bias; i++) {
    int32_t token = sampling->logit_bias[i].token;
    if (token >= 0 && (size_t)token < n_vocab)
      logits[token] += sampling->logit_bias[i].bias;
  }
}
