/* One step: the batch that plan.c made is decoded, and each of its sequences goes on (token.c). */
#include "base/clock.h"
#include "base/log.h"
#include "sched/scheduler_impl.h"

/* --- the decode and its failures -------------------------------------------------------------------------------- */

static enum al_code decode(struct al_scheduler *s, size_t n_items, struct al_err *err)
{
  const struct al_scheduler_options *o = &s->options;
  al_gate_enter(&o->gate);
  enum al_code code = o->ops->decode(o->model, s->items, n_items, s->stop, err);
  al_gate_leave(&o->gate);
  return code;
}

enum al_code al_scheduler_use(struct al_scheduler *s, struct al_adapter_set *set, struct al_err *err)
{
  const struct al_scheduler_options *o = &s->options;
  if (s->active == set)
    return AL_OK;
  al_adapter_set_unref(&s->sets, AL_TAKE(s->active));
  if (o->ops->adapter_use != nullptr) {
    al_gate_enter(&o->gate);
    enum al_code code = o->ops->adapter_use(o->model, set->uses, set->n_uses, err);
    al_gate_leave(&o->gate);
    AL_TRY(code);
  }
  s->active = al_adapter_set_ref(set);
  return AL_OK;
}

static void advance_batch(struct al_scheduler *s)
{
  for (size_t i = 0; i < s->n_batch; i++)
    if (s->batch[i] != nullptr)
      al_scheduler_advance(s, s->batch[i]);
}

/* A decode changes nothing when it fails, so each sequence can try alone: only those that fail alone are to blame. */
static void isolate(struct al_scheduler *s, const struct al_err *whole)
{
  al_log_err(AL_LOG_WARN, "decode_failed", whole);
  size_t n_batch = s->n_batch;
  for (size_t i = 0; i < n_batch; i++) {
    struct al_sequence *sequence = s->batch[i];
    struct al_err err = *whole;
    enum al_code code = n_batch > 1 ? decode(s, al_scheduler_add_items(s, sequence, 0), &err) : whole->code;
    if (code == AL_OK)
      al_scheduler_advance(s, sequence);
    else if (!al_cancelled(s->stop)) /* al_scheduler_end clears what a lost sequence left */
      al_scheduler_end(s, sequence, AL_END_FAILED, &err);
  }
}

/* The KV cache is full. true: there is room now, plan again. */
static bool find_room(struct al_scheduler *s, const struct al_err *err)
{
  if (al_kv_evict(&s->kv))
    return true;
  if (s->n_running > 1) {
    al_scheduler_preempt_youngest(s);
    return true;
  }
  bool spoke = s->running[0]->n_generated > 0;
  al_scheduler_end(s, s->running[0], spoke ? AL_END_LENGTH : AL_END_FAILED, spoke ? nullptr : err);
  return false;
}

/* The engine failed and could not put the batch's sequences back as they were (recurrent state): they begin again,
 * a few times. A crowd is thinned out first, for it may have been what was too much. */
static void restart_batch(struct al_scheduler *s, const struct al_err *err)
{
  constexpr int MOST_RESTARTS = 3;
  al_log_err(AL_LOG_WARN, "sequences_lost", err);
  if (s->n_running > 1)
    al_scheduler_preempt_youngest(s);
  for (size_t i = 0; i < s->n_batch; i++) {
    struct al_sequence *sequence = s->batch[i];
    if (sequence == nullptr)
      continue;
    if (sequence->n_restarts++ < MOST_RESTARTS)
      al_kv_restart(&s->kv, sequence);
    else
      al_scheduler_end(s, sequence, AL_END_FAILED, err);
  }
}

/* Their adapters cannot be used: others may run. */
static void end_batch(struct al_scheduler *s, const struct al_err *err)
{
  for (size_t i = 0; i < s->n_batch; i++)
    al_scheduler_end(s, s->batch[i], AL_END_FAILED, err);
}

/* Plans and decodes until there is room. false: nobody is left, or the batch has been ended. */
static bool run_batch(struct al_scheduler *s, struct al_plan *plan, enum al_code *code, struct al_err *err)
{
  for (;;) {
    *plan = al_scheduler_plan(s);
    if (al_scheduler_use(s, s->batch[0]->adapters, err) != AL_OK) {
      end_batch(s, err);
      return false;
    }
    plan->started_ns = al_now_ns();
    *code = decode(s, plan->n_items, err);
    if (*code != AL_OOM_RAM || !al_streq(err->reason, "kv_full"))
      return true;
    if (!find_room(s, err))
      return false;
  }
}

void al_scheduler_step(struct al_scheduler *s)
{
  struct al_err err = {};
  struct al_plan plan;
  enum al_code code;
  if (!run_batch(s, &plan, &code, &err))
    return;
  if (code == AL_OK) {
    if (plan.n_streams > 0)
      al_chunk_learn(&s->chunk, plan.n_prompt, al_now_ns() - plan.started_ns);
    advance_batch(s);
  } else if (al_cancelled(s->stop)) {
    return;
  } else if (al_streq(err.reason, "sequence_lost")) {
    restart_batch(s, &err);
  } else {
    isolate(s, &err);
  }
}
