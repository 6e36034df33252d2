#include "inference/text_manager.h"

#include "base/alloc.h"
#include "inference/embed_task.h"
#include "inference/generation.h"
#include "inference/text_model.h"
#include "inference/token_task.h"

constexpr size_t N_THREADS = 2;

struct al_text_manager {
  struct al_task_runner *runner;
  struct al_store *store;
};

/* --- requests --------------------------------------------------------------------------------------------------- */

enum al_code al_text_manager_submit(struct al_text_manager *manager, const struct al_text_request *request,
                                    struct al_err *err)
{
  AL_CLEANUP(al_text_job_free_p) struct al_text_job *job = nullptr;
  AL_TRY(al_text_job_new(request, &job, err));
  job->store = manager->store;
  job->task.ops = &al_generation_task;
  AL_TRY(al_task_start(manager->runner, &job->task, job->request.model, err));
  job = nullptr;
  return AL_OK;
}

enum al_code al_text_manager_embed(struct al_text_manager *manager, const struct al_embed_request *request,
                                   struct al_err *err)
{
  return al_embed_submit(manager->runner, request, err);
}

enum al_code al_text_manager_tokens(struct al_text_manager *manager, const struct al_token_request *request,
                                    struct al_err *err)
{
  return al_tokens_submit(manager->runner, request, err);
}

size_t al_text_manager_n_active(struct al_text_manager *manager)
{
  return al_task_runner_n_active(manager->runner);
}

/* --- beside the models ------------------------------------------------------------------------------------------ */

static enum al_code attach(void *, const struct al_loaded *loaded, void **attachment, struct al_err *err)
{
  if (loaded->scheduler == nullptr)
    return AL_OK;
  struct al_text_model *model;
  AL_TRY(al_text_model_new(loaded, &model, err));
  *attachment = model;
  return AL_OK;
}

static void detach(void *, void *attachment)
{
  al_text_model_free(attachment);
}

struct al_pool_hooks al_text_hooks(void)
{
  return (struct al_pool_hooks){ .attach = attach, .detach = detach };
}

/* --- life ------------------------------------------------------------------------------------------------------- */

enum al_code al_text_manager_new(struct al_text_manager **manager, struct al_err *err)
{
  struct al_text_manager *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = al_task_runner_new("al-prepare", N_THREADS, &made->runner, err);
  if (code != AL_OK) {
    al_text_manager_free(made);
    return code;
  }
  *manager = made;
  return AL_OK;
}

void al_text_manager_use(struct al_text_manager *manager, struct al_pool *pool, struct al_store *store)
{
  al_task_runner_use(manager->runner, pool);
  manager->store = store;
}

void al_text_manager_stop(struct al_text_manager *manager)
{
  if (manager != nullptr)
    al_task_runner_stop(manager->runner);
}

void al_text_manager_free(struct al_text_manager *manager)
{
  if (manager == nullptr)
    return;
  al_task_runner_free(manager->runner);
  al_free(manager);
}
