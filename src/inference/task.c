#include "inference/task.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

#include <assert.h>
#include <stdatomic.h>

constexpr size_t MOST_PREPARING = 8192;
constexpr size_t ARENA_CAP = (size_t)256 << 20;

struct al_task_runner {
  struct al_pool *pool;
  struct al_queue *prepare; /* of struct al_task */
  struct al_thread threads[AL_TASK_MOST_THREADS];
  size_t n_threads;
  atomic_bool stopping;
  atomic_size_t n_active;
  atomic_size_t n_started; /* threads: which place in `probing` is whose */
  struct al_mutex mutex;
  struct al_cancel *probing[AL_TASK_MOST_THREADS]; /* under `mutex`: the tokens of what looks at files, references */
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
  return reason == AL_OK ? AL_OK : al_fail(err, reason, "the request was ended before it was done");
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
  else if (task->ops->probe != nullptr)
    task->ops->prepare(task);
  else
    al_task_again(task);
}

static enum al_code start_probe(struct al_task *task, const char *model, struct al_err *err)
{
  AL_TRY(al_pool_enter(task->runner->pool, model, &task->place, err));
  if (al_queue_push(task->runner->prepare, task))
    return AL_OK;
  al_pool_leave(AL_TAKE(task->place));
  return fail_overloaded(err);
}

static enum al_code start(struct al_task *task, const char *model, struct al_err *err)
{
  if (task->ops->probe != nullptr)
    return start_probe(task, model, err);
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

void al_task_release(struct al_task *task, const struct al_pool_use *use)
{
  struct al_pool_use whole = *use;
  whole.started = task->started;
  if (task->lease != nullptr)
    al_pool_release(task->lease, &whole);
  if (task->place != nullptr)
    al_pool_leave(task->place);
  task->lease = task->place = nullptr;
}

void al_task_done(struct al_task_runner *runner)
{
  atomic_fetch_sub(&runner->n_active, 1);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void note_probe(struct al_task_runner *runner, size_t thread, struct al_cancel *cancel)
{
  al_mutex_lock(&runner->mutex);
  struct al_cancel *before = runner->probing[thread];
  runner->probing[thread] = al_cancel_ref(cancel);
  al_mutex_unlock(&runner->mutex);
  al_cancel_unref(before);
}

/* Then the model is asked for: the pool or whoever gets the lease owns the task. */
static void probe(struct al_task *task, size_t thread)
{
  struct al_err err = {};
  note_probe(task->runner, thread, task->waiter.cancel);
  enum al_code code = al_task_still_wanted(task, &err);
  if (code == AL_OK)
    code = task->ops->probe(task, &err);
  note_probe(task->runner, thread, nullptr);
  if (code != AL_OK) {
    task->ops->fail(task, &err);
    return;
  }
  struct al_pool_model *place = AL_TAKE(task->place), *lease = nullptr;
  code = al_pool_claim(place, &task->waiter, &lease, &err);
  if (code != AL_OK) {
    task->place = place;
    task->ops->fail(task, &err);
  } else if (lease != nullptr) {
    task->lease = lease;
    task->ops->prepare(task);
  }
}

/* One that came here again after its probe may look at files once more. */
static void prepare(struct al_task *task, size_t thread)
{
  struct al_task_runner *runner = task->runner;
  bool may_block = task->ops->probe != nullptr;
  if (may_block)
    note_probe(runner, thread, task->waiter.cancel);
  task->ops->prepare(task);
  if (may_block)
    note_probe(runner, thread, nullptr);
}

static void prepare_thread(void *argument)
{
  struct al_task_runner *runner = argument;
  size_t thread = atomic_fetch_add(&runner->n_started, 1);
  for (struct al_task *task; (task = al_queue_pop(runner->prepare, AL_NO_DEADLINE)) != nullptr;) {
    if (task->place != nullptr)
      probe(task, thread);
    else
      prepare(task, thread);
  }
}

enum al_code al_task_runner_new(const char *name, size_t n_threads, struct al_task_runner **runner, struct al_err *err)
{
  assert(n_threads > 0 && n_threads <= AL_TASK_MOST_THREADS);
  struct al_task_runner *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  al_mutex_init(&made->mutex);
  made->n_threads = n_threads;
  made->prepare = al_queue_new(MOST_PREPARING);
  enum al_code code = made->prepare == nullptr ? al_fail_oom(err, MOST_PREPARING) : AL_OK;
  for (size_t i = 0; i < n_threads && code == AL_OK; i++)
    code = al_thread_start(&made->threads[i], name, prepare_thread, made, err);
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

static void stop_probes(struct al_task_runner *runner)
{
  for (size_t i = 0; i < runner->n_threads; i++) {
    al_mutex_lock(&runner->mutex);
    struct al_cancel *cancel = al_cancel_ref(runner->probing[i]);
    al_mutex_unlock(&runner->mutex);
    al_cancel_fire(cancel, AL_CANCELLED);
    al_cancel_unref(cancel);
  }
}

void al_task_runner_stop(struct al_task_runner *runner)
{
  if (runner == nullptr)
    return;
  atomic_store(&runner->stopping, true);
  if (runner->prepare != nullptr)
    al_queue_close(runner->prepare);
  stop_probes(runner);
  for (size_t i = 0; i < runner->n_threads; i++)
    al_thread_join(&runner->threads[i]);
}

void al_task_runner_free(struct al_task_runner *runner)
{
  if (runner == nullptr)
    return;
  al_queue_free(runner->prepare);
  al_mutex_done(&runner->mutex);
  al_free(runner);
}

size_t al_task_runner_n_active(struct al_task_runner *runner)
{
  return atomic_load(&runner->n_active);
}

/* --- what a task owns ------------------------------------------------------------------------------------------- */

enum al_code al_task_init(struct al_task *task, const struct al_task_ops *ops, struct al_cancel *cancel,
                          struct al_err *err)
{
  task->ops = ops;
  task->waiter.cancel = al_cancel_ref(cancel);
  task->arena = al_arena_new(ARENA_CAP);
  return task->arena != nullptr ? AL_OK : al_fail_oom(err, sizeof *task);
}

void al_task_fini(struct al_task *task)
{
  al_cancel_unref(task->waiter.cancel);
  al_arena_free(task->arena);
}

enum al_code al_task_copy_str(struct al_task *task, struct al_str *text, struct al_err *err)
{
  char *copy = al_arena_strndup(task->arena, text->data != nullptr ? text->data : "", text->size);
  if (copy == nullptr)
    return al_fail_oom(err, text->size);
  text->data = copy;
  return AL_OK;
}

enum al_code al_task_copy_name(struct al_task *task, const char **name, struct al_err *err)
{
  struct al_str text = al_str(*name);
  AL_TRY(al_task_copy_str(task, &text, err));
  *name = text.data;
  return AL_OK;
}
