#include "inference/task.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

#include <stdatomic.h>

constexpr size_t N_PREPARE_THREADS = 2;
constexpr size_t MOST_PREPARING = 8192;

struct al_task_runner {
  struct al_pool *pool;
  struct al_queue *prepare; /* of struct al_task */
  struct al_thread threads[N_PREPARE_THREADS];
  atomic_bool stopping;
  atomic_size_t n_active;
};

/* --- the way ---------------------------------------------------------------------------------------------------- */

static enum al_code fail_overloaded(struct al_err *err)
{
  return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "too many requests are being prepared; try again later"),
                        "overloaded");
}

enum al_code al_task_still_wanted(const struct al_task *task, struct al_err *err)
{
  enum al_code reason = al_cancel_reason(task->waiter.cancel);
  if (atomic_load(&task->runner->stopping))
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  return reason == AL_OK ? AL_OK : al_fail(err, reason, "the request was ended before its prompt was ready");
}

void al_task_again(struct al_task *task)
{
  struct al_err err;
  if (al_queue_push(task->runner->prepare, task))
    return;
  if (al_task_still_wanted(task, &err) != AL_OK || fail_overloaded(&err) != AL_OK)
    task->ops->fail(task, &err);
}

/* The pool's answer after a load. */
static void on_ready(struct al_pool_waiter *waiter, struct al_pool_model *lease, const struct al_err *err)
{
  struct al_task *task = (struct al_task *)waiter;
  task->lease = lease;
  if (lease == nullptr)
    task->ops->fail(task, err);
  else
    al_task_again(task);
}

static enum al_code start(struct al_task *task, const char *model, struct al_err *err)
{
  struct al_pool_model *lease = nullptr;
  AL_TRY(al_pool_acquire(task->runner->pool, model, &task->waiter, &lease, err));
  if (lease == nullptr) /* on_ready owns the task now */
    return AL_OK;
  task->lease = lease;
  if (al_queue_push(task->runner->prepare, task))
    return AL_OK;
  al_pool_release(lease, &(struct al_pool_use){});
  task->lease = nullptr;
  return fail_overloaded(err);
}

enum al_code al_task_start(struct al_task_runner *runner, struct al_task *task, const char *model, struct al_err *err)
{
  task->runner = runner;
  task->waiter.ready = on_ready;
  atomic_fetch_add(&runner->n_active, 1);
  enum al_code code = start(task, model, err);
  if (code != AL_OK)
    al_task_done(runner);
  return code;
}

void al_task_started(struct al_task *task)
{
  if (!task->started)
    al_pool_started(task->lease);
  task->started = true;
}

void al_task_release(struct al_task *task, int n_prompt, int n_completion)
{
  struct al_pool_use use = { .started = task->started, .n_prompt = n_prompt, .n_completion = n_completion };
  if (task->lease != nullptr)
    al_pool_release(task->lease, &use);
  task->lease = nullptr;
}

void al_task_done(struct al_task_runner *runner)
{
  atomic_fetch_sub(&runner->n_active, 1);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void prepare_thread(void *argument)
{
  struct al_task_runner *runner = argument;
  for (struct al_task *task; (task = al_queue_pop(runner->prepare, AL_NO_DEADLINE)) != nullptr;)
    task->ops->prepare(task);
}

enum al_code al_task_runner_new(struct al_task_runner **runner, struct al_err *err)
{
  struct al_task_runner *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->prepare = al_queue_new(MOST_PREPARING);
  enum al_code code = made->prepare == nullptr ? al_fail_oom(err, MOST_PREPARING) : AL_OK;
  for (size_t i = 0; i < N_PREPARE_THREADS && code == AL_OK; i++)
    code = al_thread_start(&made->threads[i], "al-prepare", prepare_thread, made, err);
  if (code != AL_OK) {
    al_task_runner_stop(made);
    al_task_runner_free(made);
    return code;
  }
  *runner = made;
  return AL_OK;
}

void al_task_runner_use(struct al_task_runner *runner, struct al_pool *pool)
{
  runner->pool = pool;
}

void al_task_runner_stop(struct al_task_runner *runner)
{
  if (runner == nullptr)
    return;
  atomic_store(&runner->stopping, true);
  if (runner->prepare != nullptr)
    al_queue_close(runner->prepare);
  for (size_t i = 0; i < N_PREPARE_THREADS; i++)
    al_thread_join(&runner->threads[i]);
}

void al_task_runner_free(struct al_task_runner *runner)
{
  if (runner == nullptr)
    return;
  al_queue_free(runner->prepare);
  al_free(runner);
}

size_t al_task_runner_n_active(struct al_task_runner *runner)
{
  return atomic_load(&runner->n_active);
}

enum al_code al_task_copy_str(struct al_arena *arena, struct al_str *text, struct al_err *err)
{
  char *copy = al_arena_strndup(arena, text->data != nullptr ? text->data : "", text->size);
  if (copy == nullptr)
    return al_fail_oom(err, text->size);
  text->data = copy;
  return AL_OK;
}
