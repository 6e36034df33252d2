/* Inside the scheduler, shared by scheduler.c (thread, queue), admission.c (who runs) and step.c (one decode). */
#ifndef AL_SCHED_SCHEDULER_IMPL_H
#define AL_SCHED_SCHEDULER_IMPL_H

#include "base/buf.h"
#include "base/thread.h"
#include "sched/chunk.h"
#include "sched/kv.h"

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
  size_t n_waiting; /* incoming and waiting */
  bool stopping;

  /* the thread's own */
  struct al_sequence_list waiting;
  struct al_sequence **running; /* [n_seq_max], in the order of their arrival here */
  size_t n_running;
  struct al_sequence **batch; /* [n_seq_max] who takes part in the current decode */
  size_t n_batch;
  size_t rotation;            /* whose turn it is when more run than a batch holds */
  struct al_text_item *items; /* [n_batch of the model] */
  struct al_kv kv;
  struct al_chunk chunk;
  struct al_buf piece;
  uint64_t n_arrived;
  bool wait_for_release; /* somebody was preempted: nobody is admitted before somebody ends */
  int32_t *end_tokens;   /* made when first needed, for ignore_eos */
  size_t n_end_tokens;
  uint8_t *dry_breakers; /* made when first needed */
};

/* admission.c */
void al_scheduler_admit(struct al_scheduler *s);
void al_scheduler_drop_cancelled(struct al_scheduler *s);
/* Gives the youngest running one's cells back and puts it at the head of those who wait. */
void al_scheduler_preempt_youngest(struct al_scheduler *s);
/* Ends a running or waiting (and unlinked) one: frees its cells, tells its sink, frees it. */
void al_scheduler_end(struct al_scheduler *s, struct al_sequence *sequence, enum al_generation_end end,
                      const struct al_err *err);

/* step.c: one decode and its tokens; needs somebody running */
void al_scheduler_step(struct al_scheduler *s);

/* vocabulary.c: tables over the vocabulary; both stay with the scheduler */
enum al_code al_scheduler_need_end_tokens(struct al_scheduler *s, struct al_err *err);
enum al_code al_scheduler_need_dry_breakers(struct al_scheduler *s, struct al_err *err);
struct al_str al_scheduler_piece(struct al_scheduler *s, int32_t token); /* borrowed until the next call */

#endif
