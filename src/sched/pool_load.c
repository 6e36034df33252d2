/* A load on its own thread, and the way back. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "sched/pool_impl.h"

static bool on_progress(void *user, float fraction)
{
  struct al_pool_model *model = user;
  al_pool_drop_cancelled(model);
  AL_LOCKED(&model->pool->mutex);
  model->status.load_fraction = fraction;
  return !model->pool->stopping;
}

static struct al_gate gate_of(const struct al_pool_model *model)
{
  struct al_gate gate = model->pool->options.gate;
  gate.model_id = model->id;
  return gate;
}

static enum al_code load_weights(struct al_pool_model *model, const struct al_load_options *options, struct al_err *err)
{
  struct al_loaded *loaded = &model->loaded;
  struct al_gate gate = gate_of(model);
  al_gate_enter(&gate);
  enum al_code code = loaded->engine->load(loaded->descriptor, options, on_progress, model, &loaded->model, err);
  al_gate_leave(&gate);
  return code;
}

static enum al_code start_scheduler(struct al_pool_model *model, struct al_err *err)
{
  struct al_loaded *loaded = &model->loaded;
  loaded->engine->text->info(loaded->model, &loaded->info);
  loaded->memory_bytes = loaded->info.memory_bytes;
  struct al_scheduler_options options = {
    .ops = loaded->engine->text,
    .model = loaded->model,
    .gate = gate_of(model),
    /* The pool counts who waits; preempted ones wait here too, and must not push out somebody it let in. */
    .max_waiting = model->pool->options.max_waiting + (size_t)loaded->info.n_seq_max,
  };
  return al_scheduler_start(&options, &loaded->scheduler, err);
}

/* An engine may have all slots and the model use some: its capabilities say. */
static bool can(const struct al_loaded *loaded, enum al_capability capability, const void *ops)
{
  return ops != nullptr && (loaded->descriptor->capabilities & (unsigned)capability) != 0;
}

static uint64_t memory_of(const struct al_loaded *loaded)
{
  struct al_transcribe_info hears = {};
  struct al_speak_info speaks = {};
  struct al_draw_info draws = {};
  if (can(loaded, AL_CAN_TRANSCRIBE, loaded->engine->transcribe))
    loaded->engine->transcribe->info(loaded->model, &hears);
  else if (can(loaded, AL_CAN_SPEAK, loaded->engine->speak))
    loaded->engine->speak->info(loaded->model, &speaks);
  else if (can(loaded, AL_CAN_DRAW, loaded->engine->draw))
    loaded->engine->draw->info(loaded->model, &draws);
  return hears.memory_bytes + speaks.memory_bytes + draws.memory_bytes;
}

static enum al_code start_worker(struct al_pool_model *model, struct al_err *err)
{
  struct al_loaded *loaded = &model->loaded;
  struct al_worker_options options = {
    .model = loaded->model,
    .gate = gate_of(model),
    .max_waiting = model->pool->options.max_waiting, /* the pool counts who waits */
  };
  loaded->memory_bytes = memory_of(loaded);
  return al_worker_start(&options, &loaded->worker, err);
}

/* The thread that owns the model from now on. */
static enum al_code start_owner(struct al_pool_model *model, struct al_err *err)
{
  constexpr unsigned SPEECH_AND_PICTURES = AL_CAN_TRANSCRIBE | AL_CAN_SPEAK | AL_CAN_DRAW;
  constexpr unsigned TEXT = AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_RERANK;
  unsigned capabilities = model->loaded.descriptor->capabilities;
  bool is_text = (capabilities & TEXT) != 0 || (capabilities & SPEECH_AND_PICTURES) == 0;
  if (is_text && model->loaded.engine->text != nullptr)
    return start_scheduler(model, err);
  return start_worker(model, err);
}

static enum al_code attach(struct al_pool_model *model, struct al_err *err)
{
  const struct al_pool_hooks *hooks = &model->pool->options.hooks;
  if (hooks->attach == nullptr)
    return AL_OK;
  return hooks->attach(hooks->user, &model->loaded, &model->loaded.attachment, err);
}

/* The registered descriptor is fetched anew: what lies on disk now is what gets loaded. */
static enum al_code load(struct al_pool_model *model, struct al_memory_estimate *estimate, struct al_err *err)
{
  struct al_pool *pool = model->pool;
  struct al_loaded *loaded = &model->loaded;
  AL_TRY(al_store_find(pool->options.store, model->id, &loaded->descriptor, err));
  if (loaded->descriptor->problem.code != AL_OK) {
    if (err != nullptr)
      *err = loaded->descriptor->problem;
    return loaded->descriptor->problem.code;
  }
  AL_TRY(al_engine_choose(&pool->options.registry, loaded->descriptor, 0, nullptr, nullptr, &loaded->engine, err));
  struct al_load_options options = pool->options.load;
  AL_TRY(loaded->engine->estimate(loaded->descriptor, &options, estimate, err));
  AL_TRY(al_pool_reserve(model, estimate, err));
  if (estimate->n_ctx > 0)
    options.n_ctx = estimate->n_ctx;
  if (options.n_gpu_layers > 0 && estimate->n_gpu_layers == 0)
    al_log(AL_LOG_WARN, "no_gpu", AL_S("model", model->id), AL_I("wanted_layers", options.n_gpu_layers));
  if (options.n_gpu_layers == AL_AUTO)
    options.n_gpu_layers = estimate->n_gpu_layers;
  AL_TRY(load_weights(model, &options, err));
  AL_TRY(start_owner(model, err));
  return attach(model, err);
}

static void take_apart(struct al_pool_model *model)
{
  struct al_loaded *loaded = &model->loaded;
  const struct al_pool_hooks *hooks = &model->pool->options.hooks;
  al_scheduler_free(loaded->scheduler);
  al_worker_free(loaded->worker);
  if (hooks->detach != nullptr && loaded->attachment != nullptr)
    hooks->detach(hooks->user, loaded->attachment);
  if (loaded->model != nullptr) {
    struct al_gate gate = gate_of(model);
    al_gate_enter(&gate);
    loaded->engine->unload(loaded->model);
    al_gate_leave(&gate);
  }
  al_descriptor_unref(loaded->descriptor);
  *loaded = (struct al_loaded){};
}

/* Leases for all who waited; asked to go already, it drains. */
static struct al_pool_waiter *become_ready(struct al_pool_model *model, const struct al_memory_estimate *estimate,
                                           int64_t started_ns)
{
  AL_LOCKED(&model->pool->mutex);
  model->state = model->unload_wanted ? AL_MODEL_UNLOADING : AL_MODEL_READY;
  model->unload_wanted = false;
  model->load_ended = true;
  model->reserved_bytes = 0;
  model->mapped_bytes = estimate->mapped_bytes;
  model->last_used_ns = al_now_ns();
  struct al_pool_status *status = &model->status;
  status->load_fraction = 1;
  status->load_ms = (double)(model->last_used_ns - started_ns) / (double)AL_NS_PER_MS;
  status->loaded_s = al_wall_s();
  status->n_ctx = model->loaded.info.n_ctx;
  status->n_gpu_layers = estimate->n_gpu_layers;
  status->memory_bytes = model->loaded.memory_bytes;
  struct al_pool_waiter *waiters = al_pool_take_waiters(model);
  for (struct al_pool_waiter *waiter = waiters; waiter != nullptr; waiter = waiter->next)
    model->n_leases++;
  al_cond_signal(&model->pool->work);
  return waiters;
}

static void forget_load(struct al_pool_model *model)
{
  model->reserved_bytes = 0;
  model->mapped_bytes = 0;
  model->status.load_fraction = 0;
  model->status.n_ctx = 0;
  model->status.n_gpu_layers = 0;
  model->status.memory_bytes = 0;
}

void al_pool_tell(struct al_pool_notice *notices)
{
  struct al_err fine = { .code = AL_OK };
  for (struct al_pool_notice *next; notices != nullptr; notices = next) {
    next = notices->next;
    notices->done(notices->user, &fine);
    al_free(notices);
  }
}

void al_pool_load_failed(struct al_pool_model *model, const struct al_err *err)
{
  al_mutex_lock(&model->pool->mutex);
  model->state = AL_MODEL_UNLOADED;
  model->unload_wanted = false;
  model->load_ended = true;
  forget_load(model);
  struct al_pool_waiter *waiters = al_pool_take_refused(model);
  struct al_pool_notice *notices = AL_TAKE(model->unload_notices);
  al_cond_signal(&model->pool->work);
  al_mutex_unlock(&model->pool->mutex);
  al_pool_answer(waiters, nullptr, err);
  al_pool_tell(notices);
}

void al_pool_load_run(void *argument)
{
  struct al_pool_model *model = argument;
  int64_t started_ns = al_now_ns();
  struct al_memory_estimate estimate = {};
  struct al_err err = {};
  if (load(model, &estimate, &err) != AL_OK) {
    al_log(AL_LOG_WARN, "model_load_failed", AL_S("model", model->id), AL_S("code", al_code_name(err.code)),
           AL_S("error", err.message));
    take_apart(model);
    al_pool_load_failed(model, &err);
    return;
  }
  struct al_pool_waiter *waiters = become_ready(model, &estimate, started_ns);
  al_log(AL_LOG_INFO, "model_loaded", AL_S("model", model->id), AL_I("ms", (al_now_ns() - started_ns) / AL_NS_PER_MS));
  al_pool_answer(waiters, model, nullptr);
}

void al_pool_dispose(struct al_pool_model *model)
{
  take_apart(model);
  al_log(AL_LOG_INFO, "model_unloaded", AL_S("model", model->id));
  al_mutex_lock(&model->pool->mutex);
  model->disposing = false;
  forget_load(model);
  bool again = model->waiters != nullptr && !model->pool->stopping;
  model->state = again ? AL_MODEL_LOADING : AL_MODEL_UNLOADED;
  model->load_wanted = again;
  struct al_pool_notice *notices = AL_TAKE(model->unload_notices);
  al_cond_signal(&model->pool->work);
  al_mutex_unlock(&model->pool->mutex);
  al_pool_tell(notices);
}
