#include "inference/worker_task.h"

#include "inference/impl.h"

static void on_done(struct al_worker_job *job, const struct al_err *err)
{
  al_worker_task_end(job->user, err);
}

enum al_code al_worker_task_init(struct al_worker_task *work, const struct al_worker_task_ops *ops,
                                 struct al_cancel *cancel, struct al_err *err)
{
  struct al_cancel *token = cancel != nullptr ? al_cancel_ref(cancel) : al_cancel_new();
  if (token == nullptr)
    return al_fail_oom(err, sizeof *work);
  work->ops = ops;
  work->job.run = ops->run;
  work->job.done = on_done;
  work->job.user = work;
  work->job.cancel = token; /* the task keeps the reference */
  enum al_code code = al_task_init(&work->task, &ops->task, token, err);
  al_cancel_unref(token);
  return code;
}

enum al_code al_worker_task_check(const struct al_worker_task *work, enum al_capability capability,
                                  const void *engine_ops, const char *verb, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(work->task.lease);
  unsigned capabilities = loaded->descriptor->capabilities;
  if (loaded->worker != nullptr && engine_ops != nullptr && (capabilities & (unsigned)capability) != 0)
    return AL_OK;
  return al_inference_wrong_kind(loaded->descriptor, verb, err);
}

void al_worker_task_submit(struct al_worker_task *work)
{
  struct al_err err = {};
  struct al_worker *worker = al_pool_loaded(work->task.lease)->worker;
  work->ops->tell_start(work);
  if (al_worker_submit(worker, &work->job, &err) != AL_OK)
    al_worker_task_end(work, &err);
}

/* Whatever else went wrong once the request was given up or the server stopped is a consequence of that. */
void al_worker_task_end(struct al_worker_task *work, const struct al_err *err)
{
  struct al_err why = *err;
  struct al_task_runner *runner = work->task.runner;
  bool failed = err->code != AL_OK;
  if (failed && !al_streq(err->reason, "shutting_down"))
    (void)!al_task_still_wanted(&work->task, &why);
  al_task_release(&work->task, &work->use);
  work->ops->tell_end(work, failed ? &why : nullptr);
  work->ops->free(work);
  al_task_done(runner);
}

void al_worker_task_fail(struct al_task *task, const struct al_err *err)
{
  al_worker_task_end((struct al_worker_task *)task, err);
}

bool al_worker_task_goes_on(const struct al_worker_task *work)
{
  return !al_cancelled(work->job.cancel);
}
