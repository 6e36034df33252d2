/* Who holds which of the engine's sequences, and the prefixes kept in them.
 *
 * A slot is one engine sequence: free, running a request, or idle: a finished request's KV that stays because the next
 * request may begin with the same tokens. Idle ones go, least recently used first, when cells or slots are needed. An
 * engine that cannot forget a part of a sequence (recurrent state) still lets a prompt continue a whole idle one.
 * Where attention has a window, a prefix counts only while the engine holds all that its end looks back to.
 *
 * Cells are counted from this side; shared ones count once, for the sequence that computed them. When that one leaves
 * first, the count is too small for a while, and the engine's "kv_full" corrects us. */
#ifndef AL_SCHED_KV_H
#define AL_SCHED_KV_H

#include "sched/sequence.h"

enum al_kv_use { AL_KV_FREE, AL_KV_RUNNING, AL_KV_IDLE };

struct al_kv_slot {
  enum al_kv_use use;
  struct al_sequence *owner;       /* running: borrowed */
  int32_t *tokens;                 /* idle: owned, n_tokens of them in the cache */
  struct al_adapter_set *adapters; /* idle: a reference; what the cache was computed with */
  size_t n_tokens;
  size_t n_shared;
  uint64_t last_used;
};

struct al_kv {
  const struct al_text_ops *ops;
  struct al_engine_model *model;
  struct al_adapter_sets *sets; /* borrowed */
  struct al_gate gate;
  struct al_kv_slot *slots;
  int32_t n_slots;
  size_t n_cells;
  uint64_t clock;
  enum { AL_KV_PARTIAL_UNKNOWN, AL_KV_PARTIAL_YES, AL_KV_PARTIAL_NO } partial; /* can parts be forgotten? */
};

enum al_code al_kv_init(struct al_kv *kv, const struct al_scheduler_options *options, const struct al_text_info *info,
                        struct al_adapter_sets *sets, struct al_err *err);
void al_kv_done(struct al_kv *kv);

/* Gives the sequence a slot with the longest prefix that is there (n_past, n_shared, slot are set). false: no room.
 * With nothing running it always succeeds. */
bool al_kv_acquire(struct al_kv *kv, struct al_sequence *sequence);
/* Would it be wise to wait for a running one that computes the same prompt, and then to share it? */
bool al_kv_should_wait(struct al_kv *kv, const struct al_sequence *sequence);
/* Takes the slot back; with `keep` its tokens move into an idle slot. */
void al_kv_release(struct al_kv *kv, struct al_sequence *sequence, bool keep);
/* Empties a running sequence's slot, which it keeps: it starts again with its prompt. */
void al_kv_restart(struct al_kv *kv, struct al_sequence *sequence);
bool al_kv_evict(struct al_kv *kv); /* the least recently used idle one; false: there is none */

#endif
