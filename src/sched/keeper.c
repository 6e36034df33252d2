/* The pool's keeper thread and the pool's own life. The keeper looks at every model, does the first thing that is due
 * without the lock, and looks again; it sleeps until something changes or the next model has been idle long enough. */
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/pool_impl.h"

enum duty { NOTHING, DROP_CANCELLED, JOIN_LOADER, START_LOADER, DISPOSE, ANSWER_READY, ANSWER_UNLOADED };

static int64_t idle_deadline(const struct al_pool_model *model)
{
  int64_t idle_ms = model->pool->options.idle_unload_ms;
  if (idle_ms <= 0 || model->state != AL_MODEL_READY || model->n_leases > 0)
    return AL_NO_DEADLINE;
  return model->last_used_ns + idle_ms * AL_NS_PER_MS;
}

/* Whoever asked for an unload can be told that it is done: the model is not in memory, or it has come back since, for
 * somebody who asked later. */
static bool can_answer_unloads(const struct al_pool_model *model)
{
  if (model->unload_notices == nullptr || model->state == AL_MODEL_UNLOADING)
    return false;
  return model->state != AL_MODEL_LOADING || !model->unload_wanted;
}

static enum duty duty_of(struct al_pool_model *model, int64_t now)
{
  if (model->drop_wanted)
    return DROP_CANCELLED;
  if (model->load_ended && model->loader.running)
    return JOIN_LOADER;
  if (model->load_wanted && !model->loader.running)
    return START_LOADER;
  if (model->state == AL_MODEL_READY && model->waiters != nullptr)
    return ANSWER_READY;
  if (model->state == AL_MODEL_UNLOADING && !model->disposing && model->n_leases == 0) {
    model->disposing = true;
    return DISPOSE;
  }
  if (can_answer_unloads(model))
    return ANSWER_UNLOADED;
  if (idle_deadline(model) <= now && al_pool_claim_idle(model))
    return DISPOSE;
  return NOTHING;
}

/* With the lock held: the next thing to do, or NOTHING and when to look again. */
static enum duty find_duty(struct al_pool *pool, struct al_pool_model **model, int64_t *deadline)
{
  int64_t now = al_now_ns();
  *deadline = AL_NO_DEADLINE;
  size_t at = 0;
  struct al_str key;
  void *value;
  while (al_map_next(pool->models, &at, &key, &value)) {
    *model = value;
    enum duty duty = duty_of(*model, now);
    if (duty != NOTHING)
      return duty;
    int64_t until = idle_deadline(*model);
    *deadline = until < *deadline ? until : *deadline;
  }
  return NOTHING;
}

/* The load thread is about to return; the handle is the keeper's alone. */
static void join_loader(struct al_pool_model *model)
{
  struct al_thread loader;
  {
    AL_LOCKED(&model->pool->mutex);
    loader = model->loader;
    model->loader = (struct al_thread){};
    model->load_ended = false;
  }
  al_thread_join(&loader);
}

/* Under the lock, so that the load cannot end before its handle is known. */
static void start_loader(struct al_pool_model *model)
{
  struct al_err err = {};
  enum al_code code;
  {
    AL_LOCKED(&model->pool->mutex);
    model->load_wanted = false;
    code = al_thread_start(&model->loader, "al-load", al_pool_load_run, model, &err);
  }
  if (code != AL_OK)
    al_pool_load_failed(model, &err);
}

static void answer_ready(struct al_pool_model *model)
{
  struct al_pool_waiter *waiters = nullptr;
  {
    AL_LOCKED(&model->pool->mutex);
    if (model->state == AL_MODEL_READY)
      waiters = al_pool_take_waiters(model);
    for (struct al_pool_waiter *waiter = waiters; waiter != nullptr; waiter = waiter->next)
      model->n_leases++;
  }
  al_pool_answer(waiters, model, nullptr);
}

static void answer_unloaded(struct al_pool_model *model)
{
  struct al_pool_notice *notices = nullptr;
  {
    AL_LOCKED(&model->pool->mutex);
    if (can_answer_unloads(model))
      notices = AL_TAKE(model->unload_notices);
  }
  al_pool_tell(notices);
}

static void perform(enum duty duty, struct al_pool_model *model)
{
  switch (duty) {
  case DROP_CANCELLED: al_pool_drop_cancelled(model); break;
  case JOIN_LOADER: join_loader(model); break;
  case START_LOADER: start_loader(model); break;
  case DISPOSE: al_pool_dispose(model); break;
  case ANSWER_READY: answer_ready(model); break;
  case ANSWER_UNLOADED: answer_unloaded(model); break;
  case NOTHING: break;
  }
}

static void keep(void *argument)
{
  struct al_pool *pool = argument;
  al_mutex_lock(&pool->mutex);
  while (!pool->stopping) {
    struct al_pool_model *model;
    int64_t deadline;
    enum duty duty = find_duty(pool, &model, &deadline);
    if (duty == NOTHING) {
      (void)al_cond_wait(&pool->work, &pool->mutex, deadline);
      continue;
    }
    al_mutex_unlock(&pool->mutex);
    perform(duty, model);
    al_mutex_lock(&pool->mutex);
  }
  al_mutex_unlock(&pool->mutex);
}

enum al_code al_pool_new(const struct al_pool_options *options, struct al_pool **pool, struct al_err *err)
{
  struct al_pool *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->options = *options;
  al_mutex_init(&made->mutex);
  al_cond_init(&made->work);
  made->models = al_map_new(AL_POOL_MAX_MODELS);
  enum al_code code = made->models == nullptr ? al_fail_oom(err, sizeof *made) : AL_OK;
  if (code == AL_OK)
    code = al_thread_start(&made->keeper, "al-pool", keep, made, err);
  if (code != AL_OK) {
    al_pool_free(made);
    return code;
  }
  *pool = made;
  return AL_OK;
}

/* With the lock held: everybody who waits for anything, in two lists. */
static void take_everybody(struct al_pool *pool, struct al_pool_waiter **waiters, struct al_pool_notice **notices)
{
  size_t at = 0;
  struct al_str key;
  void *value;
  while (al_map_next(pool->models, &at, &key, &value)) {
    struct al_pool_model *model = value;
    for (struct al_pool_waiter *next, *w = al_pool_take_waiters(model); w != nullptr; w = next) {
      next = w->next;
      model->status.n_waiting -= w->counted;
      w->next = *waiters;
      *waiters = w;
    }
    for (struct al_pool_notice *next, *n = AL_TAKE(model->unload_notices); n != nullptr; n = next) {
      next = n->next;
      n->next = *notices;
      *notices = n;
    }
  }
}

void al_pool_stop(struct al_pool *pool)
{
  struct al_pool_waiter *waiters = nullptr;
  struct al_pool_notice *notices = nullptr;
  {
    AL_LOCKED(&pool->mutex);
    pool->stopping = true;
    take_everybody(pool, &waiters, &notices);
    al_cond_signal(&pool->work);
  }
  struct al_err err;
  (void)al_pool_fail_stopping(&err);
  al_pool_answer(waiters, nullptr, &err);
  al_pool_tell(notices);
}

static void end_model(struct al_pool_model *model)
{
  if (model->state == AL_MODEL_READY || model->state == AL_MODEL_UNLOADING)
    al_pool_dispose(model);
  al_free(model->id);
  al_free(model);
}

void al_pool_free(struct al_pool *pool)
{
  if (pool == nullptr)
    return;
  if (pool->models != nullptr)
    al_pool_stop(pool);
  al_thread_join(&pool->keeper);
  struct al_str key;
  void *value;
  /* All loads first: one may be unloading another model to make room. */
  for (size_t at = 0; pool->models != nullptr && al_map_next(pool->models, &at, &key, &value);)
    al_thread_join(&((struct al_pool_model *)value)->loader);
  for (size_t at = 0; pool->models != nullptr && al_map_next(pool->models, &at, &key, &value);)
    end_model(value);
  al_map_free(pool->models);
  al_cond_done(&pool->work);
  al_mutex_done(&pool->mutex);
  al_free(pool);
}
