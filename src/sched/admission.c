/* Who runs: first come first served while slots and cells last, but for those whose prompt somebody computes already.
 */
#include "base/clock.h"
#include "sched/dry.h"
#include "sched/scheduler_impl.h"

static void unlink_running(struct al_scheduler *s, const struct al_sequence *sequence)
{
  for (size_t i = 0; i < s->n_running; i++) {
    if (s->running[i] != sequence)
      continue;
    memmove(&s->running[i], &s->running[i + 1], (s->n_running - i - 1) * sizeof(struct al_sequence *));
    s->n_running--;
    return;
  }
}

static void leave_batch(struct al_scheduler *s, const struct al_sequence *sequence)
{
  for (size_t i = 0; i < s->n_batch; i++)
    if (s->batch[i] == sequence)
      s->batch[i] = nullptr;
}

void al_scheduler_end(struct al_scheduler *s, struct al_sequence *sequence, enum al_generation_end end,
                      const struct al_err *err)
{
  struct al_generation_result result = { .end = end };
  if (err != nullptr)
    result.err = *err;
  al_sequence_result(sequence, &result);
  if (sequence->slot >= 0) {
    bool clean = end != AL_END_FAILED || result.err.code == AL_CANCELLED || result.err.code == AL_TIMEOUT;
    al_kv_release(&s->kv, sequence, clean);
    unlink_running(s, sequence);
    s->wait_for_release = false;
  }
  leave_batch(s, sequence);
  al_adapter_set_unref(&s->sets, AL_TAKE(sequence->adapters));
  sequence->request.sink->done(sequence->request.user, &result);
  al_sequence_free(sequence);
}

static bool was_cancelled(const struct al_sequence *sequence, struct al_err *err)
{
  enum al_code reason = al_cancel_reason(sequence->request.cancel);
  if (reason != AL_OK)
    (void)al_fail(err, reason, reason == AL_TIMEOUT ? "the request took too long" : "the request was cancelled");
  return reason != AL_OK;
}

void al_scheduler_drop_cancelled(struct al_scheduler *s)
{
  struct al_err err;
  al_scheduler_drop_embeddings(s, nullptr);
  for (size_t i = s->n_running; i-- > 0;)
    if (was_cancelled(s->running[i], &err))
      al_scheduler_end(s, s->running[i], AL_END_FAILED, &err);
  struct al_sequence_list all = s->waiting;
  s->waiting = (struct al_sequence_list){};
  for (struct al_sequence *sequence; (sequence = al_sequence_list_pop(&all)) != nullptr;) {
    if (was_cancelled(sequence, &err))
      al_scheduler_end(s, sequence, AL_END_FAILED, &err);
    else
      al_sequence_list_push(&s->waiting, sequence);
  }
}

/* What it needs before it may run. */
static enum al_code equip(struct al_scheduler *s, struct al_sequence *sequence, struct al_err *err)
{
  struct al_sampler_options options = {
    .sampling = sequence->request.sampling,
    .n_vocab = (size_t)s->info.n_vocab,
  };
  if (al_dry_reach(&options.sampling) > 0) {
    AL_TRY(al_scheduler_need_dry_breakers(s, err));
    options.dry_breakers = s->dry_breakers;
  }
  const struct al_generation *request = &sequence->request;
  if (request->ignore_eos)
    AL_TRY(al_scheduler_need_end_tokens(s, err));
  if (request->logprobs > 0 || request->constraint.ops != nullptr)
    AL_TRY(al_scheduler_need_kept(s, err));
  if (sequence->adapters == nullptr)
    AL_TRY(
        al_adapter_sets_find(&s->sets, request->adapters, request->n_adapters, s->n_turns, &sequence->adapters, err));
  AL_TRY(al_sampler_new(&options, &sequence->sampler, err));
  return al_sampler_accept(sequence->sampler, sequence->tokens, sequence->n_tokens, err);
}

static void begin(struct al_scheduler *s, struct al_sequence *sequence)
{
  s->running[s->n_running++] = sequence;
  if (sequence->admitted_ns != 0)
    return;
  sequence->admitted_ns = al_now_ns();
  sequence->n_cached = sequence->n_past;
  sequence->request.sink->admitted(sequence->request.user);
}

/* The head of those who wait: true when it has left that list, for good or into `waits`, those for whom somebody else
 * computes the prompt at the moment. */
static bool admit_first(struct al_scheduler *s, struct al_sequence_list *waits)
{
  struct al_sequence *sequence = s->waiting.first;
  struct al_err err = {};
  enum al_code code = sequence->sampler == nullptr ? equip(s, sequence, &err) : AL_OK;
  bool shares = code == AL_OK && al_kv_should_wait(&s->kv, sequence);
  if (code == AL_OK && !shares && !al_kv_acquire(&s->kv, sequence))
    return false;
  sequence = al_sequence_list_pop(&s->waiting);
  if (shares)
    al_sequence_list_push(waits, sequence);
  else if (code == AL_OK)
    begin(s, sequence);
  else
    al_scheduler_end(s, sequence, AL_END_FAILED, &err);
  return true;
}

void al_scheduler_admit(struct al_scheduler *s)
{
  struct al_sequence_list waits = {};
  while (s->waiting.first != nullptr && s->n_running < (size_t)s->info.n_seq_max) {
    if (s->wait_for_release && s->n_running > 0)
      break;
    if (!admit_first(s, &waits))
      break;
  }
  al_sequence_list_append(&waits, &s->waiting);
  s->waiting = waits;
}

void al_scheduler_preempt_youngest(struct al_scheduler *s)
{
  struct al_sequence *youngest = s->running[0];
  for (size_t i = 1; i < s->n_running; i++)
    if (s->running[i]->order > youngest->order)
      youngest = s->running[i];
  al_kv_release(&s->kv, youngest, false);
  unlink_running(s, youngest);
  leave_batch(s, youngest);
  al_sequence_list_push_front(&s->waiting, youngest);
  s->wait_for_release = true;
}
