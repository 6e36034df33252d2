#include "sched/logprobs.h"

#include <math.h>

void al_logprobs_done(struct al_logprobs *scratch)
{
  al_candidates_done(&scratch->list);
}

static float logprob_of(float logit, double norm)
{
  float logprob = (float)((double)logit - norm);
  return logprob > AL_LEAST_LOGPROB ? logprob : AL_LEAST_LOGPROB;
}

enum al_code al_logprobs_fill(struct al_logprobs *scratch, float *logits, size_t n_vocab, size_t n_top,
                              struct al_generated *token, struct al_err *err)
{
  if (!al_logits_repair(logits, n_vocab))
    return al_fail(err, AL_INTERNAL, "the model gave no usable value for any token");
  float max = al_logits_max(logits, n_vocab);
  double norm = (double)max + log(al_logits_exp_sum(logits, n_vocab, max, 1, nullptr));
  token->logprob = logprob_of(logits[token->token], norm);
  token->top = scratch->top;
  token->n_top = 0;
  if (n_top == 0)
    return AL_OK;
  AL_TRY(al_candidates_top_k(&scratch->list, logits, n_vocab, n_top, err));
  token->n_top = al_min_size(scratch->list.count, n_top);
  for (size_t i = 0; i < token->n_top; i++)
    scratch->top[i] = (struct al_token_logprob){
      .token = scratch->list.items[i].token,
      .logprob = logprob_of(scratch->list.items[i].logit, norm),
    };
  return AL_OK;
}
