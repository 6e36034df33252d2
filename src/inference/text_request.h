/* One text request on its way: submitted -> (waits for its model) -> prepared -> scheduled -> answered. Owned by
 * whoever holds it at the moment: the pool's queue, the prepare queue, a prepare thread, the scheduler; the holder is
 * the only one who touches it. */
#ifndef AL_INFERENCE_TEXT_REQUEST_H
#define AL_INFERENCE_TEXT_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "inference/inference.h"
#include "sched/pool.h"
#include "text/stop.h"

struct al_text_manager;

struct al_text_job {
  struct al_pool_waiter waiter; /* first: the pool hands it back */
  struct al_text_manager *manager;
  struct al_arena *arena; /* its copies of what was submitted */
  struct al_text_request request;
  struct al_str chat; /* JSON; data nullptr: request.prompt */
  struct al_pool_model *lease;
  bool started; /* the pool counts it as running */
  struct al_stop *filter;
  struct al_buf text; /* what leaves next */
  int stop;           /* index of the stop string that was met; -1 */
  bool lost;          /* text could not be kept for lack of memory */
};

/* Copies the request. */
enum al_code al_text_job_new(const struct al_text_request *request, struct al_text_job **job, struct al_err *err);
void al_text_job_free(struct al_text_job *job); /* accepts nullptr; its lease must have been released */
AL_DEFINE_CLEANUP(struct al_text_job, al_text_job_free)

/* Each sends one event. */
void al_text_job_send_started(struct al_text_job *job, int n_prompt, const struct al_sampling *sampling);
void al_text_job_send_text(struct al_text_job *job); /* nothing when there is none */

#endif
