/* One step: the batch is planned, decoded, and each sequence that got logits gets its token. */
#include "base/clock.h"
#include "base/log.h"
#include "sched/scheduler_impl.h"

#include <math.h>

/* --- the plan --------------------------------------------------------------------------------------------------- */

static size_t lag(const struct al_sequence *sequence)
{
  return sequence->n_tokens - sequence->n_past;
}

/* One token for each stream; when more stream than the batch holds they take turns. */
static size_t plan_streams(struct al_scheduler *s, size_t room)
{
  size_t n_planned = 0;
  for (size_t i = 0; i < s->n_running && n_planned < room; i++) {
    struct al_sequence *sequence = s->running[(s->rotation + i) % s->n_running];
    if (al_sequence_streams(sequence))
      n_planned += sequence->batch_count = 1;
  }
  s->rotation = n_planned == room ? s->rotation + room : 0;
  return n_planned;
}

/* The oldest prompt gets at least half, so that it ends; the others share the rest in order, so that a short one need
 * not wait for a long one; what nobody wants goes back to the oldest. */
static size_t plan_prompts(struct al_scheduler *s, size_t room)
{
  struct al_sequence *oldest = nullptr;
  size_t n_prompts = 0, left = room;
  for (size_t i = 0; i < s->n_running; i++) {
    if (al_sequence_streams(s->running[i]))
      continue;
    n_prompts++;
    oldest = oldest == nullptr ? s->running[i] : oldest;
  }
  if (oldest == nullptr)
    return 0;
  left -= oldest->batch_count = al_min_size(lag(oldest), n_prompts > 1 ? (room + 1) / 2 : room);
  for (size_t i = 0; i < s->n_running && left > 0; i++) {
    struct al_sequence *sequence = s->running[i];
    if (sequence != oldest && !al_sequence_streams(sequence))
      left -= sequence->batch_count = al_min_size(lag(sequence), left);
  }
  size_t more = al_min_size(lag(oldest) - oldest->batch_count, left);
  oldest->batch_count += more;
  return room - left + more;
}

static size_t add_items(struct al_scheduler *s, struct al_sequence *sequence, size_t n_items)
{
  sequence->batch_first = n_items;
  for (size_t i = 0; i < sequence->batch_count; i++) {
    size_t at = sequence->n_past + i;
    s->items[n_items++] = (struct al_text_item){
      .token = sequence->tokens[at],
      .position = (int32_t)at,
      .sequence = sequence->slot,
      .wants_logits = at + 1 == sequence->n_tokens,
    };
  }
  return n_items;
}

struct plan {
  size_t n_items;
  size_t n_streams;
  size_t n_prompt; /* tokens */
};

static struct plan make_plan(struct al_scheduler *s)
{
  struct plan plan = {};
  for (size_t i = 0; i < s->n_running; i++)
    s->running[i]->batch_count = 0;
  size_t room = (size_t)s->info.n_batch;
  plan.n_streams = plan_streams(s, room);
  room = al_min_size(room - plan.n_streams, al_chunk_limit(&s->chunk, plan.n_streams > 0));
  plan.n_prompt = room > 0 ? plan_prompts(s, room) : 0;
  s->n_batch = 0;
  for (size_t i = 0; i < s->n_running; i++) {
    if (s->running[i]->batch_count == 0)
      continue;
    plan.n_items = add_items(s, s->running[i], plan.n_items);
    s->batch[s->n_batch++] = s->running[i];
  }
  return plan;
}

/* --- the tokens ------------------------------------------------------------------------------------------------- */

static enum al_code choose(struct al_scheduler *s, struct al_sequence *sequence, int32_t *token, struct al_err *err)
{
  float *logits = s->options.ops->logits(s->options.model, sequence->batch_first + sequence->batch_count - 1);
  if (sequence->request.ignore_eos)
    for (size_t i = 0; i < s->n_end_tokens; i++)
      logits[s->end_tokens[i]] = -INFINITY;
  AL_TRY(al_sampler_choose(sequence->sampler, logits, token, err));
  AL_TRY(al_sampler_accept(sequence->sampler, token, 1, err));
  return al_sequence_append(sequence, *token, err);
}

static void deliver(struct al_scheduler *s, struct al_sequence *sequence, int32_t token)
{
  const struct al_generation *request = &sequence->request;
  if (s->options.ops->ends_generation(s->options.model, token) && !request->ignore_eos) {
    al_scheduler_end(s, sequence, AL_END_STOP, nullptr);
    return;
  }
  struct al_generated generated = { .token = token, .piece = al_scheduler_piece(s, token) };
  if (!request->sink->token(request->user, &generated))
    al_scheduler_end(s, sequence, AL_END_STOP, nullptr);
  else if (request->max_tokens > 0 && sequence->n_generated >= request->max_tokens)
    al_scheduler_end(s, sequence, AL_END_LENGTH, nullptr);
  else if (sequence->n_tokens > (size_t)s->info.n_ctx)
    al_scheduler_end(s, sequence, AL_END_LENGTH, nullptr);
}

/* The batch went through: this sequence has grown in the cache and perhaps got its next token. */
static void advance(struct al_scheduler *s, struct al_sequence *sequence)
{
  sequence->n_past += sequence->batch_count;
  if (sequence->n_past < sequence->n_tokens)
    return;
  int32_t token;
  struct al_err err = {};
  if (choose(s, sequence, &token, &err) != AL_OK) {
    al_scheduler_end(s, sequence, AL_END_FAILED, &err);
    return;
  }
  sequence->n_generated++;
  if (sequence->first_token_ns == 0)
    sequence->first_token_ns = al_now_ns();
  deliver(s, sequence, token);
}

/* --- the decode and its failures -------------------------------------------------------------------------------- */

static enum al_code decode(struct al_scheduler *s, size_t n_items, struct al_err *err)
{
  const struct al_scheduler_options *o = &s->options;
  al_gate_enter(&o->gate);
  enum al_code code = o->ops->decode(o->model, s->items, n_items, s->stop, err);
  al_gate_leave(&o->gate);
  return code;
}

static void advance_batch(struct al_scheduler *s)
{
  for (size_t i = 0; i < s->n_batch; i++)
    if (s->batch[i] != nullptr)
      advance(s, s->batch[i]);
}

/* A decode changes nothing when it fails, so each sequence can try alone: only those that fail alone are to blame. */
static void isolate(struct al_scheduler *s, const struct al_err *whole)
{
  al_log_err(AL_LOG_WARN, "decode_failed", whole);
  size_t n_batch = s->n_batch;
  for (size_t i = 0; i < n_batch; i++) {
    struct al_sequence *sequence = s->batch[i];
    struct al_err err = *whole;
    enum al_code code = n_batch > 1 ? decode(s, add_items(s, sequence, 0), &err) : whole->code;
    if (code == AL_OK)
      advance(s, sequence);
    else if (!al_cancelled(s->stop)) /* al_scheduler_end clears what a lost sequence left */
      al_scheduler_end(s, sequence, AL_END_FAILED, &err);
  }
}

/* The KV cache is full. true: there is room now, plan again. */
static bool find_room(struct al_scheduler *s, const struct al_err *err)
{
  if (al_kv_evict(&s->kv))
    return true;
  if (s->n_running > 1) {
    al_scheduler_preempt_youngest(s);
    return true;
  }
  bool spoke = s->running[0]->n_generated > 0;
  al_scheduler_end(s, s->running[0], spoke ? AL_END_LENGTH : AL_END_FAILED, spoke ? nullptr : err);
  return false;
}

/* The engine failed and could not put the batch's sequences back as they were (recurrent state): they begin again,
 * a few times. A crowd is thinned out first, for it may have been what was too much. */
static void restart_batch(struct al_scheduler *s, const struct al_err *err)
{
  constexpr int MOST_RESTARTS = 3;
  al_log_err(AL_LOG_WARN, "sequences_lost", err);
  if (s->n_running > 1)
    al_scheduler_preempt_youngest(s);
  for (size_t i = 0; i < s->n_batch; i++) {
    struct al_sequence *sequence = s->batch[i];
    if (sequence == nullptr)
      continue;
    if (sequence->n_restarts++ < MOST_RESTARTS)
      al_kv_restart(&s->kv, sequence);
    else
      al_scheduler_end(s, sequence, AL_END_FAILED, err);
  }
}

void al_scheduler_step(struct al_scheduler *s)
{
  struct al_err err = {};
  struct plan plan = make_plan(s);
  int64_t started = al_now_ns();
  enum al_code code = decode(s, plan.n_items, &err);
  while (code == AL_OOM_RAM && al_streq(err.reason, "kv_full")) {
    if (!find_room(s, &err))
      return;
    plan = make_plan(s);
    started = al_now_ns();
    code = decode(s, plan.n_items, &err);
  }
  if (code == AL_OK) {
    if (plan.n_streams > 0)
      al_chunk_learn(&s->chunk, plan.n_prompt, al_now_ns() - started);
    advance_batch(s);
  } else if (al_cancelled(s->stop)) {
    return;
  } else if (al_streq(err.reason, "sequence_lost")) {
    restart_batch(s, &err);
  } else {
    isolate(s, &err);
  }
}
