/* The two ways into a manager whose requests may come with a file: threads that open files, and one for requests that
 * have none, so that a hostile file, which may keep a thread busy until its decoder is ended, holds up files alone. */
#ifndef AL_INFERENCE_TASK_LANES_H
#define AL_INFERENCE_TASK_LANES_H

#include "inference/task.h"

struct al_task_lanes { /* zeroed before init */
  struct al_task_runner *files, *plain;
};

/* name: of the threads that open files. stop and done also after an error. */
enum al_code al_task_lanes_init(struct al_task_lanes *lanes, const char *name, struct al_err *err);
void al_task_lanes_use(const struct al_task_lanes *lanes, struct al_pool *pool); /* once; borrowed */
void al_task_lanes_stop(const struct al_task_lanes *lanes);                      /* after al_pool_stop */
void al_task_lanes_done(struct al_task_lanes *lanes);                            /* after al_pool_free */
size_t al_task_lanes_n_active(const struct al_task_lanes *lanes);                /* tasks not yet done */

#endif
