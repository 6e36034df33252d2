/* The text scheduler: one thread for each loaded text model, which alone touches the model while it lives. Each step
 * every running sequence contributes one token, and prompt chunks of admitted requests fill what is left of the batch.
 *
 * Every request has its own KV sequence, freed as soon as it ends. Requests are admitted first come first served while
 * the KV cache has room; when it runs full, the youngest gives its cells back and comes again later, and its client
 * notices nothing but the pause. An engine's error ends only the requests that cause it. */
#ifndef AL_SCHED_SCHEDULER_H
#define AL_SCHED_SCHEDULER_H

#include "base/cancel.h"
#include "base/str.h"
#include "engine/engine.h"
#include "sched/gate.h"
#include "sched/sampling.h"

struct al_scheduler;

struct al_scheduler_options {
  const struct al_text_ops *ops; /* borrowed, static */
  struct al_engine_model *model; /* borrowed; outlives the scheduler */
  struct al_gate gate;
  size_t max_waiting; /* requests not yet admitted */
};

enum al_generation_end {
  AL_END_STOP,   /* the model ended it, or the sink said stop */
  AL_END_LENGTH, /* max_tokens, or the context is full */
  AL_END_FAILED, /* `err` says why; AL_CANCELLED or AL_TIMEOUT when the request's token fired */
};

struct al_generation_result {
  enum al_generation_end end;
  struct al_err err;
  int n_prompt, n_cached, n_completion; /* tokens; the token that ends generation counts */
  double prompt_ms, predicted_ms;
};

/* Called on the scheduler's thread, under no lock; must not block. */
struct al_generation_sink {
  void (*admitted)(void *user); /* its prompt is about to run; at most once */
  /* One generated token; `piece` is borrowed and may be empty. false: stop here (AL_END_STOP). */
  bool (*token)(void *user, int32_t token, struct al_str piece);
  void (*done)(void *user, const struct al_generation_result *result); /* exactly once, last */
};

struct al_generation {
  int32_t *prompt; /* moved on success (al_alloc); 1 .. n_ctx tokens */
  size_t n_prompt;
  struct al_sampling sampling; /* resolved; logit_bias borrowed until `done` */
  int64_t max_tokens;          /* 0: until the context is full */
  bool ignore_eos;
  struct al_cancel *cancel;              /* borrowed until `done`; may be nullptr */
  const struct al_generation_sink *sink; /* static */
  void *user;
};

enum al_code al_scheduler_start(const struct al_scheduler_options *options, struct al_scheduler **scheduler,
                                struct al_err *err);
/* Ends what runs or waits with AL_CANCELLED (reason "shutting_down") and joins the thread. Accepts nullptr. */
void al_scheduler_free(struct al_scheduler *scheduler);

/* Any thread. AL_OOM_RAM with reason "overloaded" when too many wait; then and on other errors nothing is called. */
enum al_code al_scheduler_submit(struct al_scheduler *scheduler, const struct al_generation *generation,
                                 struct al_err *err);

#endif
