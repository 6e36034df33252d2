/* The scheduler's life, its thread and its queue. The thread: take what arrived, drop what was cancelled, admit, run
 * one step, again; it sleeps only when nobody runs or waits. */
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/scheduler_impl.h"

static void note_waiting(struct al_scheduler *s)
{
  AL_LOCKED(&s->mutex);
  s->n_waiting = s->incoming.count + s->waiting.count;
}

/* Sleeps while there is nothing to do. false: time to end. */
static bool take_arrived(struct al_scheduler *s)
{
  AL_LOCKED(&s->mutex);
  while (!s->stopping && s->incoming.count == 0 && s->waiting.count == 0 && s->n_running == 0)
    (void)al_cond_wait(&s->arrived, &s->mutex, AL_NO_DEADLINE);
  for (struct al_sequence *sequence = s->incoming.first; sequence != nullptr; sequence = sequence->next)
    sequence->order = ++s->n_arrived;
  al_sequence_list_append(&s->waiting, &s->incoming);
  return !s->stopping;
}

static void end_all(struct al_scheduler *s)
{
  struct al_err err;
  (void)al_fail_reason(&err, al_fail(&err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  while (s->n_running > 0)
    al_scheduler_end(s, s->running[0], AL_END_FAILED, &err);
  for (struct al_sequence *sequence; (sequence = al_sequence_list_pop(&s->waiting)) != nullptr;)
    al_scheduler_end(s, sequence, AL_END_FAILED, &err);
}

static void run(void *argument)
{
  struct al_scheduler *s = argument;
  while (take_arrived(s)) {
    al_scheduler_drop_cancelled(s);
    al_scheduler_admit(s);
    note_waiting(s);
    if (s->n_running > 0)
      al_scheduler_step(s);
  }
  end_all(s);
}

static enum al_code allocate(struct al_scheduler *s, struct al_err *err)
{
  size_t n_sequences = (size_t)s->info.n_seq_max, n_items = (size_t)s->info.n_batch;
  s->running = al_calloc(n_sequences, sizeof(struct al_sequence *));
  s->batch = al_calloc(n_sequences, sizeof(struct al_sequence *));
  s->items = al_calloc(n_items, sizeof *s->items);
  s->stop = al_cancel_new();
  if (s->running == nullptr || s->batch == nullptr || s->items == nullptr || s->stop == nullptr)
    return al_fail_oom(err, n_items * sizeof *s->items);
  return al_kv_init(&s->kv, &s->options, &s->info, err);
}

enum al_code al_scheduler_start(const struct al_scheduler_options *options, struct al_scheduler **scheduler,
                                struct al_err *err)
{
  struct al_scheduler *s = al_calloc(1, sizeof *s);
  if (s == nullptr)
    return al_fail_oom(err, sizeof *s);
  s->options = *options;
  al_mutex_init(&s->mutex);
  al_cond_init(&s->arrived);
  options->ops->info(options->model, &s->info);
  al_chunk_init(&s->chunk, (size_t)s->info.n_batch);
  enum al_code code = allocate(s, err);
  if (code == AL_OK)
    code = al_thread_start(&s->thread, "al-sched", run, s, err);
  if (code != AL_OK) {
    al_scheduler_free(s);
    return code;
  }
  *scheduler = s;
  return AL_OK;
}

static void stop_thread(struct al_scheduler *s)
{
  if (s->stop != nullptr)
    al_cancel_fire(s->stop, AL_CANCELLED);
  al_mutex_lock(&s->mutex);
  s->stopping = true;
  al_cond_signal(&s->arrived);
  al_mutex_unlock(&s->mutex);
  al_thread_join(&s->thread);
}

void al_scheduler_free(struct al_scheduler *s)
{
  if (s == nullptr)
    return;
  stop_thread(s);
  al_kv_done(&s->kv);
  al_buf_done(&s->piece);
  al_cancel_unref(s->stop);
  al_free(s->running);
  al_free(s->batch);
  al_free(s->items);
  al_free(s->end_tokens);
  al_free(s->dry_breakers);
  al_cond_done(&s->arrived);
  al_mutex_done(&s->mutex);
  al_free(s);
}

static enum al_code enqueue(struct al_scheduler *s, struct al_sequence *sequence, struct al_err *err)
{
  AL_LOCKED(&s->mutex);
  if (s->stopping)
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  if (s->n_waiting >= s->options.max_waiting)
    return al_fail_reason(
        err, al_fail(err, AL_OOM_RAM, "%zu requests wait for this model already; try again later", s->n_waiting),
        "overloaded");
  al_sequence_list_push(&s->incoming, sequence);
  s->n_waiting++;
  al_cond_signal(&s->arrived);
  return AL_OK;
}

enum al_code al_scheduler_submit(struct al_scheduler *s, const struct al_generation *generation, struct al_err *err)
{
  if (generation->n_prompt == 0 || generation->n_prompt > (size_t)s->info.n_ctx)
    return al_fail(err, AL_INVALID_REQUEST, "a prompt has 1 to %d tokens here, this one %zu", s->info.n_ctx,
                   generation->n_prompt);
  struct al_sequence *sequence = al_sequence_new(generation);
  if (sequence == nullptr)
    return al_fail_oom(err, sizeof *sequence);
  enum al_code code = enqueue(s, sequence, err);
  if (code != AL_OK) {
    sequence->tokens = nullptr; /* stays the caller's */
    al_sequence_free(sequence);
  }
  return code;
}
