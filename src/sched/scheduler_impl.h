/* Inside the scheduler, shared by scheduler.c (thread, queue), admission.c (who runs), plan.c (the next batch), step.c
 * (one decode), token.c (from logits to the sink) and embedding.c. */
#ifndef AL_SCHED_SCHEDULER_IMPL_H
#define AL_SCHED_SCHEDULER_IMPL_H

#include "base/buf.h"
#include "base/thread.h"
#include "sched/chunk.h"
#include "sched/kv.h"
#include "sched/logprobs.h"

/* A job of embeddings; it moves through a list like a sequence. */
struct al_embedding {
  struct al_embedding *next;
  struct al_embedding_job job;
  size_t n_begun, n_done; /* texts */
  float *rows;            /* [n_texts][n_embd] */
  struct al_err err;      /* one of its texts failed */
};

struct al_embedding_list {
  struct al_embedding *first, *last;
  size_t count;
};

struct al_embedding_pick {
  struct al_embedding *embedding;
  size_t text;
};

struct al_visit;

struct al_scheduler {
  /* constant after start */
  struct al_scheduler_options options;
  struct al_text_info info;
  struct al_cancel *stop; /* interrupts a decode when the scheduler ends */
  struct al_thread thread;

  /* shared, under `mutex` */
  struct al_mutex mutex;
  struct al_cond arrived;
  struct al_sequence_list incoming;
  struct al_embedding_list incoming_embeddings;
  struct al_visit *visits; /* in order */
  size_t n_waiting;        /* incoming and waiting, embeddings too */
  bool stopping;

  /* the thread's own */
  struct al_sequence_list waiting;
  struct al_sequence **running; /* [n_seq_max], in the order of their arrival here */
  size_t n_running;
  struct al_sequence **batch; /* [n_seq_max] who takes part in the current decode */
  size_t n_batch;
  size_t rotation;            /* whose turn it is when more run than a batch holds */
  struct al_text_item *items; /* [n_batch of the model] */
  struct al_adapter_sets sets;
  struct al_adapter_set *active;     /* a reference: what the engine has been told to use; nullptr: not known */
  const struct al_adapter_set *turn; /* whose steps these are; compared only */
  int n_turn_steps;
  uint64_t n_turns;
  struct al_kv kv;
  struct al_chunk chunk;
  struct al_embedding_list embeddings;
  struct al_embedding_pick *picks; /* [n_seq_max] texts of the current batch of embeddings; made when first needed */
  size_t n_picks;
  float *embed_rows; /* [n_seq_max][n_embd], with them */
  struct al_logprobs logprobs;
  float *kept; /* [n_vocab], made when first needed: logits as the model gave them */
  struct al_buf piece;
  uint64_t n_arrived;
  bool wait_for_release; /* somebody was preempted: nobody is admitted before somebody ends */
  int32_t *end_tokens;   /* made when first needed, for ignore_eos */
  size_t n_end_tokens;
  uint8_t *dry_breakers; /* made when first needed */
};

/* scheduler.c: AL_OK: it is the thread's */
enum al_code al_scheduler_enqueue_embedding(struct al_scheduler *s, struct al_embedding *embedding, struct al_err *err);

/* admission.c */
void al_scheduler_admit(struct al_scheduler *s);
void al_scheduler_drop_cancelled(struct al_scheduler *s);
/* Gives the youngest running one's cells back and puts it at the head of those who wait. */
void al_scheduler_preempt_youngest(struct al_scheduler *s);
/* Ends a running or waiting (and unlinked) one: frees its cells, tells its sink, frees it. */
void al_scheduler_end(struct al_scheduler *s, struct al_sequence *sequence, enum al_generation_end end,
                      const struct al_err *err);

/* Tells the engine which adapters the next decode is for, if it does not know yet. */
enum al_code al_scheduler_use(struct al_scheduler *s, struct al_adapter_set *set, struct al_err *err);

/* plan.c: fills s->items and s->batch */
struct al_plan {
  size_t n_items;
  size_t n_streams;
  size_t n_prompt; /* tokens */
  int64_t started_ns;
};
struct al_plan al_scheduler_plan(struct al_scheduler *s);
/* The items of one sequence, from s->items[first] on; returns where they end. */
size_t al_scheduler_add_items(struct al_scheduler *s, struct al_sequence *sequence, size_t first);

/* token.c: the batch went through, so this sequence has grown in the cache and perhaps gets its next token */
enum al_code al_scheduler_need_kept(struct al_scheduler *s, struct al_err *err);
void al_scheduler_advance(struct al_scheduler *s, struct al_sequence *sequence);

/* embedding.c */
void al_scheduler_embed_step(struct al_scheduler *s); /* one batch; nothing when there is none */
void al_scheduler_drop_embeddings(struct al_scheduler *s, const struct al_err *all); /* nullptr: the cancelled */
void al_embedding_list_append(struct al_embedding_list *list, struct al_embedding_list *taken);

/* step.c: one decode and its tokens; needs somebody running */
void al_scheduler_step(struct al_scheduler *s);

/* vocabulary.c: tables over the vocabulary; both stay with the scheduler */
enum al_code al_scheduler_need_end_tokens(struct al_scheduler *s, struct al_err *err);
enum al_code al_scheduler_need_dry_breakers(struct al_scheduler *s, struct al_err *err);
/* Sets the token's piece and is_control; borrowed until the next call. */
void al_scheduler_piece(struct al_scheduler *s, struct al_generated *token);

#endif
