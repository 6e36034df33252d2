/* ImageManager: text and pictures to pictures. Reads a request's files on its own threads (task_lanes.h), so that what
 * is no picture is refused without a model and a file that keeps its decoder busy holds up neither a model nor those
 * who ask with words alone; then gets the model from the pool and hands the work to the model's worker (image_task.c).
 */
#ifndef AL_INFERENCE_IMAGE_MANAGER_H
#define AL_INFERENCE_IMAGE_MANAGER_H

#include "inference/image.h"
#include "sched/pool.h"

struct al_image_manager;

enum al_code al_image_manager_new(struct al_image_manager **manager, struct al_err *err);
void al_image_manager_use(struct al_image_manager *manager, struct al_pool *pool); /* once; borrowed */
/* After al_pool_stop: fails what is still being prepared and joins the threads. Accepts nullptr. */
void al_image_manager_stop(struct al_image_manager *manager);
void al_image_manager_free(struct al_image_manager *manager);       /* after al_pool_free; accepts nullptr */
size_t al_image_manager_n_active(struct al_image_manager *manager); /* not yet answered */

enum al_code al_draw_submit(struct al_image_manager *manager, const struct al_image_request *request,
                            struct al_err *err);

/* For the tasks. */
struct al_task_runner *al_image_manager_looking(struct al_image_manager *manager); /* where files are read */
struct al_task_runner *al_image_manager_plain(struct al_image_manager *manager);
/* Decoded pictures wait in memory, all requests' together up to a limit. AL_OOM_RAM "overloaded" beyond it. */
enum al_code al_image_manager_hold(struct al_image_manager *manager, size_t n_bytes, struct al_err *err);
void al_image_manager_let_go(struct al_image_manager *manager, size_t n_bytes);

#endif
