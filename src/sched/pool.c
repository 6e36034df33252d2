/* Leases, and what is asked of a model: to come, to go, how it is. */
#include "base/alloc.h"
#include "base/clock.h"
#include "sched/pool_impl.h"

const char *al_model_state_name(enum al_model_state state)
{
  static const char *const names[] = {
    [AL_MODEL_UNLOADED] = "unloaded",
    [AL_MODEL_LOADING] = "loading",
    [AL_MODEL_READY] = "ready",
    [AL_MODEL_UNLOADING] = "unloading",
  };
  return (unsigned)state < AL_COUNT(names) ? names[state] : "unknown";
}

enum al_code al_pool_fail_stopping(struct al_err *err)
{
  return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
}

/* --- waiters ---------------------------------------------------------------------------------------------------- */

struct al_pool_waiter *al_pool_take_waiters(struct al_pool_model *model)
{
  model->last_waiter = &model->waiters;
  return AL_TAKE(model->waiters);
}

/* A waiter's token fired, on whatever thread: the keeper answers it. */
static void on_given_up(void *user)
{
  struct al_pool_model *model = user;
  AL_LOCKED(&model->pool->mutex);
  model->drop_wanted = true;
  al_cond_signal(&model->pool->work);
}

static void add_waiter(struct al_pool_model *model, struct al_pool_waiter *waiter)
{
  waiter->next = nullptr;
  *model->last_waiter = waiter;
  model->last_waiter = &waiter->next;
}

void al_pool_answer(struct al_pool_waiter *waiters, struct al_pool_model *lease, const struct al_err *err)
{
  for (struct al_pool_waiter *next; waiters != nullptr; waiters = next) {
    next = waiters->next; /* ready may free it */
    al_cancel_unwatch(waiters->cancel, &waiters->watch);
    waiters->ready(waiters, lease, err);
  }
}

/* Those who get no lease no longer count; with the lock held. */
static void uncount(struct al_pool_model *model, const struct al_pool_waiter *waiters)
{
  for (; waiters != nullptr; waiters = waiters->next)
    model->status.n_waiting -= waiters->counted;
}

struct al_pool_waiter *al_pool_take_refused(struct al_pool_model *model)
{
  uncount(model, model->waiters);
  return al_pool_take_waiters(model);
}

void al_pool_drop_cancelled(struct al_pool_model *model)
{
  struct al_pool_waiter *gone = nullptr;
  al_mutex_lock(&model->pool->mutex);
  model->drop_wanted = false;
  struct al_pool_waiter *all = al_pool_take_waiters(model);
  for (struct al_pool_waiter *next; all != nullptr; all = next) {
    next = all->next;
    if (!al_cancelled(all->cancel)) {
      add_waiter(model, all);
      continue;
    }
    all->next = gone;
    gone = all;
  }
  uncount(model, gone);
  al_mutex_unlock(&model->pool->mutex);
  struct al_err err;
  (void)al_fail(&err, AL_CANCELLED, "the request was cancelled while '%s' was loading", model->id);
  al_pool_answer(gone, nullptr, &err);
}

/* --- the table -------------------------------------------------------------------------------------------------- */

static void free_model(struct al_pool_model *model)
{
  if (model == nullptr)
    return;
  al_free(model->id);
  al_free(model);
}
AL_DEFINE_CLEANUP(struct al_pool_model, free_model)

/* With the lock held. */
static enum al_code find_or_add(struct al_pool *pool, const char *id, struct al_pool_model **found, struct al_err *err)
{
  *found = al_map_get(pool->models, al_str(id));
  if (*found != nullptr)
    return AL_OK;
  AL_CLEANUP(free_model_p) struct al_pool_model *model = al_calloc(1, sizeof *model);
  if (model == nullptr || (model->id = al_strdup(id)) == nullptr)
    return al_fail_oom(err, sizeof *model);
  model->pool = pool;
  model->last_waiter = &model->waiters;
  AL_TRY(al_map_set(pool->models, al_str(id), model, err));
  *found = AL_TAKE(model);
  return AL_OK;
}

/* May it be asked for at all? Looks at the disk, so without the lock. What is in memory is not asked about: it goes on
 * serving when its files have gone. */
static enum al_code check_on_disk(struct al_pool *pool, const char *id, struct al_err *err)
{
  al_mutex_lock(&pool->mutex);
  const struct al_pool_model *model = al_map_get(pool->models, al_str(id));
  bool in_memory = model != nullptr && model->state == AL_MODEL_READY;
  al_mutex_unlock(&pool->mutex);
  if (in_memory)
    return AL_OK;
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *descriptor = nullptr;
  AL_TRY(al_store_find(pool->options.store, id, &descriptor, err));
  if (descriptor->problem.code == AL_OK) {
    const struct al_engine *engine;
    return al_engine_choose(&pool->options.registry, descriptor, 0, nullptr, nullptr, &engine, err);
  }
  if (err != nullptr)
    *err = descriptor->problem;
  return descriptor->problem.code;
}

/* --- acquire and release ---------------------------------------------------------------------------------------- */

static void want_load(struct al_pool_model *model)
{
  if (model->state != AL_MODEL_UNLOADED)
    return;
  model->state = AL_MODEL_LOADING;
  model->load_wanted = true;
  al_cond_signal(&model->pool->work);
}

static enum al_code take_place(struct al_pool *pool, const char *id, struct al_pool_model **place, struct al_err *err)
{
  AL_LOCKED(&pool->mutex);
  if (pool->stopping)
    return al_pool_fail_stopping(err);
  struct al_pool_model *model;
  AL_TRY(find_or_add(pool, id, &model, err));
  if ((size_t)model->status.n_waiting >= pool->options.max_waiting)
    return al_fail_reason(
        err,
        al_fail(err, AL_OOM_RAM, "%d requests wait for '%s' already; try again later", model->status.n_waiting, id),
        "overloaded");
  model->status.n_waiting++;
  *place = model;
  return AL_OK;
}

enum al_code al_pool_enter(struct al_pool *pool, const char *id, struct al_pool_model **place, struct al_err *err)
{
  AL_TRY(check_on_disk(pool, id, err));
  return take_place(pool, id, place, err);
}

void al_pool_leave(struct al_pool_model *place)
{
  AL_LOCKED(&place->pool->mutex);
  place->status.n_waiting--;
}

static enum al_code lease_or_wait(struct al_pool_model *model, struct al_pool_waiter *waiter,
                                  struct al_pool_model **lease, struct al_err *err)
{
  AL_LOCKED(&model->pool->mutex);
  if (model->pool->stopping)
    return al_pool_fail_stopping(err);
  *lease = nullptr;
  if (model->state == AL_MODEL_READY) {
    model->n_leases++;
    *lease = model;
    return AL_OK;
  }
  add_waiter(model, waiter);
  model->drop_wanted |= al_cancelled(waiter->cancel); /* who was told of it did not find the waiter yet */
  want_load(model);
  return AL_OK;
}

enum al_code al_pool_claim(struct al_pool_model *place, struct al_pool_waiter *waiter, struct al_pool_model **lease,
                           struct al_err *err)
{
  struct al_cancel *cancel = waiter->cancel;
  struct al_cancel_watch *watch = &waiter->watch;
  struct al_pool_model *leased = nullptr;
  waiter->counted = true;
  *watch = (struct al_cancel_watch){ .fired = on_given_up, .user = place };
  (void)!al_cancel_watch(cancel, watch);
  enum al_code code = lease_or_wait(place, waiter, &leased, err);
  if (code != AL_OK || leased != nullptr) /* it does not wait; otherwise it may be gone already */
    al_cancel_unwatch(cancel, watch);
  if (code == AL_OK)
    *lease = leased;
  return code;
}

enum al_code al_pool_acquire(struct al_pool *pool, const char *id, struct al_pool_waiter *waiter,
                             struct al_pool_model **lease, struct al_err *err)
{
  struct al_pool_model *place = nullptr;
  AL_TRY(al_pool_enter(pool, id, &place, err));
  enum al_code code = al_pool_claim(place, waiter, lease, err);
  if (code != AL_OK)
    al_pool_leave(place);
  return code;
}

const struct al_loaded *al_pool_loaded(const struct al_pool_model *lease)
{
  return &lease->loaded;
}

void al_pool_started(struct al_pool_model *lease)
{
  AL_LOCKED(&lease->pool->mutex);
  lease->status.n_waiting--;
  lease->status.n_running++;
}

static void give_back(struct al_pool_model *lease)
{
  lease->n_leases--;
  lease->last_used_ns = al_now_ns();
  if (lease->n_leases == 0)
    al_cond_signal(&lease->pool->work);
}

void al_pool_release(struct al_pool_model *lease, const struct al_pool_use *use)
{
  AL_LOCKED(&lease->pool->mutex);
  struct al_pool_status *status = &lease->status;
  if (use->started)
    status->n_running--;
  else
    status->n_waiting--;
  status->n_requests++;
  status->n_prompt_tokens += (uint64_t)use->n_prompt;
  status->n_completion_tokens += (uint64_t)use->n_completion;
  status->audio_s += use->audio_s;
  status->n_images += (uint64_t)use->n_images;
  status->last_used_s = al_wall_s();
  give_back(lease);
}

/* --- load and unload on request --------------------------------------------------------------------------------- */

struct load_request {
  struct al_pool_waiter waiter;
  al_pool_done_fn *done;
  void *user;
};

static void load_ready(struct al_pool_waiter *waiter, struct al_pool_model *lease, const struct al_err *err)
{
  struct load_request *request = (struct load_request *)waiter;
  if (lease != nullptr) {
    AL_LOCKED(&lease->pool->mutex);
    give_back(lease);
  }
  struct al_err fine = { .code = AL_OK };
  request->done(request->user, lease != nullptr ? &fine : err);
  al_free(request);
}

/* A model that is there already is answered by the keeper, never on the caller's stack: its queue takes the lease. */
static enum al_code queue_load(struct al_pool *pool, const char *id, struct load_request *request, struct al_err *err)
{
  AL_LOCKED(&pool->mutex);
  if (pool->stopping)
    return al_pool_fail_stopping(err);
  struct al_pool_model *model;
  AL_TRY(find_or_add(pool, id, &model, err));
  add_waiter(model, &request->waiter);
  want_load(model);
  al_cond_signal(&pool->work);
  return AL_OK;
}

enum al_code al_pool_load(struct al_pool *pool, const char *id, al_pool_done_fn *done, void *user, struct al_err *err)
{
  AL_TRY(check_on_disk(pool, id, err));
  AL_CLEANUP(al_free_p) struct load_request *request = al_calloc(1, sizeof *request);
  if (request == nullptr)
    return al_fail_oom(err, sizeof *request);
  *request = (struct load_request){ .waiter.ready = load_ready, .done = done, .user = user };
  AL_TRY(queue_load(pool, id, request, err));
  request = nullptr; /* load_ready frees it */
  return AL_OK;
}

/* With the lock held: what an unload means in each state. The keeper answers when the model is gone. */
static void want_unload(struct al_pool_model *model, struct al_pool_notice *notice)
{
  notice->next = model->unload_notices;
  model->unload_notices = notice;
  if (model->state == AL_MODEL_LOADING)
    model->unload_wanted = true;
  else if (model->state == AL_MODEL_READY)
    model->state = AL_MODEL_UNLOADING;
  al_cond_signal(&model->pool->work);
}

enum al_code al_pool_unload(struct al_pool *pool, const char *id, al_pool_done_fn *done, void *user, struct al_err *err)
{
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *descriptor = nullptr;
  struct al_err absent;
  enum al_code on_disk = al_store_find(pool->options.store, id, &descriptor, &absent);
  AL_CLEANUP(al_free_p) struct al_pool_notice *notice = al_calloc(1, sizeof *notice);
  if (notice == nullptr)
    return al_fail_oom(err, sizeof *notice);
  *notice = (struct al_pool_notice){ .done = done, .user = user };
  AL_LOCKED(&pool->mutex);
  if (pool->stopping)
    return al_pool_fail_stopping(err);
  struct al_pool_model *model = al_map_get(pool->models, al_str(id));
  if (model == nullptr && on_disk != AL_OK) {
    if (err != nullptr)
      *err = absent;
    return on_disk;
  }
  AL_TRY(find_or_add(pool, id, &model, err));
  want_unload(model, notice);
  notice = nullptr;
  return AL_OK;
}

bool al_pool_claim_idle(struct al_pool_model *model)
{
  if (model->state != AL_MODEL_READY || model->n_leases > 0 || model->waiters != nullptr)
    return false;
  model->state = AL_MODEL_UNLOADING;
  model->disposing = true;
  return true;
}

void al_pool_status(struct al_pool *pool, const char *id, struct al_pool_status *status)
{
  AL_LOCKED(&pool->mutex);
  const struct al_pool_model *model = al_map_get(pool->models, al_str(id));
  *status = model != nullptr ? model->status : (struct al_pool_status){};
  if (model != nullptr)
    status->state = model->state;
}
