/* The next batch: whose turn it is, one token for each that streams, prompts in what is left.
 *
 * A decode runs with one set of adapters. Sets that have somebody running take turns of a few steps: whoever waited
 * longest comes next. */
#include "sched/scheduler_impl.h"

/* --- turns of adapter sets -------------------------------------------------------------------------------------- */

constexpr int STEPS_A_TURN = 4; /* telling the engine to change costs it something */

static bool takes_part(const struct al_scheduler *s, const struct al_sequence *sequence)
{
  return sequence->adapters == s->turn;
}

static bool turn_goes_on(const struct al_scheduler *s)
{
  for (size_t i = 0; i < s->n_running && s->n_turn_steps < STEPS_A_TURN; i++)
    if (takes_part(s, s->running[i]))
      return true;
  return false;
}

static void next_turn(struct al_scheduler *s)
{
  struct al_adapter_set *next = s->running[0]->adapters;
  for (size_t i = 1; i < s->n_running; i++)
    if (s->running[i]->adapters->last_turn < next->last_turn)
      next = s->running[i]->adapters;
  next->last_turn = ++s->n_turns;
  s->turn = next;
  s->n_turn_steps = 0;
}

/* --- shares of the batch ---------------------------------------------------------------------------------------- */

/* Tokens it could have decoded now. Where the logits of a prompt are wanted, few at a time: each takes n_vocab floats.
 */
static size_t wish(const struct al_scheduler *s, const struct al_sequence *sequence)
{
  constexpr size_t MOST_LOGITS = (size_t)4 << 20;
  size_t lag = sequence->n_tokens - sequence->n_past;
  if (!al_sequence_tells_prompt(sequence))
    return lag;
  return al_min_size(lag, al_max_size(1, MOST_LOGITS / (size_t)s->info.n_vocab));
}

/* One token for each stream; when more stream than the batch holds they take turns. */
static size_t plan_streams(struct al_scheduler *s, size_t room)
{
  size_t n_planned = 0;
  for (size_t i = 0; i < s->n_running && n_planned < room; i++) {
    struct al_sequence *sequence = s->running[(s->rotation + i) % s->n_running];
    if (takes_part(s, sequence) && al_sequence_streams(sequence))
      n_planned += sequence->batch_count = 1;
  }
  s->rotation = n_planned == room ? s->rotation + room : 0;
  return n_planned;
}

static bool has_prompt(const struct al_scheduler *s, const struct al_sequence *sequence)
{
  return takes_part(s, sequence) && !al_sequence_streams(sequence);
}

/* The oldest prompt gets at least half, so that it ends; the others share the rest in order, so that a short one need
 * not wait for a long one; what nobody wants goes back to the oldest. */
static size_t plan_prompts(struct al_scheduler *s, size_t room)
{
  struct al_sequence *oldest = nullptr;
  size_t n_prompts = 0, left = room;
  for (size_t i = 0; i < s->n_running; i++) {
    if (!has_prompt(s, s->running[i]))
      continue;
    n_prompts++;
    oldest = oldest == nullptr ? s->running[i] : oldest;
  }
  if (oldest == nullptr)
    return 0;
  left -= oldest->batch_count = al_min_size(wish(s, oldest), n_prompts > 1 ? (room + 1) / 2 : room);
  for (size_t i = 0; i < s->n_running && left > 0; i++) {
    struct al_sequence *sequence = s->running[i];
    if (sequence != oldest && has_prompt(s, sequence))
      left -= sequence->batch_count = al_min_size(wish(s, sequence), left);
  }
  size_t more = al_min_size(wish(s, oldest) - oldest->batch_count, left);
  oldest->batch_count += more;
  return room - left + more;
}

size_t al_scheduler_add_items(struct al_scheduler *s, struct al_sequence *sequence, size_t first)
{
  size_t n_items = sequence->batch_first = first;
  bool tells = al_sequence_tells_prompt(sequence);
  for (size_t i = 0; i < sequence->batch_count; i++) {
    size_t at = sequence->n_past + i;
    bool is_told = tells && at + 1 >= sequence->n_told && at + 1 < sequence->request.n_prompt;
    s->items[n_items++] = (struct al_text_item){
      .token = sequence->tokens[at],
      .position = (int32_t)at,
      .sequence = sequence->slot,
      .wants_logits = is_told || at + 1 == sequence->n_tokens,
    };
  }
  return n_items;
}

struct al_plan al_scheduler_plan(struct al_scheduler *s)
{
  struct al_plan plan = {};
  for (size_t i = 0; i < s->n_running; i++)
    s->running[i]->batch_count = 0;
  if (!turn_goes_on(s))
    next_turn(s);
  s->n_turn_steps++;
  size_t room = (size_t)s->info.n_batch;
  plan.n_streams = plan_streams(s, room);
  room = al_min_size(room - plan.n_streams, al_chunk_limit(&s->chunk, plan.n_streams > 0));
  plan.n_prompt = room > 0 ? plan_prompts(s, room) : 0;
  s->n_batch = 0;
  for (size_t i = 0; i < s->n_running; i++) {
    if (s->running[i]->batch_count == 0)
      continue;
    plan.n_items = al_scheduler_add_items(s, s->running[i], plan.n_items);
    s->batch[s->n_batch++] = s->running[i];
  }
  return plan;
}
