/* What runs, what could, and why the rest cannot. */
#include "base/alloc.h"
#include "inference/impl.h"

/* Why the model cannot run here now; AL_OK when it can. */
static void find_problem(const struct al_inference *inference, const struct al_model_descriptor *descriptor,
                         struct al_err *problem)
{
  *problem = descriptor->problem;
  const struct al_engine *engine;
  if (problem->code == AL_OK && al_inference_check_quarantine(inference, descriptor->id, problem) == AL_OK &&
      al_inference_check_type(descriptor, problem) == AL_OK &&
      al_engine_choose(&inference->options.registry, descriptor, 0, nullptr, nullptr, &engine, problem) == AL_OK)
    *problem = (struct al_err){ .code = AL_OK };
}

static void fill(struct al_inference *inference, struct al_model_descriptor *descriptor, struct al_model_status *status)
{
  struct al_pool_status pool;
  al_pool_status(inference->pool, descriptor->id, &pool);
  *status = (struct al_model_status){
    .descriptor = al_descriptor_ref(descriptor),
    .state = pool.state,
    .load_fraction = pool.load_fraction,
    .n_running = pool.n_running,
    .n_waiting = pool.n_waiting,
    .n_ctx = pool.n_ctx,
    .n_gpu_layers = pool.n_gpu_layers,
    .memory_bytes = pool.memory_bytes,
    .loaded_s = pool.loaded_s,
    .last_used_s = pool.last_used_s,
    .load_ms = pool.load_ms,
    .n_requests = pool.n_requests,
    .n_prompt_tokens = pool.n_prompt_tokens,
    .n_completion_tokens = pool.n_completion_tokens,
    .audio_s = pool.audio_s,
    .n_images = pool.n_images,
  };
  find_problem(inference, descriptor, &status->problem);
}

enum al_code al_inference_models(struct al_inference *inference, struct al_model_status_list *list, struct al_err *err)
{
  struct al_model_list found = {};
  AL_TRY(al_store_list(inference->options.store, &found, err));
  struct al_model_status *items = al_calloc(found.count, sizeof *items);
  if (items != nullptr)
    for (size_t i = 0; i < found.count; i++)
      fill(inference, found.items[i], &items[i]);
  size_t count = found.count;
  al_store_list_free(&found);
  if (items == nullptr)
    return al_fail_oom(err, count * sizeof *items);
  *list = (struct al_model_status_list){ items, count };
  return AL_OK;
}

enum al_code al_inference_model(struct al_inference *inference, const char *id, struct al_model_status *status,
                                struct al_err *err)
{
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *descriptor = nullptr;
  AL_TRY(al_store_find(inference->options.store, id, &descriptor, err));
  fill(inference, descriptor, status);
  return AL_OK;
}

void al_model_status_done(struct al_model_status *status)
{
  al_descriptor_unref(status->descriptor);
  status->descriptor = nullptr;
}

void al_model_status_list_free(struct al_model_status_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_model_status_done(&list->items[i]);
  al_free(list->items);
  *list = (struct al_model_status_list){};
}
