/* The worker of a model that does one thing at a time (speech; pictures): a bounded queue of jobs, run in order by one
 * thread ("al-worker"), which alone touches the model while it lives. A second thread ("al-usher") answers those whose
 * token fires while they wait, so that nobody who gives up waits for others to end.
 *
 * It knows nothing of what the jobs are. */
#ifndef AL_SCHED_WORKER_H
#define AL_SCHED_WORKER_H

#include "base/cancel.h"
#include "engine/engine.h"
#include "sched/gate.h"

struct al_worker;

struct al_worker_options {
  struct al_engine_model *model; /* borrowed; outlives the worker */
  struct al_gate gate;
  size_t max_waiting; /* jobs not yet running */
};

struct al_worker_job { /* inside the caller's object; its own until `done` */
  /* Borrowed until `done`; never nullptr. While `run` runs the worker fires it when it must end. */
  struct al_cancel *cancel;
  /* On the worker's thread, inside the gate: the engine's work, which looks at `cancel`. */
  enum al_code (*run)(struct al_worker_job *job, struct al_engine_model *model, struct al_err *err);
  /* Exactly once, last, on one of the worker's threads, outside the gate. err->code is AL_OK when `run` said so; the
   * token's reason, or AL_CANCELLED "shutting_down" when it was not run at all. */
  void (*done)(struct al_worker_job *job, const struct al_err *err);
  void *user;
  /* private */
  struct al_worker *worker;
  struct al_worker_job *next, *previous;
  struct al_cancel_watch watch;
  enum al_worker_job_state { AL_JOB_NEW, AL_JOB_WAITING, AL_JOB_DROPPED, AL_JOB_TAKEN } state;
};

enum al_code al_worker_start(const struct al_worker_options *options, struct al_worker **worker, struct al_err *err);
/* Stops the job that runs, ends those that wait with AL_CANCELLED (reason "shutting_down"), joins. Accepts nullptr. */
void al_worker_free(struct al_worker *worker);

/* Any thread. AL_OOM_RAM with reason "overloaded" when too many wait, the token's reason when it has fired already;
 * then and on other errors nothing is called. */
enum al_code al_worker_submit(struct al_worker *worker, struct al_worker_job *job, struct al_err *err);

#endif
