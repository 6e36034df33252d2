#include "sched/worker.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

#include <assert.h>

struct job_list {
  struct al_worker_job *first, *last;
  size_t count;
};

struct al_worker {
  struct al_worker_options options;
  struct al_thread thread, usher;
  /* under `mutex` */
  struct al_mutex mutex;
  struct al_cond arrived, left; /* for the thread; for the usher */
  struct job_list waiting, dropped;
  struct al_worker_job *running;
  bool stopping, usher_ends;
};

/* --- lists ------------------------------------------------------------------------------------------------------ */

static void push(struct job_list *list, struct al_worker_job *job)
{
  job->next = nullptr;
  job->previous = list->last;
  *(list->last != nullptr ? &list->last->next : &list->first) = job;
  list->last = job;
  list->count++;
}

static void take_out(struct job_list *list, struct al_worker_job *job)
{
  *(job->previous != nullptr ? &job->previous->next : &list->first) = job->next;
  *(job->next != nullptr ? &job->next->previous : &list->last) = job->previous;
  list->count--;
}

static struct al_worker_job *pop(struct job_list *list)
{
  struct al_worker_job *job = list->first;
  if (job != nullptr)
    take_out(list, job);
  return job;
}

/* --- jobs ------------------------------------------------------------------------------------------------------- */

static enum al_code fail_stopping(struct al_err *err)
{
  return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
}

static enum al_code fail_given_up(const struct al_worker_job *job, struct al_err *err)
{
  return al_fail(err, al_cancel_reason(job->cancel), "the request was ended before its turn came");
}

/* The token fired, on whatever thread: a waiting job becomes the usher's. One that runs looks at its token itself. */
static void on_fired(void *user)
{
  struct al_worker_job *job = user;
  struct al_worker *w = job->worker;
  AL_LOCKED(&w->mutex);
  if (job->state == AL_JOB_WAITING) {
    take_out(&w->waiting, job);
    push(&w->dropped, job);
    al_cond_signal(&w->left);
  }
  if (job->state != AL_JOB_TAKEN)
    job->state = AL_JOB_DROPPED;
}

static enum al_code enqueue(struct al_worker *w, struct al_worker_job *job, struct al_err *err)
{
  AL_LOCKED(&w->mutex);
  if (w->stopping)
    return fail_stopping(err);
  if (job->state == AL_JOB_DROPPED)
    return fail_given_up(job, err);
  if (w->waiting.count >= w->options.max_waiting)
    return al_fail_reason(
        err, al_fail(err, AL_OOM_RAM, "%zu requests wait for this model already; try again later", w->waiting.count),
        "overloaded");
  job->state = AL_JOB_WAITING;
  push(&w->waiting, job);
  al_cond_signal(&w->arrived);
  return AL_OK;
}

enum al_code al_worker_submit(struct al_worker *w, struct al_worker_job *job, struct al_err *err)
{
  assert(job->cancel != nullptr);
  job->worker = w;
  job->state = AL_JOB_NEW;
  job->watch = (struct al_cancel_watch){ .fired = on_fired, .user = job };
  if (!al_cancel_watch(job->cancel, &job->watch))
    return fail_given_up(job, err);
  enum al_code code = enqueue(w, job, err);
  if (code != AL_OK)
    al_cancel_unwatch(job->cancel, &job->watch);
  return code;
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

/* nullptr: time to end. */
static struct al_worker_job *take_next(struct al_worker *w)
{
  AL_LOCKED(&w->mutex);
  while (!w->stopping && w->waiting.first == nullptr)
    (void)al_cond_wait(&w->arrived, &w->mutex, AL_NO_DEADLINE);
  if (w->stopping)
    return nullptr;
  w->running = pop(&w->waiting);
  w->running->state = AL_JOB_TAKEN;
  return w->running;
}

static enum al_code run_job(struct al_worker *w, struct al_worker_job *job, struct al_err *err)
{
  if (al_cancelled(job->cancel))
    return fail_given_up(job, err);
  al_gate_enter(&w->options.gate);
  enum al_code code = job->run(job, w->options.model, err);
  al_gate_leave(&w->options.gate);
  return code;
}

/* Nobody fires the job's token on our account from here on. true: we may have. */
static bool forget_running(struct al_worker *w)
{
  AL_LOCKED(&w->mutex);
  w->running = nullptr;
  return w->stopping;
}

static void end_waiting(struct al_worker *w)
{
  for (;;) {
    struct al_worker_job *job;
    {
      AL_LOCKED(&w->mutex);
      job = pop(&w->waiting);
      if (job != nullptr)
        job->state = AL_JOB_TAKEN;
    }
    if (job == nullptr)
      return;
    al_cancel_unwatch(job->cancel, &job->watch);
    struct al_err err;
    (void)fail_stopping(&err);
    job->done(job, &err);
  }
}

static void work(void *argument)
{
  struct al_worker *w = argument;
  for (struct al_worker_job *job; (job = take_next(w)) != nullptr;) {
    struct al_err err = {};
    al_cancel_unwatch(job->cancel, &job->watch);
    enum al_code code = run_job(w, job, &err);
    if (forget_running(w) && code != AL_OK)
      code = fail_stopping(&err);
    err.code = code;
    job->done(job, &err);
  }
  end_waiting(w);
}

/* --- the usher -------------------------------------------------------------------------------------------------- */

static struct al_worker_job *take_dropped(struct al_worker *w)
{
  AL_LOCKED(&w->mutex);
  while (w->dropped.first == nullptr && !w->usher_ends)
    (void)al_cond_wait(&w->left, &w->mutex, AL_NO_DEADLINE);
  return pop(&w->dropped);
}

static void usher(void *argument)
{
  struct al_worker *w = argument;
  for (struct al_worker_job *job; (job = take_dropped(w)) != nullptr;) {
    struct al_err err;
    al_cancel_unwatch(job->cancel, &job->watch);
    (void)fail_given_up(job, &err);
    job->done(job, &err);
  }
}

/* --- life ------------------------------------------------------------------------------------------------------- */

enum al_code al_worker_start(const struct al_worker_options *options, struct al_worker **worker, struct al_err *err)
{
  struct al_worker *w = al_calloc(1, sizeof *w);
  if (w == nullptr)
    return al_fail_oom(err, sizeof *w);
  w->options = *options;
  al_mutex_init(&w->mutex);
  al_cond_init(&w->arrived);
  al_cond_init(&w->left);
  enum al_code code = al_thread_start(&w->thread, "al-worker", work, w, err);
  if (code == AL_OK)
    code = al_thread_start(&w->usher, "al-usher", usher, w, err);
  if (code != AL_OK) {
    al_worker_free(w);
    return code;
  }
  *worker = w;
  return AL_OK;
}

/* No more jobs. A reference to the token of the one that runs. */
static struct al_cancel *stop(struct al_worker *w)
{
  AL_LOCKED(&w->mutex);
  w->stopping = true;
  al_cond_signal(&w->arrived);
  return w->running != nullptr ? al_cancel_ref(w->running->cancel) : nullptr;
}

/* The usher last: what was dropped meanwhile is its to answer. */
void al_worker_free(struct al_worker *w)
{
  if (w == nullptr)
    return;
  struct al_cancel *running = stop(w);
  al_cancel_fire(running, AL_CANCELLED);
  al_cancel_unref(running);
  al_thread_join(&w->thread);
  al_mutex_lock(&w->mutex);
  w->usher_ends = true;
  al_cond_signal(&w->left);
  al_mutex_unlock(&w->mutex);
  al_thread_join(&w->usher);
  al_cond_done(&w->left);
  al_cond_done(&w->arrived);
  al_mutex_done(&w->mutex);
  al_free(w);
}
