#include "sched/kv.h"

#include "base/alloc.h"

constexpr size_t LEAST_REUSE = 8; /* a shorter common prefix is not worth a slot */

enum al_code al_kv_init(struct al_kv *kv, const struct al_scheduler_options *options, const struct al_text_info *info,
                        struct al_adapter_sets *sets, struct al_err *err)
{
  struct al_kv_slot *slots = al_calloc((size_t)info->n_seq_max, sizeof *slots);
  if (slots == nullptr)
    return al_fail_oom(err, (size_t)info->n_seq_max * sizeof *slots);
  *kv = (struct al_kv){
    .ops = options->ops,
    .model = options->model,
    .sets = sets,
    .gate = options->gate,
    .slots = slots,
    .n_slots = info->n_seq_max,
    .n_cells = (size_t)info->n_cells,
  };
  return AL_OK;
}

void al_kv_done(struct al_kv *kv)
{
  for (int32_t i = 0; i < kv->n_slots; i++) {
    al_free(kv->slots[i].tokens);
    al_adapter_set_unref(kv->sets, kv->slots[i].adapters);
  }
  al_free(kv->slots);
  *kv = (struct al_kv){};
}

static bool forget(struct al_kv *kv, int32_t slot, size_t from)
{
  al_gate_enter(&kv->gate);
  bool done = kv->ops->sequence_remove(kv->model, slot, (int32_t)from, -1);
  al_gate_leave(&kv->gate);
  return done;
}

static void clear(struct al_kv *kv, int32_t slot)
{
  (void)forget(kv, slot, 0);
  al_free(kv->slots[slot].tokens);
  al_adapter_set_unref(kv->sets, kv->slots[slot].adapters);
  kv->slots[slot] = (struct al_kv_slot){};
}

/* --- room ------------------------------------------------------------------------------------------------------- */

static size_t slot_cells(const struct al_kv_slot *slot)
{
  size_t n_tokens = slot->use == AL_KV_RUNNING ? slot->owner->n_tokens : slot->n_tokens;
  return n_tokens > slot->n_shared ? n_tokens - slot->n_shared : 0;
}

static size_t used_cells(const struct al_kv *kv)
{
  size_t used = 0;
  for (int32_t i = 0; i < kv->n_slots; i++)
    used += slot_cells(&kv->slots[i]);
  return used;
}

static bool anyone_runs(const struct al_kv *kv)
{
  for (int32_t i = 0; i < kv->n_slots; i++)
    if (kv->slots[i].use == AL_KV_RUNNING)
      return true;
  return false;
}

static int32_t free_slot(const struct al_kv *kv)
{
  for (int32_t i = 0; i < kv->n_slots; i++)
    if (kv->slots[i].use == AL_KV_FREE)
      return i;
  return -1;
}

static bool evict_except(struct al_kv *kv, int32_t spared)
{
  int32_t oldest = -1;
  for (int32_t i = 0; i < kv->n_slots; i++) {
    if (kv->slots[i].use != AL_KV_IDLE || i == spared)
      continue;
    if (oldest < 0 || kv->slots[i].last_used < kv->slots[oldest].last_used)
      oldest = i;
  }
  if (oldest < 0)
    return false;
  clear(kv, oldest);
  return true;
}

bool al_kv_evict(struct al_kv *kv)
{
  return evict_except(kv, -1);
}

/* --- the best prefix -------------------------------------------------------------------------------------------- */

struct match {
  int32_t slot; /* -1: none */
  size_t length;
  bool take; /* the idle slot itself; otherwise a copy of its beginning */
};

static size_t common_prefix(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
  size_t most = al_min_size(n_a, n_b), length = 0;
  while (length < most && a[length] == b[length])
    length++;
  return length;
}

static bool can_copy(const struct al_kv *kv)
{
  return kv->partial == AL_KV_PARTIAL_YES && kv->ops->sequence_copy != nullptr;
}

/* How much of the slot the sequence could use. One token must stay to be decoded, or there would be no logits. */
static size_t usable(const struct al_kv *kv, const struct al_kv_slot *slot, const struct al_sequence *sequence)
{
  bool running = slot->use == AL_KV_RUNNING;
  const int32_t *tokens = running ? slot->owner->tokens : slot->tokens;
  size_t n_tokens = running ? slot->owner->n_past : slot->n_tokens;
  if (sequence->adapters != (running ? slot->owner->adapters : slot->adapters) || al_sequence_tells_prompt(sequence))
    return 0;
  if (running && !can_copy(kv))
    return 0;
  size_t length = common_prefix(tokens, n_tokens, sequence->tokens, sequence->n_tokens - 1);
  if (length < n_tokens && (kv->partial == AL_KV_PARTIAL_NO || length < LEAST_REUSE))
    return 0;
  return length;
}

static bool still_holds(const struct al_kv *kv, int32_t slot, size_t length)
{
  return kv->ops->sequence_holds == nullptr || kv->ops->sequence_holds(kv->model, slot, (int32_t)length);
}

static struct match best_match(const struct al_kv *kv, const struct al_sequence *sequence)
{
  struct match best = { .slot = -1 };
  for (int32_t i = 0; i < kv->n_slots; i++) {
    const struct al_kv_slot *slot = &kv->slots[i];
    size_t length = slot->use == AL_KV_FREE ? 0 : usable(kv, slot, sequence);
    if (length > best.length && still_holds(kv, i, length))
      best = (struct match){ .slot = i, .length = length, .take = slot->use == AL_KV_IDLE };
  }
  return best;
}

/* An idle slot whose tail somebody may still want is copied rather than taken, when that costs nobody anything. */
static void prefer_copy(const struct al_kv *kv, const struct al_sequence *sequence, struct match *match)
{
  const struct al_kv_slot *slot = match->take ? &kv->slots[match->slot] : nullptr;
  if (slot == nullptr || match->length == slot->n_tokens || kv->partial != AL_KV_PARTIAL_YES)
    return;
  size_t need = sequence->n_tokens - match->length + 1;
  if (kv->ops->sequence_copy != nullptr && free_slot(kv) >= 0 && used_cells(kv) + need <= kv->n_cells)
    match->take = false;
}

/* Finds out once whether the engine can forget a part, at the price of one cached token. */
static void probe_partial(struct al_kv *kv, struct al_sequence *sequence)
{
  if (kv->partial != AL_KV_PARTIAL_UNKNOWN || sequence->n_past < 2)
    return;
  bool done = forget(kv, sequence->slot, sequence->n_past - 1);
  kv->partial = done ? AL_KV_PARTIAL_YES : AL_KV_PARTIAL_NO;
  sequence->n_past -= done;
}

/* --- waiting for a prefix --------------------------------------------------------------------------------------- */

constexpr size_t LEAST_GAIN = 32; /* fewer tokens are computed as fast as waited for */

/* How much of the waiting one's prompt the running one has computed or is about to. */
static size_t promised(const struct al_sequence *running, const struct al_sequence *waiting)
{
  if (running->adapters != waiting->adapters)
    return 0;
  return common_prefix(running->tokens, running->n_tokens, waiting->tokens, waiting->n_tokens - 1);
}

bool al_kv_should_wait(struct al_kv *kv, const struct al_sequence *sequence)
{
  if (kv->ops->sequence_copy == nullptr || al_sequence_tells_prompt(sequence))
    return false;
  for (int32_t i = 0; i < kv->n_slots && kv->partial != AL_KV_PARTIAL_NO; i++) {
    struct al_sequence *running = kv->slots[i].use == AL_KV_RUNNING ? kv->slots[i].owner : nullptr;
    size_t length = running != nullptr ? promised(running, sequence) : 0;
    if (length < LEAST_GAIN)
      continue;
    probe_partial(kv, running);
    if (kv->partial != AL_KV_PARTIAL_NO && length >= running->n_past + LEAST_GAIN)
      return true;
  }
  return false;
}

/* --- acquire and release ---------------------------------------------------------------------------------------- */

static bool fits(const struct al_kv *kv, const struct al_sequence *sequence, const struct match *match)
{
  size_t used = used_cells(kv);
  if (match->take)
    used -= slot_cells(&kv->slots[match->slot]);
  size_t shared = match->slot >= 0 && !match->take ? match->length : 0;
  return (match->take || free_slot(kv) >= 0) && used + sequence->n_tokens - shared <= kv->n_cells;
}

static bool make_room(struct al_kv *kv, const struct al_sequence *sequence, struct match *match)
{
  while (!fits(kv, sequence, match))
    if (!evict_except(kv, match->slot))
      break;
  if (fits(kv, sequence, match))
    return true;
  if (match->slot >= 0 && kv->slots[match->slot].use == AL_KV_IDLE && !anyone_runs(kv)) {
    clear(kv, match->slot);
    *match = (struct match){ .slot = -1 };
  }
  return !anyone_runs(kv);
}

static void run_in(struct al_kv *kv, struct al_sequence *sequence, int32_t at)
{
  kv->slots[at] = (struct al_kv_slot){
    .use = AL_KV_RUNNING,
    .owner = sequence,
    .n_shared = sequence->n_shared,
    .last_used = ++kv->clock,
  };
  sequence->slot = at;
}

static void take_over(struct al_kv *kv, struct al_sequence *sequence, const struct match *match)
{
  struct al_kv_slot *slot = &kv->slots[match->slot];
  sequence->n_past = match->length;
  sequence->n_shared = al_min_size(slot->n_shared, match->length);
  if (match->length < slot->n_tokens) {
    bool done = forget(kv, match->slot, match->length);
    kv->partial = done ? AL_KV_PARTIAL_YES : AL_KV_PARTIAL_NO;
    if (!done) {
      (void)forget(kv, match->slot, 0);
      sequence->n_past = sequence->n_shared = 0;
    }
  }
  al_free(slot->tokens);
  al_adapter_set_unref(kv->sets, slot->adapters);
  run_in(kv, sequence, match->slot);
}

static void copy(struct al_kv *kv, struct al_sequence *sequence, const struct match *match)
{
  int32_t at = free_slot(kv);
  sequence->n_past = sequence->n_shared = match->length;
  if (match->length > 0) {
    kv->slots[match->slot].last_used = ++kv->clock;
    al_gate_enter(&kv->gate);
    kv->ops->sequence_copy(kv->model, match->slot, at, 0, (int32_t)match->length);
    al_gate_leave(&kv->gate);
  }
  run_in(kv, sequence, at);
}

bool al_kv_acquire(struct al_kv *kv, struct al_sequence *sequence)
{
  struct match match = best_match(kv, sequence);
  prefer_copy(kv, sequence, &match);
  if (!make_room(kv, sequence, &match))
    return false;
  if (match.take)
    take_over(kv, sequence, &match);
  else
    copy(kv, sequence, &match);
  return true;
}

void al_kv_release(struct al_kv *kv, struct al_sequence *sequence, bool keep)
{
  struct al_kv_slot *slot = &kv->slots[sequence->slot];
  if (keep)
    probe_partial(kv, sequence);
  if (keep && sequence->n_past >= LEAST_REUSE) {
    *slot = (struct al_kv_slot){
      .use = AL_KV_IDLE,
      .tokens = AL_TAKE(sequence->tokens),
      .adapters = al_adapter_set_ref(sequence->adapters),
      .n_tokens = sequence->n_past,
      .n_shared = al_min_size(slot->n_shared, sequence->n_past),
      .last_used = ++kv->clock,
    };
    sequence->n_tokens = sequence->capacity = 0;
  } else {
    clear(kv, sequence->slot);
  }
  sequence->slot = -1;
  sequence->n_past = sequence->n_shared = 0;
}

void al_kv_restart(struct al_kv *kv, struct al_sequence *sequence)
{
  (void)forget(kv, sequence->slot, 0);
  kv->slots[sequence->slot].n_shared = 0;
  sequence->n_past = sequence->n_shared = 0;
}
