/* Inside the pool, shared by pool.c (leases), keeper.c (the thread, life and death), pool_load.c (a load, an unload)
 * and ledger.c. */
#ifndef AL_SCHED_POOL_IMPL_H
#define AL_SCHED_POOL_IMPL_H

#include "base/map.h"
#include "base/thread.h"
#include "sched/pool.h"

struct al_pool_notice { /* somebody who asked for an unload */
  struct al_pool_notice *next;
  al_pool_done_fn *done;
  void *user;
};

/* Everything is under the pool's mutex, but `loaded`, which its owner alone touches while LOADING or `disposing` and
 * nobody changes while READY. */
struct al_pool_model {
  struct al_pool *pool;
  char *id;
  enum al_model_state state;
  bool load_wanted; /* the keeper is to start a load (state LOADING) */
  bool load_ended;  /* the load's thread can be joined */
  bool disposing;   /* somebody is unloading it */
  struct al_thread loader;
  struct al_loaded loaded;
  struct al_pool_waiter *waiters, **last_waiter;
  bool drop_wanted; /* one of them has given up */
  struct al_pool_notice *unload_notices;
  bool unload_wanted; /* asked for while loading */
  int n_leases;
  uint64_t reserved_bytes; /* promised to a load in flight */
  uint64_t mapped_bytes;   /* of a loaded one */
  int64_t last_used_ns;
  struct al_pool_status status;
};

struct al_pool {
  struct al_pool_options options;
  struct al_mutex mutex;
  struct al_cond work; /* for the keeper */
  struct al_thread keeper;
  struct al_map *models; /* id -> struct al_pool_model, never removed before the end */
  bool stopping;
};

/* pool_load.c */
void al_pool_load_run(void *model);                /* the load's thread */
void al_pool_dispose(struct al_pool_model *model); /* claimed (disposing) by the caller; no lock held */
void al_pool_load_failed(struct al_pool_model *model, const struct al_err *err); /* ends a load; no lock held */

void al_pool_tell(struct al_pool_notice *notices); /* that their model is gone; frees them */

constexpr size_t AL_POOL_MAX_MODELS = 4096;
enum al_code al_pool_fail_stopping(struct al_err *err);

/* pool.c; with the lock held */
bool al_pool_claim_idle(struct al_pool_model *model); /* READY without leases becomes UNLOADING and the caller's */
struct al_pool_waiter *al_pool_take_waiters(struct al_pool_model *model);
struct al_pool_waiter *al_pool_take_refused(struct al_pool_model *model); /* they will get no lease */
/* without it */
void al_pool_answer(struct al_pool_waiter *waiters, struct al_pool_model *lease, const struct al_err *err);
void al_pool_drop_cancelled(struct al_pool_model *model);

/* ledger.c: promises `need` to the load, after evicting idle models if need be; no lock held */
enum al_code al_pool_reserve(struct al_pool_model *model, const struct al_memory_estimate *estimate,
                             struct al_err *err);

#endif
