/* A task that becomes a job of its model's worker: what speech and pictures have in common. Owned like every task; its
 * end frees it. */
#ifndef AL_INFERENCE_WORKER_TASK_H
#define AL_INFERENCE_WORKER_TASK_H

#include "inference/task.h"

struct al_worker_task;

struct al_worker_task_ops {
  struct al_task_ops task;
  enum al_code (*run)(struct al_worker_job *job, struct al_engine_model *model, struct al_err *err);
  /* STARTED; nothing was told before. */
  void (*tell_start)(struct al_worker_task *work);
  /* The last event. err: nullptr when all went well. */
  void (*tell_end)(struct al_worker_task *work, const struct al_err *err);
  void (*free)(struct al_worker_task *work); /* al_task_fini and the rest */
};

struct al_worker_task {
  struct al_task task; /* first */
  struct al_worker_job job;
  const struct al_worker_task_ops *ops;
  struct al_pool_use use; /* made by the work, for the pool's account; `started` is filled in */
};

/* Of a zeroed task. cancel: nullptr: the task has one of its own. al_task_fini also after an error. */
enum al_code al_worker_task_init(struct al_worker_task *work, const struct al_worker_task_ops *ops,
                                 struct al_cancel *cancel, struct al_err *err);
/* Whether the leased model is of that kind at all. engine_ops: the slot of its engine; `verb`: "transcribes speech". */
enum al_code al_worker_task_check(const struct al_worker_task *work, enum al_capability capability,
                                  const void *engine_ops, const char *verb, struct al_err *err);
/* STARTED, and into the queue of the model's worker; or the end. The task is not the caller's any more. */
void al_worker_task_submit(struct al_worker_task *work);
/* DONE (err->code AL_OK) or FAILED; gives the lease back before and frees the task after. */
void al_worker_task_end(struct al_worker_task *work, const struct al_err *err);
void al_worker_task_fail(struct al_task *task, const struct al_err *err); /* the same, as the task's `fail` */
bool al_worker_task_goes_on(const struct al_worker_task *work);           /* nobody has given up */

#endif
