/* From logits to the sink: a sequence whose items were decoded reports its prompt where that is wanted, and gets its
 * next token when its last item was among them. */
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/scheduler_impl.h"

#include <math.h>

static float *logits_of(struct al_scheduler *s, size_t item)
{
  return s->options.ops->logits(s->options.model, item);
}

/* --- the prompt ------------------------------------------------------------------------------------------------- */

static size_t n_top(const struct al_generation *request)
{
  return request->logprobs > 0 ? (size_t)request->logprobs - 1 : 0;
}

static enum al_code tell(struct al_scheduler *s, struct al_sequence *sequence, float *logits, struct al_err *err)
{
  const struct al_generation *request = &sequence->request;
  struct al_generated token = { .token = sequence->tokens[sequence->n_told], .logprob = NAN };
  if (logits != nullptr)
    AL_TRY(al_logprobs_fill(&s->logprobs, logits, (size_t)s->info.n_vocab, n_top(request), &token, err));
  al_scheduler_piece(s, &token);
  sequence->n_told++;
  request->sink->prompt(request->user, &token);
  return AL_OK;
}

/* The logits of an item are about the token after it. */
static enum al_code tell_prompt(struct al_scheduler *s, struct al_sequence *sequence, struct al_err *err)
{
  if (!al_sequence_tells_prompt(sequence))
    return AL_OK;
  if (sequence->n_told == 0)
    AL_TRY(tell(s, sequence, nullptr, err));
  for (size_t i = 0; i < sequence->batch_count; i++) {
    size_t next = sequence->n_past + i + 1;
    if (next == sequence->n_told && next < sequence->request.n_prompt)
      AL_TRY(tell(s, sequence, logits_of(s, sequence->batch_first + i), err));
  }
  return AL_OK;
}

/* --- the choice ------------------------------------------------------------------------------------------------- */

constexpr int32_t NO_TOKEN = -1; /* the constraint has left none */

enum al_code al_scheduler_need_kept(struct al_scheduler *s, struct al_err *err)
{
  size_t n_bytes = (size_t)s->info.n_vocab * sizeof *s->kept;
  if (s->kept == nullptr && (s->kept = al_alloc(n_bytes)) == nullptr)
    return al_fail_oom(err, n_bytes);
  return AL_OK;
}

/* The sampler works in place; who needs the model's own logits afterwards gets a copy kept. */
static bool keeps(const struct al_generation *request)
{
  return request->logprobs > 0 || request->constraint.ops != nullptr;
}

static void forbid_end(const struct al_scheduler *s, float *logits)
{
  for (size_t i = 0; i < s->n_end_tokens; i++)
    logits[s->end_tokens[i]] = -INFINITY;
}

static void forbid_outside(const uint64_t *mask, float *logits, size_t n_vocab)
{
  for (size_t i = 0; i < n_vocab; i++)
    if ((mask[i / 64] >> (i % 64) & 1) == 0)
      logits[i] = -INFINITY;
}

/* The sampler's first choice may not come: it chooses again among those that may. The second draw is fresh, which gives
 * each allowed token the probability that it has among them. */
static enum al_code choose_again(struct al_scheduler *s, struct al_sequence *sequence, float *logits, int32_t *token,
                                 struct al_err *err)
{
  const struct al_constraint *constraint = &sequence->request.constraint;
  size_t n_vocab = (size_t)s->info.n_vocab;
  const uint64_t *mask = nullptr;
  AL_TRY(constraint->ops->mask(constraint->state, &mask, err));
  memcpy(logits, s->kept, n_vocab * sizeof *logits);
  if (sequence->request.ignore_eos)
    forbid_end(s, logits);
  if (mask != nullptr)
    forbid_outside(mask, logits, n_vocab);
  *token = NO_TOKEN;
  if (isinf(al_logits_max(logits, n_vocab)))
    return AL_OK;
  al_sampler_take_back(sequence->sampler);
  return al_sampler_choose(sequence->sampler, logits, token, err);
}

static enum al_code choose(struct al_scheduler *s, struct al_sequence *sequence, int32_t *token, struct al_err *err)
{
  const struct al_generation *request = &sequence->request;
  const struct al_constraint *constraint = &request->constraint;
  float *logits = logits_of(s, sequence->batch_first + sequence->batch_count - 1);
  if (keeps(request))
    memcpy(s->kept, logits, (size_t)s->info.n_vocab * sizeof *logits);
  if (request->ignore_eos)
    forbid_end(s, logits);
  AL_TRY(al_sampler_choose(sequence->sampler, logits, token, err));
  if (constraint->ops != nullptr && !constraint->ops->allows(constraint->state, *token))
    AL_TRY(choose_again(s, sequence, logits, token, err));
  if (*token == NO_TOKEN)
    return AL_OK;
  if (constraint->ops != nullptr)
    AL_TRY(constraint->ops->accept(constraint->state, *token, err));
  AL_TRY(al_sampler_accept(sequence->sampler, token, 1, err));
  return al_sequence_append(sequence, *token, err);
}

/* --- the sink --------------------------------------------------------------------------------------------------- */

static bool ends_here(struct al_scheduler *s, const struct al_generation *request, int32_t token)
{
  return s->options.ops->ends_generation(s->options.model, token) && !request->ignore_eos;
}

/* false: the sequence has ended. */
static bool deliver(struct al_scheduler *s, struct al_sequence *sequence, struct al_generated *token)
{
  const struct al_generation *request = &sequence->request;
  al_scheduler_piece(s, token);
  if (ends_here(s, request, token->token)) {
    if (request->sink->end_token != nullptr)
      request->sink->end_token(request->user, token);
    al_scheduler_end(s, sequence, AL_END_STOP, nullptr);
    return false;
  }
  if (request->sink->token(request->user, token))
    return true;
  al_scheduler_end(s, sequence, AL_END_STOP, nullptr);
  return false;
}

static bool is_full(const struct al_scheduler *s, const struct al_sequence *sequence)
{
  int64_t most = sequence->request.max_tokens;
  return (most > 0 && sequence->n_generated >= most) || sequence->n_tokens > (size_t)s->info.n_ctx;
}

static enum al_code next_token(struct al_scheduler *s, struct al_sequence *sequence, struct al_err *err)
{
  const struct al_generation *request = &sequence->request;
  struct al_generated token = {};
  AL_TRY(choose(s, sequence, &token.token, err));
  if (token.token == NO_TOKEN) {
    al_scheduler_end(s, sequence, AL_END_STOP, nullptr);
    return AL_OK;
  }
  if (request->logprobs > 0)
    AL_TRY(al_logprobs_fill(&s->logprobs, s->kept, (size_t)s->info.n_vocab, n_top(request), &token, err));
  sequence->n_generated++;
  if (sequence->first_token_ns == 0)
    sequence->first_token_ns = al_now_ns();
  if (deliver(s, sequence, &token) && is_full(s, sequence))
    al_scheduler_end(s, sequence, AL_END_LENGTH, nullptr);
  return AL_OK;
}

void al_scheduler_advance(struct al_scheduler *s, struct al_sequence *sequence)
{
  struct al_err err = {};
  enum al_code code = tell_prompt(s, sequence, &err);
  sequence->n_past += sequence->batch_count;
  if (code == AL_OK && sequence->n_past < sequence->n_tokens)
    return;
  if (code == AL_OK && sequence->request.max_tokens < 0) {
    al_scheduler_end(s, sequence, AL_END_LENGTH, nullptr);
    return;
  }
  if (code == AL_OK)
    code = next_token(s, sequence, &err);
  if (code != AL_OK)
    al_scheduler_end(s, sequence, AL_END_FAILED, &err);
}
