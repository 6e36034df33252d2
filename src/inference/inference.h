/* InferenceEngine: what the API endpoints call. It routes a request to the manager of its modality, which gets the
 * model loaded and runs it. Asynchronous: submit returns at once, events come by callback.
 *
 * Thread-safe. Owns the model pool, the schedulers and their threads. */
#ifndef AL_INFERENCE_INFERENCE_H
#define AL_INFERENCE_INFERENCE_H

#include "base/cancel.h"
#include "codec/json.h"
#include "engine/registry.h"
#include "inference/audio.h"
#include "inference/image.h"
#include "inference/text.h"
#include "inference/vectors.h"
#include "sched/model_state.h"
#include "sched/sampling.h"
#include "store/store.h"

struct al_inference;

struct al_inference_options {
  struct al_store *store;             /* borrowed, outlives the engine */
  struct al_engine_registry registry; /* borrowed contents */
  struct al_load_options load;        /* defaults for every load */
  int max_queued;                     /* requests waiting per model before 503; 0: 256 */
  int64_t idle_unload_ms;             /* 0: models stay loaded */
  const char *const *quarantined;     /* model ids that crashed the worker too often: refused with that reason */
  size_t n_quarantined;
  /* Tells the supervisor which model's engine code runs, so that a crash has an address. Called on the thread that is
   * about to enter (true) or has left (false) the engine; must be quick. nullptr: nobody listens. */
  void (*in_engine)(void *user, const char *model_id, bool inside);
  void *in_engine_user;
};

enum al_code al_inference_new(const struct al_inference_options *options, struct al_inference **inference,
                              struct al_err *err);
/* No new requests from now on (they fail with AL_CANCELLED, reason "shutting_down"); running ones go on. */
void al_inference_drain(struct al_inference *inference);
size_t al_inference_n_active(struct al_inference *inference); /* requests not yet answered */
void al_inference_free(struct al_inference *inference);       /* cancels what still runs, unloads, joins every thread */

/* --- models ---------------------------------------------------------------------------------------------------- */

struct al_model_status {
  struct al_model_descriptor *descriptor; /* a reference */
  enum al_model_state state;
  struct al_err problem; /* AL_OK: can run here now; otherwise why not (files, no engine, quarantined) */
  float load_fraction;
  int n_running;
  int n_waiting;
  int n_ctx; /* when loaded */
  int n_gpu_layers;
  uint64_t memory_bytes;
  int64_t loaded_s, last_used_s; /* Unix time; 0 never */
  double load_ms;
  uint64_t n_requests, n_prompt_tokens, n_completion_tokens; /* since the worker started */
  double audio_s;                                            /* heard or spoken since then */
  uint64_t n_images;                                         /* drawn since then */
};

struct al_model_status_list {
  struct al_model_status *items;
  size_t count;
};
enum al_code al_inference_models(struct al_inference *inference, struct al_model_status_list *list, struct al_err *err);
enum al_code al_inference_model(struct al_inference *inference, const char *id, struct al_model_status *status,
                                struct al_err *err); /* al_model_status_done afterwards */
void al_model_status_done(struct al_model_status *status);
void al_model_status_list_free(struct al_model_status_list *list);

/* Loads now / unloads once idle requests have ended. `done` is called once, from an internal thread. */
typedef void al_model_done_fn(void *user, const struct al_err *err); /* err->code AL_OK on success */
enum al_code al_inference_load(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                               struct al_err *err);
enum al_code al_inference_unload(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                                 struct al_err *err);

#endif
