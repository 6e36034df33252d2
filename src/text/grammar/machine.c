#include "text/grammar/machine.h"

#include "base/alloc.h"

static enum al_code add_plain_node(struct al_gr_machine *machine, struct al_err *err)
{
  void *nodes = machine->nodes;
  AL_TRY(al_grow(&nodes, &machine->nodes_capacity, machine->n_nodes + 1, sizeof *machine->nodes, err));
  machine->nodes = nodes;
  machine->nodes[machine->n_nodes++] = (struct al_gr_node_set){};
  return AL_OK;
}

enum al_code al_gr_machine_init(struct al_gr_machine *machine, const struct al_grammar *grammar, struct al_err *err)
{
  machine->grammar = grammar;
  AL_TRY(al_gr_closure_init(machine, err));
  AL_TRY(add_plain_node(machine, err)); /* AL_GR_BOTTOM */
  AL_TRY(add_plain_node(machine, err)); /* AL_GR_UNKNOWN */
  uint32_t dead;
  al_gr_closure_begin(machine);
  AL_TRY(al_gr_intern_found(machine, &dead, err));
  for (uint32_t i = 0; i < grammar->n_classes; i++)
    machine->rows[i] = AL_GR_DEAD;
  return AL_OK;
}

void al_gr_machine_done(struct al_gr_machine *machine)
{
  al_free(machine->frames);
  al_free(machine->nodes);
  al_free(machine->positions);
  al_free(machine->sets);
  al_free(machine->rows);
  al_free(machine->node_index.slots);
  al_free(machine->set_index.slots);
  al_free(machine->agenda);
  al_free(machine->found);
  al_free(machine->seen);
  al_free(machine->pending);
  al_free(machine->pending_of);
  al_free(machine->is_pending);
  al_free(machine->gathered);
  *machine = (struct al_gr_machine){};
}

enum al_code al_gr_machine_start(struct al_gr_machine *machine, uint32_t *set, struct al_err *err)
{
  const struct al_grammar *grammar = machine->grammar;
  al_gr_closure_begin(machine);
  AL_TRY(al_gr_closure_add(machine, grammar->callees[grammar->root].entry, AL_GR_BOTTOM, err));
  AL_TRY(al_gr_closure_run(machine, err));
  return al_gr_intern_found(machine, set, err);
}

enum al_code al_gr_machine_advance(struct al_gr_machine *machine, uint32_t set, uint8_t byte_class, uint32_t *next,
                                   struct al_err *err)
{
  const struct al_grammar *grammar = machine->grammar;
  uint8_t byte = grammar->byte_of[byte_class];
  struct al_gr_set from = machine->sets[set];
  al_gr_closure_begin(machine);
  for (uint32_t i = 0; i < from.count; i++) {
    struct al_gr_position position = machine->positions[from.first + i];
    const struct al_gr_state *state = &grammar->states[position.state];
    const struct al_gr_edge *edges = grammar->edges + state->arg;
    for (uint32_t k = 0; k < state->next; k++)
      if (edges[k].first <= byte && byte <= edges[k].last)
        AL_TRY(al_gr_closure_add(machine, edges[k].next, position.node, err));
  }
  AL_TRY(al_gr_closure_run(machine, err));
  AL_TRY(al_gr_intern_found(machine, next, err));
  machine->rows[(size_t)set * grammar->n_classes + byte_class] = *next;
  return AL_OK;
}

enum al_code al_gr_machine_single(struct al_gr_machine *machine, struct al_gr_position position, uint32_t *set,
                                  struct al_err *err)
{
  al_gr_closure_begin(machine);
  AL_TRY(al_gr_closure_add(machine, position.state, position.node, err));
  AL_TRY(al_gr_closure_run(machine, err));
  return al_gr_intern_found(machine, set, err);
}

void al_gr_machine_begin(struct al_gr_machine *machine)
{
  machine->work = 0;
}

bool al_gr_machine_is_large(const struct al_gr_machine *machine)
{
  return al_gr_machine_bytes(machine) > AL_GR_SOFT_BYTES;
}

/* Parents have smaller numbers than the nodes above them, so one pass down marks and one pass up copies. */
static enum al_code copy_nodes(const struct al_gr_machine *from, struct al_gr_machine *to, uint32_t *renamed,
                               struct al_err *err)
{
  for (size_t i = from->n_nodes; i-- > 2;)
    for (uint32_t k = 0; renamed[i] != 0 && k < from->nodes[i].count; k++)
      renamed[from->frames[from->nodes[i].first + k].parent] = 1;
  renamed[AL_GR_BOTTOM] = AL_GR_BOTTOM;
  renamed[AL_GR_UNKNOWN] = AL_GR_UNKNOWN;
  for (size_t i = 2; i < from->n_nodes; i++) {
    if (renamed[i] == 0)
      continue;
    const struct al_gr_node_set *node = &from->nodes[i];
    void *gathered = to->gathered;
    AL_TRY(al_grow(&gathered, &to->gathered_capacity, node->count, sizeof *to->gathered, err));
    to->gathered = gathered;
    for (uint32_t k = 0; k < node->count; k++) {
      to->gathered[k] = from->frames[node->first + k];
      to->gathered[k].parent = renamed[to->gathered[k].parent];
    }
    AL_TRY(al_gr_intern_node(to, to->gathered, node->count, &renamed[i], err));
  }
  return AL_OK;
}

static enum al_code copy_set(const struct al_gr_machine *from, struct al_gr_machine *to, const uint32_t *renamed,
                             uint32_t *set, struct al_err *err)
{
  struct al_gr_set kept = from->sets[*set];
  al_gr_closure_begin(to);
  void *found = to->found;
  AL_TRY(al_grow(&found, &to->found_capacity, kept.count, sizeof *to->found, err));
  to->found = found;
  for (uint32_t i = 0; i < kept.count; i++) {
    struct al_gr_position position = from->positions[kept.first + i];
    to->found[to->n_found++] = (struct al_gr_position){ position.state, renamed[position.node] };
  }
  to->accepts = kept.accepts;
  to->escapes = kept.escapes;
  return al_gr_intern_found(to, set, err);
}

static enum al_code copy(const struct al_gr_machine *from, struct al_gr_machine *to, uint32_t *sets, size_t n_sets,
                         struct al_err *err)
{
  AL_CLEANUP(al_free_p) uint32_t *renamed = al_calloc(from->n_nodes, sizeof *renamed);
  if (renamed == nullptr)
    return al_fail_oom(err, from->n_nodes * sizeof *renamed);
  AL_TRY(al_gr_machine_init(to, from->grammar, err));
  to->work = from->work;
  for (size_t i = 0; i < n_sets; i++)
    for (uint32_t k = 0; k < from->sets[sets[i]].count; k++)
      renamed[from->positions[from->sets[sets[i]].first + k].node] = 1;
  AL_TRY(copy_nodes(from, to, renamed, err));
  for (size_t i = 0; i < n_sets; i++)
    AL_TRY(copy_set(from, to, renamed, &sets[i], err));
  return AL_OK;
}

enum al_code al_gr_machine_collect(struct al_gr_machine *machine, uint32_t *sets, size_t n_sets, struct al_err *err)
{
  struct al_gr_machine fresh = {};
  enum al_code code = copy(machine, &fresh, sets, n_sets, err);
  al_gr_machine_done(code == AL_OK ? machine : &fresh);
  if (code == AL_OK)
    *machine = fresh;
  return code;
}
