/* Everything that can be reached without a byte.
 *
 * First come the positions that have a past: they may return to their callers. What they enter is only noted. Then the
 * callees that were entered are expanded, each once, in the order of their ranks, with all their callers in one node:
 * nothing that comes later can enter them again, for left corners form no cycle. Returns are ignored in this second
 * part: a callee that admits the empty text was stepped over when it was entered. So the work is linear in the states
 * reached, ambiguity or not, and repeating what is empty cannot loop. */
#include "text/grammar/machine.h"

#include "base/alloc.h"

static uint64_t slot_hash(uint32_t state, uint32_t node)
{
  uint64_t x = ((uint64_t)state << 32 | node) * UINT64_C(0x9e3779b97f4a7c15);
  return x ^ (x >> 29);
}

enum al_code al_gr_closure_init(struct al_gr_machine *machine, struct al_err *err)
{
  size_t n_callees = machine->grammar->n_callees;
  machine->pending_of = al_calloc(n_callees, sizeof *machine->pending_of);
  machine->is_pending = al_calloc(n_callees / 64 + 1, sizeof *machine->is_pending);
  machine->n_seen_slots = 64;
  machine->seen = al_calloc(machine->n_seen_slots, sizeof *machine->seen);
  if (machine->pending_of == nullptr || machine->is_pending == nullptr || machine->seen == nullptr)
    return al_fail_oom(err, n_callees * sizeof *machine->pending_of);
  return AL_OK;
}

/* Leaves nothing behind of a closure that failed half-way. */
void al_gr_closure_begin(struct al_gr_machine *machine)
{
  size_t n_callees = machine->grammar->n_callees;
  memset(machine->pending_of, 0, n_callees * sizeof *machine->pending_of);
  memset(machine->is_pending, 0, (n_callees / 64 + 1) * sizeof *machine->is_pending);
  memset(machine->seen, 0, machine->n_seen_slots * sizeof *machine->seen);
  machine->n_agenda = machine->n_found = machine->n_pending = 0;
  machine->accepts = machine->escapes = false;
}

static void put_seen(struct al_gr_machine *machine, size_t index)
{
  size_t mask = machine->n_seen_slots - 1;
  struct al_gr_position position = machine->agenda[index];
  size_t at = slot_hash(position.state, position.node) & mask;
  while (machine->seen[at] != 0)
    at = (at + 1) & mask;
  machine->seen[at] = (uint32_t)index + 1;
}

static bool is_seen(const struct al_gr_machine *machine, uint32_t state, uint32_t node)
{
  size_t mask = machine->n_seen_slots - 1;
  for (size_t at = slot_hash(state, node) & mask; machine->seen[at] != 0; at = (at + 1) & mask) {
    const struct al_gr_position *known = &machine->agenda[machine->seen[at] - 1];
    if (known->state == state && known->node == node)
      return true;
  }
  return false;
}

static enum al_code grow_seen(struct al_gr_machine *machine, struct al_err *err)
{
  size_t n_slots = machine->n_seen_slots * 2;
  uint32_t *seen = al_calloc(n_slots, sizeof *seen);
  if (seen == nullptr)
    return al_fail_oom(err, n_slots * sizeof *seen);
  al_free(machine->seen);
  machine->seen = seen;
  machine->n_seen_slots = n_slots;
  for (size_t i = 0; i < machine->n_agenda; i++)
    put_seen(machine, i);
  return AL_OK;
}

enum al_code al_gr_closure_add(struct al_gr_machine *machine, uint32_t state, uint32_t node, struct al_err *err)
{
  machine->work++;
  if (is_seen(machine, state, node))
    return AL_OK;
  if (machine->n_agenda >= 8 * AL_GR_MAX_POSITIONS)
    return al_fail(err, AL_UNSUPPORTED, "the grammar stands at more than %zu positions at once", AL_GR_MAX_POSITIONS);
  if ((machine->n_agenda + 1) * 2 > machine->n_seen_slots)
    AL_TRY(grow_seen(machine, err));
  void *agenda = machine->agenda;
  AL_TRY(al_grow(&agenda, &machine->agenda_capacity, machine->n_agenda + 1, sizeof *machine->agenda, err));
  machine->agenda = agenda;
  machine->agenda[machine->n_agenda++] = (struct al_gr_position){ state, node };
  put_seen(machine, machine->n_agenda - 1);
  return AL_OK;
}

/* Notes that a callee is entered. Nests no deeper than AL_GR_MAX_DEPTH: what would, cannot come. */
static enum al_code enter(struct al_gr_machine *machine, uint32_t callee, struct al_gr_frame frame, struct al_err *err)
{
  if (machine->nodes[frame.parent].depth >= AL_GR_MAX_DEPTH)
    return AL_OK;
  if (machine->n_pending >= 8 * AL_GR_MAX_FRAMES)
    return al_fail(err, AL_UNSUPPORTED, "the grammar stands at more than %zu positions at once", AL_GR_MAX_FRAMES);
  void *pending = machine->pending;
  AL_TRY(al_grow(&pending, &machine->pending_capacity, machine->n_pending + 1, sizeof *machine->pending, err));
  machine->pending = pending;
  uint32_t rank = machine->grammar->callees[callee].rank;
  machine->pending[machine->n_pending++] = (struct al_gr_pending){ frame, machine->pending_of[rank] };
  machine->pending_of[rank] = (uint32_t)machine->n_pending;
  machine->is_pending[rank / 64] |= UINT64_C(1) << (rank % 64);
  return AL_OK;
}

/* A body has come to its end: once more, or on. */
static enum al_code finish_round(struct al_gr_machine *machine, struct al_gr_frame frame, struct al_err *err)
{
  const struct al_gr_state *repeat = &machine->grammar->states[frame.state];
  const struct al_gr_callee *body = &machine->grammar->callees[repeat->arg];
  uint32_t count = frame.count + 1;
  if (count >= body->least)
    AL_TRY(al_gr_closure_add(machine, repeat->next, frame.parent, err));
  if (body->most == AL_GR_NO_MAX && count > body->least) /* more need not be told apart */
    count = body->least;
  if (count >= body->most)
    return AL_OK;
  return enter(machine, repeat->arg, (struct al_gr_frame){ frame.state, count, frame.parent }, err);
}

static enum al_code go_back(struct al_gr_machine *machine, uint32_t node, struct al_err *err)
{
  if (node == AL_GR_BOTTOM || node == AL_GR_UNKNOWN) {
    *(node == AL_GR_BOTTOM ? &machine->accepts : &machine->escapes) = true;
    return AL_OK;
  }
  uint32_t first = machine->nodes[node].first, count = machine->nodes[node].count;
  for (uint32_t i = 0; i < count; i++) {
    struct al_gr_frame frame = machine->frames[first + i];
    bool is_round = frame.count != AL_GR_NO_COUNT;
    AL_TRY(is_round ? finish_round(machine, frame, err) : al_gr_closure_add(machine, frame.state, frame.parent, err));
  }
  return AL_OK;
}

static enum al_code find_position(struct al_gr_machine *machine, struct al_gr_position position, struct al_err *err)
{
  if (machine->n_found >= AL_GR_MAX_POSITIONS)
    return al_fail(err, AL_UNSUPPORTED, "the grammar stands at more than %zu positions at once", AL_GR_MAX_POSITIONS);
  void *found = machine->found;
  AL_TRY(al_grow(&found, &machine->found_capacity, machine->n_found + 1, sizeof position, err));
  machine->found = found;
  machine->found[machine->n_found++] = position;
  return AL_OK;
}

static enum al_code call(struct al_gr_machine *machine, struct al_gr_position position, struct al_err *err)
{
  const struct al_gr_state *state = &machine->grammar->states[position.state];
  const struct al_gr_callee *callee = &machine->grammar->callees[state->arg];
  bool is_repeat = state->op == AL_GR_REPEAT;
  uint32_t back = is_repeat ? position.state : state->next;
  AL_TRY(enter(machine, state->arg, (struct al_gr_frame){ back, is_repeat ? 0 : AL_GR_NO_COUNT, position.node }, err));
  bool may_skip = callee->is_nullable || (is_repeat && callee->least == 0);
  return may_skip ? al_gr_closure_add(machine, state->next, position.node, err) : AL_OK;
}

static enum al_code follow(struct al_gr_machine *machine, struct al_gr_position position, bool has_past,
                           struct al_err *err)
{
  const struct al_gr_state *state = &machine->grammar->states[position.state];
  switch (state->op) {
  case AL_GR_BYTES: return find_position(machine, position, err);
  case AL_GR_SPLIT:
    AL_TRY(al_gr_closure_add(machine, state->next, position.node, err));
    return al_gr_closure_add(machine, state->arg, position.node, err);
  case AL_GR_TAIL: return al_gr_closure_add(machine, machine->grammar->callees[state->arg].entry, position.node, err);
  case AL_GR_CALL:
  case AL_GR_REPEAT: return call(machine, position, err);
  case AL_GR_RETURN: return has_past ? go_back(machine, position.node, err) : AL_OK;
  }
  return al_fail(err, AL_INTERNAL, "grammar: an unknown state");
}

static enum al_code follow_all(struct al_gr_machine *machine, size_t *done, bool has_past, struct al_err *err)
{
  while (*done < machine->n_agenda) {
    if (machine->work > AL_GR_MAX_WORK)
      return al_fail(err, AL_UNSUPPORTED, "the grammar is too ambiguous: one step takes too much work");
    AL_TRY(follow(machine, machine->agenda[(*done)++], has_past, err));
  }
  return AL_OK;
}

static enum al_code expand(struct al_gr_machine *machine, uint32_t rank, size_t *done, struct al_err *err)
{
  size_t count = 0;
  for (uint32_t at = machine->pending_of[rank]; at != 0; at = machine->pending[at - 1].next) {
    void *gathered = machine->gathered;
    AL_TRY(al_grow(&gathered, &machine->gathered_capacity, count + 1, sizeof *machine->gathered, err));
    machine->gathered = gathered;
    machine->gathered[count++] = machine->pending[at - 1].frame;
  }
  machine->work += count;
  uint32_t node;
  AL_TRY(al_gr_intern_node(machine, machine->gathered, count, &node, err));
  const struct al_grammar *grammar = machine->grammar;
  AL_TRY(al_gr_closure_add(machine, grammar->callees[grammar->by_rank[rank]].entry, node, err));
  return follow_all(machine, done, false, err);
}

enum al_code al_gr_closure_run(struct al_gr_machine *machine, struct al_err *err)
{
  size_t done = 0, n_words = machine->grammar->n_callees / 64 + 1;
  AL_TRY(follow_all(machine, &done, true, err));
  for (size_t word = 0; word < n_words; word++)
    while (machine->is_pending[word] != 0) {
      uint32_t bit = (uint32_t)__builtin_ctzll(machine->is_pending[word]);
      machine->is_pending[word] &= machine->is_pending[word] - 1;
      AL_TRY(expand(machine, (uint32_t)word * 64 + bit, &done, err));
    }
  return AL_OK;
}
