/* InferenceEngine: what the API endpoints call. It routes a request to the manager of its modality, which gets the
 * model loaded and runs it. Asynchronous: submit returns at once, events come by callback.
 *
 * Thread-safe. Owns the model pool, the schedulers and their threads. */
#ifndef AL_INFERENCE_INFERENCE_H
#define AL_INFERENCE_INFERENCE_H

#include "base/cancel.h"
#include "codec/json.h"
#include "engine/registry.h"
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

/* --- text ------------------------------------------------------------------------------------------------------ */

enum al_finish { AL_FINISH_STOP, AL_FINISH_LENGTH, AL_FINISH_CANCELLED, AL_FINISH_ERROR };

struct al_usage { /* tokens */
  int n_prompt;
  int n_cached; /* of the prompt, taken from a prefix computed before */
  int n_completion;
};

enum al_text_event_kind {
  AL_TEXT_STARTED, /* the prompt has been accepted and counted; usage.n_prompt and `sampling` are valid */
  AL_TEXT_DELTA,   /* `text` is complete UTF-8, never empty, free of any stop string */
  AL_TEXT_DONE,    /* last: `finish` and `usage` are valid; `stop` is the stop string that ended it or nullptr */
  AL_TEXT_FAILED,  /* last: `err` says why */
};

struct al_text_event {
  enum al_text_event_kind kind;
  struct al_str text;
  enum al_finish finish;
  const char *stop;
  struct al_usage usage;
  const struct al_err *err;
  const struct al_sampling
      *sampling;                  /* with STARTED: what is in effect, the model's defaults filled in; may be nullptr */
  double prompt_ms, predicted_ms; /* with DONE: time spent on each part */
};

/* One after another for a request, from one internal thread at a time (never the submitter's stack unless submit
 * itself fails, which calls nothing). `event` is borrowed. DONE or FAILED comes exactly once, last. Must not block. */
typedef void al_text_event_fn(void *user, const struct al_text_event *event);

struct al_text_request {
  const char *model;
  /* Chat: {"messages":[...], "tools":[...]?, ...}: the variables of the chat template besides the model's own
   * (bos_token, eos_token, add_generation_prompt). Messages are in Hugging Face's form: role, content (a string).
   * Borrowed for the call: submit copies. */
  const struct al_json *chat;
  struct al_str prompt; /* when chat is nullptr: text as it is, special tokens parsed, BOS as the model wants */
  struct al_sampling sampling;
  int64_t max_tokens;      /* 0: until the context is full */
  const char *const *stop; /* copied */
  size_t n_stop;
  bool ignore_eos;
  bool truncate_prompt;     /* drop the oldest messages after the system prompt instead of context_length_exceeded */
  struct al_cancel *cancel; /* a reference is taken; may be nullptr */
  al_text_event_fn *on_event;
  void *user;
};

/* AL_OK: events will come. Otherwise nothing was started: AL_NOT_FOUND (reason "model_not_found"), AL_UNSUPPORTED
 * (not a chat model, quarantined, ...), AL_OOM_RAM with reason "overloaded" (the queue is full). Later failures
 * (LOAD_FAILED, OOM, context_length_exceeded with both counts) come as AL_TEXT_FAILED. */
enum al_code al_inference_text(struct al_inference *inference, const struct al_text_request *request,
                               struct al_err *err);

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
