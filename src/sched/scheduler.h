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
#include "sched/constraint.h"
#include "sched/gate.h"
#include "sched/sampling.h"

struct al_scheduler;

struct al_scheduler_options {
  const struct al_text_ops *ops; /* borrowed, static */
  struct al_engine_model *model; /* borrowed; outlives the scheduler */
  struct al_gate gate;
  size_t max_waiting; /* requests not yet admitted */
};

constexpr int AL_MOST_LOGPROBS = 20;

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

struct al_token_logprob {
  int32_t token;
  float logprob; /* natural logarithm of the softmax over the whole vocabulary, before any sampler has touched it */
};

struct al_generated { /* one token; everything borrowed for the call */
  int32_t token;
  struct al_str piece;                /* its bytes, possibly part of a UTF-8 character */
  bool is_control;                    /* `piece` is a control token's text ("<|call|>") */
  float logprob;                      /* valid with logprobs; NaN for the first token of a prompt */
  const struct al_token_logprob *top; /* the most probable, best first */
  size_t n_top;
};

/* Called on the scheduler's thread, under no lock; must not block. */
struct al_generation_sink {
  void (*admitted)(void *user); /* its prompt is about to run; at most once */
  /* With prompt_logprobs: every token of the prompt in order, before the first generated one. May be nullptr. */
  void (*prompt)(void *user, const struct al_generated *token);
  /* One generated token; its piece may be empty. false: stop here (AL_END_STOP). */
  bool (*token)(void *user, const struct al_generated *token);
  /* The token by which the model ended the generation, before `done`; `token` does not get it. May be nullptr. */
  void (*end_token)(void *user, const struct al_generated *token);
  void (*done)(void *user, const struct al_generation_result *result); /* exactly once, last */
};

struct al_generation {
  int32_t *prompt; /* moved on success (al_alloc); 1 .. n_ctx tokens */
  size_t n_prompt;
  struct al_sampling sampling; /* resolved; logit_bias borrowed until `done` */
  int64_t max_tokens;          /* 0: until the context is full; -1: none, the prompt is computed and that is all */
  bool ignore_eos;
  int logprobs;         /* 0: none; k > 0: of the chosen token and the k-1 most probable, k-1 <= AL_MOST_LOGPROBS */
  bool prompt_logprobs; /* the prompt is computed anew, no prefix is taken from the cache */
  struct al_constraint constraint;
  const struct al_adapter_use
      *adapters; /* borrowed until `done`; requests with others never share a decode or a prefix */
  size_t n_adapters;
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

/* --- embeddings -------------------------------------------------------------------------------------------------- */

struct al_embedding_text {
  const int32_t *tokens; /* borrowed until `done`; 1 .. n_ctx */
  size_t n_tokens;
};

struct al_embedding_job {
  const struct al_embedding_text *texts; /* borrowed until `done` */
  size_t n_texts;
  struct al_cancel *cancel; /* borrowed until `done`; may be nullptr */
  /* Exactly once, on the scheduler's thread. rows: info.n_embd floats a text, in their order, borrowed for the call;
   * nullptr when err->code is not AL_OK. */
  void (*done)(void *user, const float *rows, const struct al_err *err);
  void *user;
};
/* Any thread; like al_scheduler_submit. Texts of several jobs may share a batch. */
enum al_code al_scheduler_embed(struct al_scheduler *scheduler, const struct al_embedding_job *job, struct al_err *err);

/* Runs `work` on the scheduler's thread between two steps: the way to the slots that only the model's owner may call
 * (adapter_load). `work` is always called, with `model` nullptr when the scheduler is ending. */
void al_scheduler_visit(struct al_scheduler *scheduler, void (*work)(void *user, struct al_engine_model *model),
                        void *user);

#endif
