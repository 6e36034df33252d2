/* A request's way to a loaded model and a thread that prepares it: submitted -> (waits for its model) -> a prepare
 * thread -> wherever `prepare` hands it. One with a `probe` goes submitted -> a prepare thread, which probes it ->
 * (waits for its model) -> `prepare`. Owned by whoever holds it at the moment: the pool's queue, the prepare queue,
 * a prepare thread, the model's scheduler or worker; the holder is the only one who touches it. */
#ifndef AL_INFERENCE_TASK_H
#define AL_INFERENCE_TASK_H

#include "base/arena.h"
#include "base/cancel.h"
#include "sched/pool.h"

struct al_task_runner; /* the threads and their queue; thread-safe */
struct al_task;

struct al_task_ops {
  /* Without a model, on a prepare thread: what can be refused before one is loaded for it. It looks at waiter.cancel
   * (not nullptr then), which the runner fires when it stops. nullptr: nothing can. */
  enum al_code (*probe)(struct al_task *task, struct al_err *err);
  /* With a lease, on a prepare thread; after a probe on whatever thread brings the lease, so it must not block then:
   * al_task_again calls it once more on a prepare thread, where it may as `probe` may. Ends the task, or hands it on.
   */
  void (*prepare)(struct al_task *task);
  /* Nothing came of it. Ends the task. */
  void (*fail)(struct al_task *task, const struct al_err *err);
};

struct al_task {
  struct al_pool_waiter waiter; /* first: the pool hands it back */
  const struct al_task_ops *ops;
  struct al_task_runner *runner;
  struct al_arena *arena;      /* its copies of what was submitted */
  struct al_pool_model *place; /* while it is probed */
  struct al_pool_model *lease;
  bool started; /* the pool counts it as running */
};

constexpr size_t AL_TASK_MOST_THREADS = 8;
/* name: of its threads. */
enum al_code al_task_runner_new(const char *name, size_t n_threads, struct al_task_runner **runner, struct al_err *err);
void al_task_runner_use(struct al_task_runner *runner,
                        struct al_pool *pool); /* once, before the first task; borrowed */
/* After al_pool_stop: fails what is still being prepared and joins the threads. Accepts nullptr. */
void al_task_runner_stop(struct al_task_runner *runner);
void al_task_runner_free(struct al_task_runner *runner);       /* after al_pool_free; accepts nullptr */
size_t al_task_runner_n_active(struct al_task_runner *runner); /* tasks not yet done */

/* A zeroed task gets its arena; takes a reference to `cancel` (may be nullptr). al_task_fini also after an error. */
enum al_code al_task_init(struct al_task *task, const struct al_task_ops *ops, struct al_cancel *cancel,
                          struct al_err *err);
void al_task_fini(struct al_task *task);
/* A borrowed string becomes one of the arena's, never nullptr. */
enum al_code al_task_copy_str(struct al_task *task, struct al_str *text, struct al_err *err);
enum al_code al_task_copy_name(struct al_task *task, const char **name, struct al_err *err);

/* On an error it stays the caller's, and nothing will be called. */
enum al_code al_task_start(struct al_task_runner *runner, struct al_task *task, const char *model, struct al_err *err);
/* To the prepare threads once more: something that it waited for is there. */
void al_task_again(struct al_task *task);
void al_task_started(struct al_task *task); /* it runs now; more than once does no harm */
enum al_code al_task_still_wanted(const struct al_task *task, struct al_err *err);
/* Before its last event: gives the lease back, so that whoever hears of the end finds the model idle. */
void al_task_release(struct al_task *task, const struct al_pool_use *use); /* `started` is filled in */
void al_task_done(struct al_task_runner *runner);                          /* after its last event */

#endif
