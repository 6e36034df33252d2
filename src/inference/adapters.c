#include "inference/adapters.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/thread.h"

struct al_adapters {
  struct al_mutex mutex;
  struct {
    char *id;
    struct al_engine_adapter *adapter;
  } items[AL_MOST_ADAPTERS];
  size_t count;
};

struct al_adapters *al_adapters_new(void)
{
  struct al_adapters *adapters = al_calloc(1, sizeof *adapters);
  if (adapters != nullptr)
    al_mutex_init(&adapters->mutex);
  return adapters;
}

void al_adapters_free(struct al_adapters *adapters, const struct al_text_ops *ops, struct al_engine_model *model)
{
  if (adapters == nullptr)
    return;
  for (size_t i = 0; i < adapters->count; i++) {
    ops->adapter_free(model, adapters->items[i].adapter);
    al_free(adapters->items[i].id);
  }
  al_mutex_done(&adapters->mutex);
  al_free(adapters);
}

struct al_engine_adapter *al_adapters_find(struct al_adapters *adapters, const char *id)
{
  AL_LOCKED(&adapters->mutex);
  for (size_t i = 0; i < adapters->count; i++)
    if (strcmp(adapters->items[i].id, id) == 0)
      return adapters->items[i].adapter;
  return nullptr;
}

/* --- loading ---------------------------------------------------------------------------------------------------- */

struct load { /* on its way to the scheduler's thread */
  struct al_adapters *adapters;
  struct al_task *task;
  struct al_model_descriptor *descriptor;
};

static enum al_code check_room(struct al_adapters *adapters, struct al_err *err)
{
  AL_LOCKED(&adapters->mutex);
  if (adapters->count < AL_MOST_ADAPTERS)
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "%zu adapters are loaded for this model already; unload it to use others",
                 AL_MOST_ADAPTERS);
}

/* Only the scheduler's thread adds. */
static enum al_code add(struct load *load, struct al_engine_model *model, struct al_err *err)
{
  struct al_adapters *adapters = load->adapters;
  const struct al_text_ops *ops = al_pool_loaded(load->task->lease)->engine->text;
  const char *id = load->descriptor->id;
  if (al_adapters_find(adapters, id) != nullptr) /* somebody else was faster */
    return AL_OK;
  AL_TRY(check_room(adapters, err));
  AL_CLEANUP(al_free_p) char *copy = al_strdup(id);
  if (copy == nullptr)
    return al_fail_oom(err, strlen(id));
  struct al_engine_adapter *adapter = nullptr;
  AL_TRY(ops->adapter_load(model, load->descriptor, &adapter, err));
  al_log(AL_LOG_INFO, "adapter_loaded", AL_S("adapter", id));
  AL_LOCKED(&adapters->mutex);
  adapters->items[adapters->count].id = AL_TAKE(copy);
  adapters->items[adapters->count++].adapter = adapter;
  return AL_OK;
}

static void come(void *user, struct al_engine_model *model)
{
  struct load *load = user;
  struct al_task *task = load->task;
  struct al_err err = {};
  enum al_code code =
      model != nullptr
          ? add(load, model, &err)
          : al_fail_reason(&err, al_fail(&err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  al_descriptor_unref(load->descriptor);
  al_free(load);
  if (code == AL_OK)
    al_task_again(task);
  else
    task->ops->fail(task, &err);
}

/* How errors name the adapter: it stands in the request's list. */
static enum al_code blame(struct al_err *err, enum al_code code, const char *reason)
{
  if (err != nullptr)
    (void)snprintf(err->param, sizeof err->param, "lora");
  return al_fail_reason(err, code, reason);
}

static enum al_code find_descriptor(struct al_store *store, const char *id, struct al_model_descriptor **descriptor,
                                    struct al_err *err)
{
  enum al_code code = al_store_find(store, id, descriptor, err);
  if (code != AL_OK)
    return blame(err, code, code == AL_NOT_FOUND ? "adapter_not_found" : nullptr);
  if ((*descriptor)->problem.code != AL_OK) {
    if (err != nullptr)
      *err = (*descriptor)->problem;
    return blame(err, (*descriptor)->problem.code, (*descriptor)->problem.reason);
  }
  if ((*descriptor)->type != AL_TYPE_ADAPTER)
    return blame(err, al_fail(err, AL_INVALID_REQUEST, "'%s' is a model, not an adapter", id), nullptr);
  return AL_OK;
}

enum al_code al_adapters_load(struct al_adapters *adapters, struct al_task *task, struct al_store *store,
                              const char *id, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(task->lease);
  if (loaded->engine->text->adapter_load == nullptr)
    return blame(err, al_fail(err, AL_UNSUPPORTED, "the engine that runs '%s' has no adapters", loaded->descriptor->id),
                 nullptr);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *descriptor = nullptr;
  AL_TRY(find_descriptor(store, id, &descriptor, err));
  AL_TRY(check_room(adapters, err));
  struct load *load = al_alloc(sizeof *load);
  if (load == nullptr)
    return al_fail_oom(err, sizeof *load);
  *load = (struct load){ adapters, task, AL_TAKE(descriptor) };
  al_scheduler_visit(loaded->scheduler, come, load);
  return AL_OK;
}
