/* Nodes and sets, each kept once. */
#include "text/grammar/machine.h"

#include "base/alloc.h"

#include <stdlib.h>

static uint64_t mix(uint64_t x)
{
  x ^= x >> 32;
  x *= UINT64_C(0xd6e8feb86659fd93);
  x ^= x >> 32;
  x *= UINT64_C(0xd6e8feb86659fd93);
  return x ^ (x >> 32);
}

size_t al_gr_machine_bytes(const struct al_gr_machine *machine)
{
  return machine->n_frames * sizeof *machine->frames + machine->n_nodes * sizeof *machine->nodes +
         machine->n_positions * sizeof *machine->positions +
         machine->n_sets * (sizeof *machine->sets + machine->grammar->n_classes * sizeof *machine->rows);
}

static enum al_code check_bytes(const struct al_gr_machine *machine, struct al_err *err)
{
  if (al_gr_machine_bytes(machine) > AL_GR_HARD_BYTES)
    return al_fail(err, AL_UNSUPPORTED, "the grammar needs more than %zu MiB at one place of the text",
                   AL_GR_HARD_BYTES >> 20);
  return AL_OK;
}

typedef uint64_t hash_fn(const struct al_gr_machine *machine, uint32_t index);

static uint64_t node_hash(const struct al_gr_machine *machine, uint32_t index)
{
  return machine->nodes[index].hash;
}

static uint64_t set_hash(const struct al_gr_machine *machine, uint32_t index)
{
  return machine->sets[index].hash;
}

static enum al_code grow_index(const struct al_gr_machine *machine, struct al_gr_index *index, hash_fn *hash_of,
                               struct al_err *err)
{
  if ((index->n_used + 1) * 2 <= index->n_slots)
    return AL_OK;
  size_t n_slots = index->n_slots > 0 ? index->n_slots * 2 : 64;
  uint32_t *slots = al_calloc(n_slots, sizeof *slots);
  if (slots == nullptr)
    return al_fail_oom(err, n_slots * sizeof *slots);
  for (size_t i = 0; i < index->n_slots; i++) {
    if (index->slots[i] == 0)
      continue;
    size_t at = hash_of(machine, index->slots[i] - 1) & (n_slots - 1);
    while (slots[at] != 0)
      at = (at + 1) & (n_slots - 1);
    slots[at] = index->slots[i];
  }
  al_free(index->slots);
  index->slots = slots;
  index->n_slots = n_slots;
  return AL_OK;
}

static int by_frame(const void *a, const void *b)
{
  const struct al_gr_frame *left = a, *right = b;
  if (left->parent != right->parent)
    return left->parent < right->parent ? -1 : 1;
  if (left->state != right->state)
    return left->state < right->state ? -1 : 1;
  return left->count < right->count ? -1 : left->count > right->count;
}

/* Of two frames of one repetition that both have their least number, the one with fewer rounds can do all that the
 * other can. `before` stands first in order. */
static bool makes_needless(const struct al_gr_machine *machine, const struct al_gr_frame *before,
                           const struct al_gr_frame *frame)
{
  if (before->parent != frame->parent || before->state != frame->state)
    return false;
  if (before->count == frame->count)
    return true;
  if (before->count == AL_GR_NO_COUNT || frame->count == AL_GR_NO_COUNT)
    return false;
  const struct al_gr_state *repeat = &machine->grammar->states[frame->state];
  return before->count + 1 >= machine->grammar->callees[repeat->arg].least;
}

static size_t sort_frames(const struct al_gr_machine *machine, struct al_gr_frame *frames, size_t count)
{
  if (count < 2)
    return count;
  qsort(frames, count, sizeof *frames, by_frame);
  size_t kept = 1;
  for (size_t i = 1; i < count; i++)
    if (!makes_needless(machine, &frames[kept - 1], &frames[i]))
      frames[kept++] = frames[i];
  return kept;
}

static uint64_t hash_frames(const struct al_gr_frame *frames, size_t count)
{
  uint64_t hash = count;
  for (size_t i = 0; i < count; i++) {
    hash = mix(hash ^ ((uint64_t)frames[i].state << 32 | frames[i].count));
    hash = mix(hash ^ frames[i].parent);
  }
  return hash;
}

static bool is_node(const struct al_gr_machine *machine, uint32_t node, const struct al_gr_frame *frames, size_t count)
{
  const struct al_gr_node_set *known = &machine->nodes[node];
  return known->count == count && memcmp(machine->frames + known->first, frames, count * sizeof *frames) == 0;
}

static enum al_code add_node(struct al_gr_machine *machine, const struct al_gr_frame *frames, size_t count,
                             uint64_t hash, struct al_err *err)
{
  void *array = machine->frames;
  AL_TRY(al_grow(&array, &machine->frames_capacity, machine->n_frames + count, sizeof *frames, err));
  machine->frames = array;
  array = machine->nodes;
  AL_TRY(al_grow(&array, &machine->nodes_capacity, machine->n_nodes + 1, sizeof *machine->nodes, err));
  machine->nodes = array;
  struct al_gr_node_set made = { .first = (uint32_t)machine->n_frames, .count = (uint32_t)count, .hash = hash };
  for (size_t i = 0; i < count; i++) {
    uint32_t depth = machine->nodes[frames[i].parent].depth + 1;
    made.depth = depth > made.depth ? depth : made.depth;
  }
  memcpy(machine->frames + machine->n_frames, frames, count * sizeof *frames);
  machine->n_frames += count;
  machine->nodes[machine->n_nodes++] = made;
  return check_bytes(machine, err);
}

enum al_code al_gr_intern_node(struct al_gr_machine *machine, struct al_gr_frame *frames, size_t count, uint32_t *node,
                               struct al_err *err)
{
  count = sort_frames(machine, frames, count);
  uint64_t hash = hash_frames(frames, count);
  AL_TRY(grow_index(machine, &machine->node_index, node_hash, err));
  struct al_gr_index *index = &machine->node_index;
  size_t at = hash & (index->n_slots - 1);
  for (; index->slots[at] != 0; at = (at + 1) & (index->n_slots - 1)) {
    uint32_t known = index->slots[at] - 1;
    if (machine->nodes[known].hash == hash && is_node(machine, known, frames, count)) {
      *node = known;
      return AL_OK;
    }
  }
  AL_TRY(add_node(machine, frames, count, hash, err));
  *node = (uint32_t)machine->n_nodes - 1;
  index->slots[at] = *node + 1;
  index->n_used++;
  return AL_OK;
}

static int by_position(const void *a, const void *b)
{
  const struct al_gr_position *left = a, *right = b;
  if (left->state != right->state)
    return left->state < right->state ? -1 : 1;
  return left->node < right->node ? -1 : left->node > right->node;
}

static uint64_t hash_found(const struct al_gr_machine *machine)
{
  uint64_t hash = machine->n_found * 4 + (machine->accepts ? 2 : 0) + (machine->escapes ? 1 : 0);
  for (size_t i = 0; i < machine->n_found; i++)
    hash = mix(hash ^ ((uint64_t)machine->found[i].state << 32 | machine->found[i].node));
  return mix(hash);
}

static bool is_found(const struct al_gr_machine *machine, uint32_t set)
{
  const struct al_gr_set *known = &machine->sets[set];
  return known->count == machine->n_found && known->accepts == machine->accepts && known->escapes == machine->escapes &&
         (known->count == 0 ||
          memcmp(machine->positions + known->first, machine->found, known->count * sizeof *machine->found) == 0);
}

static enum al_code add_set(struct al_gr_machine *machine, uint64_t hash, struct al_err *err)
{
  size_t n_classes = machine->grammar->n_classes, n_found = machine->n_found;
  void *array = machine->positions;
  AL_TRY(
      al_grow(&array, &machine->positions_capacity, machine->n_positions + n_found, sizeof *machine->positions, err));
  machine->positions = array;
  array = machine->rows;
  AL_TRY(al_grow(&array, &machine->rows_capacity, (machine->n_sets + 1) * n_classes, sizeof *machine->rows, err));
  machine->rows = array;
  array = machine->sets;
  AL_TRY(al_grow(&array, &machine->sets_capacity, machine->n_sets + 1, sizeof *machine->sets, err));
  machine->sets = array;
  if (n_found > 0)
    memcpy(machine->positions + machine->n_positions, machine->found, n_found * sizeof *machine->found);
  memset(machine->rows + machine->n_sets * n_classes, 0xff, n_classes * sizeof *machine->rows);
  machine->sets[machine->n_sets++] = (struct al_gr_set){ .first = (uint32_t)machine->n_positions,
                                                         .count = (uint32_t)n_found,
                                                         .accepts = machine->accepts,
                                                         .escapes = machine->escapes,
                                                         .hash = hash };
  machine->n_positions += n_found;
  return check_bytes(machine, err);
}

enum al_code al_gr_intern_found(struct al_gr_machine *machine, uint32_t *set, struct al_err *err)
{
  if (machine->n_found > 1)
    qsort(machine->found, machine->n_found, sizeof *machine->found, by_position);
  uint64_t hash = hash_found(machine);
  AL_TRY(grow_index(machine, &machine->set_index, set_hash, err));
  struct al_gr_index *index = &machine->set_index;
  size_t at = hash & (index->n_slots - 1);
  for (; index->slots[at] != 0; at = (at + 1) & (index->n_slots - 1)) {
    uint32_t known = index->slots[at] - 1;
    if (machine->sets[known].hash == hash && is_found(machine, known)) {
      *set = known;
      return AL_OK;
    }
  }
  AL_TRY(add_set(machine, hash, err));
  *set = (uint32_t)machine->n_sets - 1;
  index->slots[at] = *set + 1;
  index->n_used++;
  return AL_OK;
}
static_assert(AL_GR_UNMADE == UINT32_MAX, "rows are filled with 0xff");
