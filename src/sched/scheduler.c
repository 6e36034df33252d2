/* The scheduler's life, its thread and its queue. The thread: take what arrived, drop what was cancelled, admit, run
 * one step, again; it sleeps only when nobody runs or waits. */
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/scheduler_impl.h"

static void note_waiting(struct al_scheduler *s)
{
  AL_LOCKED(&s->mutex);
  s->n_waiting = s->incoming.count + s->waiting.count + s->incoming_embeddings.count + s->embeddings.count;
}

static bool is_idle(const struct al_scheduler *s)
{
  return s->incoming.count == 0 && s->incoming_embeddings.count == 0 && s->visits == nullptr && s->waiting.count == 0 &&
         s->embeddings.count == 0 && s->n_running == 0;
}

/* Sleeps while there is nothing to do. false: time to end. */
static bool take_arrived(struct al_scheduler *s)
{
  AL_LOCKED(&s->mutex);
  while (!s->stopping && is_idle(s))
    (void)al_cond_wait(&s->arrived, &s->mutex, AL_NO_DEADLINE);
  for (struct al_sequence *sequence = s->incoming.first; sequence != nullptr; sequence = sequence->next)
    sequence->order = ++s->n_arrived;
  al_sequence_list_append(&s->waiting, &s->incoming);
  al_embedding_list_append(&s->embeddings, &s->incoming_embeddings);
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
  al_scheduler_drop_embeddings(s, &err);
}

/* --- visits ----------------------------------------------------------------------------------------------------- */

struct al_visit {
  struct al_visit *next;
  void (*work)(void *user, struct al_engine_model *model);
  void *user;
};

static void run_visits(struct al_scheduler *s, struct al_engine_model *model)
{
  al_mutex_lock(&s->mutex);
  struct al_visit *visits = AL_TAKE(s->visits);
  al_mutex_unlock(&s->mutex);
  while (visits != nullptr) {
    struct al_visit *visit = visits;
    visits = visit->next;
    if (model != nullptr)
      al_gate_enter(&s->options.gate);
    visit->work(visit->user, model);
    if (model != nullptr)
      al_gate_leave(&s->options.gate);
    al_free(visit);
  }
}

static bool add_visit(struct al_scheduler *s, struct al_visit *visit)
{
  AL_LOCKED(&s->mutex);
  if (s->stopping)
    return false;
  struct al_visit **last = &s->visits;
  while (*last != nullptr)
    last = &(*last)->next;
  *last = visit;
  al_cond_signal(&s->arrived);
  return true;
}

void al_scheduler_visit(struct al_scheduler *s, void (*work)(void *user, struct al_engine_model *model), void *user)
{
  struct al_visit *visit = al_calloc(1, sizeof *visit);
  if (visit != nullptr)
    *visit = (struct al_visit){ .work = work, .user = user };
  if (visit != nullptr && add_visit(s, visit))
    return;
  al_free(visit);
  work(user, nullptr);
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void run(void *argument)
{
  struct al_scheduler *s = argument;
  while (take_arrived(s)) {
    run_visits(s, s->options.model);
    al_scheduler_drop_cancelled(s);
    al_scheduler_admit(s);
    note_waiting(s);
    if (s->n_running > 0)
      al_scheduler_step(s);
    al_scheduler_embed_step(s);
  }
  end_all(s);
  run_visits(s, nullptr);
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
  AL_TRY(al_adapter_sets_init(&s->sets, err));
  s->active = al_adapter_set_ref(s->sets.bare);
  return al_kv_init(&s->kv, &s->options, &s->info, &s->sets, err);
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
  al_adapter_set_unref(&s->sets, s->active);
  al_adapter_sets_done(&s->sets);
  al_logprobs_done(&s->logprobs);
  al_free(s->kept);
  al_free(s->embed_rows);
  al_free(s->picks);
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

static enum al_code check_open(const struct al_scheduler *s, struct al_err *err)
{
  if (s->stopping)
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  if (s->n_waiting < s->options.max_waiting)
    return AL_OK;
  return al_fail_reason(
      err, al_fail(err, AL_OOM_RAM, "%zu requests wait for this model already; try again later", s->n_waiting),
      "overloaded");
}

static enum al_code enqueue(struct al_scheduler *s, struct al_sequence *sequence, struct al_err *err)
{
  AL_LOCKED(&s->mutex);
  AL_TRY(check_open(s, err));
  al_sequence_list_push(&s->incoming, sequence);
  s->n_waiting++;
  al_cond_signal(&s->arrived);
  return AL_OK;
}

static enum al_code check_generation(const struct al_scheduler *s, const struct al_generation *generation,
                                     struct al_err *err)
{
  if (!s->info.generates)
    return al_fail(err, AL_UNSUPPORTED, "the model makes embeddings; it cannot generate text");
  if (generation->n_adapters > 0 && s->options.ops->adapter_use == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "the engine of this model has no adapters");
  if (generation->logprobs > AL_MOST_LOGPROBS + 1)
    return al_fail(err, AL_INVALID_REQUEST, "at most %d logprobs are given out for a token", AL_MOST_LOGPROBS);
  if (generation->n_prompt == 0 || generation->n_prompt > (size_t)s->info.n_ctx)
    return al_fail(err, AL_INVALID_REQUEST, "a prompt has 1 to %d tokens here, this one %zu", s->info.n_ctx,
                   generation->n_prompt);
  return AL_OK;
}

enum al_code al_scheduler_submit(struct al_scheduler *s, const struct al_generation *generation, struct al_err *err)
{
  AL_TRY(check_generation(s, generation, err));
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

enum al_code al_scheduler_enqueue_embedding(struct al_scheduler *s, struct al_embedding *embedding, struct al_err *err)
{
  struct al_embedding_list one = { .first = embedding, .last = embedding, .count = 1 };
  AL_LOCKED(&s->mutex);
  AL_TRY(check_open(s, err));
  al_embedding_list_append(&s->incoming_embeddings, &one);
  s->n_waiting++;
  al_cond_signal(&s->arrived);
  return AL_OK;
}
