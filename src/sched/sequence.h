/* A request inside the scheduler: its tokens, how many of them the KV cache holds, and its sampler. While n_past lags
 * behind n_tokens by more than one it is in its prompt phase; a preempted one simply starts again with n_past 0.
 * Touched by the scheduler's thread alone once submitted. */
#ifndef AL_SCHED_SEQUENCE_H
#define AL_SCHED_SEQUENCE_H

#include "sched/adapter_set.h"
#include "sched/sampler.h"
#include "sched/scheduler.h"

struct al_sequence {
  struct al_sequence *next;        /* in a waiting list */
  struct al_generation request;    /* its prompt has moved to `tokens` */
  struct al_sampler *sampler;      /* made when first admitted */
  struct al_adapter_set *adapters; /* a reference, given back by al_scheduler_end; nullptr before */
  int32_t *tokens;                 /* prompt and answer */
  size_t n_tokens;
  size_t capacity;
  size_t n_past;   /* of them in the KV cache */
  size_t n_shared; /* of those, cells that another sequence holds too */
  size_t n_cached; /* of the prompt, found in the cache when first admitted */
  size_t n_told;   /* of the prompt, with prompt_logprobs: reported to the sink */
  int32_t slot;    /* the engine's sequence; -1: not running */
  uint64_t order;  /* of arrival: the youngest has the largest */
  int64_t n_generated;
  int n_restarts;                      /* the engine lost its state so often */
  int64_t admitted_ns, first_token_ns; /* 0: not yet */
  size_t batch_first, batch_count;     /* its items of the current batch */
};

struct al_sequence *al_sequence_new(const struct al_generation *request); /* nullptr: out of memory */
void al_sequence_free(struct al_sequence *sequence);                      /* accepts nullptr */
enum al_code al_sequence_append(struct al_sequence *sequence, int32_t token, struct al_err *err);
bool al_sequence_streams(const struct al_sequence *sequence); /* past its prompt */
/* Its prompt's logits are still wanted: it must be computed, not taken from the cache. */
bool al_sequence_tells_prompt(const struct al_sequence *sequence);
/* Fills the counts and times; end and err are the caller's. */
void al_sequence_result(const struct al_sequence *sequence, struct al_generation_result *result);

/* A list of waiting ones, first come first served. */
struct al_sequence_list {
  struct al_sequence *first, *last;
  size_t count;
};
void al_sequence_list_push(struct al_sequence_list *list, struct al_sequence *sequence);
void al_sequence_list_push_front(struct al_sequence_list *list, struct al_sequence *sequence);
struct al_sequence *al_sequence_list_pop(struct al_sequence_list *list);                     /* nullptr when empty */
void al_sequence_list_append(struct al_sequence_list *list, struct al_sequence_list *taken); /* empties `taken` */

#endif
