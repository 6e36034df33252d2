/* The model pool: which models are in memory. A model is loaded when first asked for, one load at a time for each
 * model; requests that come meanwhile wait and are all answered, also with the load's error. A lease pins a model;
 * without leases it goes when it has been idle for long, when somebody asks, or when another model needs its memory.
 *
 * The memory ledger: before a load the engine estimates what it takes; that must fit into what the machine has
 * available, less what loads in flight have been promised and what loaded models keep mapped. Idle models make room,
 * least recently used first; when that is not enough the load is refused with both figures.
 *
 * Thread-safe. Threads: "al-pool" (starts loads, ends idle models, unloads) and one "al-load" for each load in flight.
 */
#ifndef AL_SCHED_POOL_H
#define AL_SCHED_POOL_H

#include "base/cancel.h"
#include "engine/registry.h"
#include "sched/model_state.h"
#include "sched/scheduler.h"
#include "sched/worker.h"
#include "store/store.h"

struct al_pool;
struct al_pool_model; /* a leased model */

struct al_loaded { /* constant while leased */
  struct al_model_descriptor *descriptor;
  const struct al_engine *engine;
  struct al_engine_model *model;
  struct al_scheduler *scheduler; /* of a text model; then `info` is valid */
  struct al_text_info info;
  struct al_worker *worker; /* of any other */
  uint64_t memory_bytes;
  void *attachment; /* of the hooks */
};

/* What the layer above keeps beside each loaded model. Called on the loading / unloading thread, under no lock. */
struct al_pool_hooks {
  enum al_code (*attach)(void *user, const struct al_loaded *loaded, void **attachment, struct al_err *err);
  void (*detach)(void *user, void *attachment);
  void *user;
};

struct al_pool_options {
  struct al_store *store;             /* borrowed */
  struct al_engine_registry registry; /* borrowed contents */
  struct al_load_options load;
  size_t max_waiting;                      /* requests not yet running, for each model */
  int64_t idle_unload_ms;                  /* 0: never */
  struct al_gate gate;                     /* model_id is set for each model */
  struct al_pool_hooks hooks;              /* zeroed: none */
  uint64_t (*available_bytes)(void *user); /* nullptr: what the machine says */
  void *available_user;
};

enum al_code al_pool_new(const struct al_pool_options *options, struct al_pool **pool, struct al_err *err);
/* No more acquisitions; stops loads; answers everybody who waits with AL_CANCELLED, reason "shutting_down". */
void al_pool_stop(struct al_pool *pool);
/* After al_pool_stop: ends running requests (which give back their leases), unloads, joins. Accepts nullptr. */
void al_pool_free(struct al_pool *pool);

/* A place in the queue for a model, inside the caller's request object. */
struct al_pool_waiter {
  struct al_cancel *cancel; /* borrowed; who gives up is answered at once, whatever the load does */
  /* Once, on an internal thread, under no lock: either a lease, or nullptr and why. */
  void (*ready)(struct al_pool_waiter *waiter, struct al_pool_model *lease, const struct al_err *err);
  /* private */
  struct al_pool_waiter *next;
  struct al_cancel_watch watch;
  bool counted; /* among n_waiting */
};

/* AL_OK and *lease set: loaded, leased now. AL_OK and *lease nullptr: waiter->ready will come. Otherwise nothing will:
 * AL_NOT_FOUND, the descriptor's problem, no engine, AL_OOM_RAM with reason "overloaded".
 * Either way the request counts as waiting until al_pool_started. */
enum al_code al_pool_acquire(struct al_pool *pool, const char *id, struct al_pool_waiter *waiter,
                             struct al_pool_model **lease, struct al_err *err);
/* The same in two steps, for a request that can be found wrong before the model is loaded for it: `enter` counts it
 * among those who wait, or refuses it; then one of `claim` (an error leaves the place the caller's) and `leave`. */
enum al_code al_pool_enter(struct al_pool *pool, const char *id, struct al_pool_model **place, struct al_err *err);
enum al_code al_pool_claim(struct al_pool_model *place, struct al_pool_waiter *waiter, struct al_pool_model **lease,
                           struct al_err *err);
void al_pool_leave(struct al_pool_model *place);

const struct al_loaded *al_pool_loaded(const struct al_pool_model *lease); /* borrowed until release */
void al_pool_started(struct al_pool_model *lease);                         /* the request runs now */

struct al_pool_use { /* of a request that ends */
  bool started;
  int n_prompt, n_completion; /* tokens */
  double audio_s;             /* heard or spoken */
  int n_images;               /* drawn */
};
void al_pool_release(struct al_pool_model *lease, const struct al_pool_use *use);

/* `done` comes once, from an internal thread; err->code AL_OK on success. An unload lets running requests end first. */
typedef void al_pool_done_fn(void *user, const struct al_err *err);
enum al_code al_pool_load(struct al_pool *pool, const char *id, al_pool_done_fn *done, void *user, struct al_err *err);
enum al_code al_pool_unload(struct al_pool *pool, const char *id, al_pool_done_fn *done, void *user,
                            struct al_err *err);

struct al_pool_status {
  enum al_model_state state;
  float load_fraction;
  int n_running, n_waiting, n_ctx, n_gpu_layers;
  uint64_t memory_bytes;
  int64_t loaded_s, last_used_s; /* Unix time; 0 never */
  double load_ms;
  uint64_t n_requests, n_prompt_tokens, n_completion_tokens;
  double audio_s;
  uint64_t n_images;
};
/* Zeroed for a model that was never asked for. */
void al_pool_status(struct al_pool *pool, const char *id, struct al_pool_status *status);

#endif
