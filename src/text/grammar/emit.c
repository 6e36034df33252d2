/* The tree becomes states, backwards: each element is made for the state that follows it. */
#include "text/grammar/automaton.h"

#include "base/alloc.h"

struct emitter {
  const struct al_gr_gbnf *gbnf;
  struct al_grammar *grammar;
  uint32_t rule; /* being emitted */
  struct al_err *err;
};

enum al_code al_gr_add_state(struct al_grammar *grammar, struct al_gr_state state, uint32_t *index, struct al_err *err)
{
  if (grammar->n_states >= AL_GR_MAX_STATES)
    return al_fail(err, AL_INVALID_REQUEST, "the grammar needs more than %zu states", AL_GR_MAX_STATES);
  void *states = grammar->states;
  AL_TRY(al_grow(&states, &grammar->states_capacity, grammar->n_states + 1, sizeof state, err));
  grammar->states = states;
  grammar->states[grammar->n_states] = state;
  *index = (uint32_t)grammar->n_states++;
  return AL_OK;
}

enum al_code al_gr_add_edge(struct al_grammar *grammar, struct al_gr_edge edge, struct al_err *err)
{
  if (grammar->n_edges >= AL_GR_MAX_STATES)
    return al_fail(err, AL_INVALID_REQUEST, "the grammar needs more than %zu edges", AL_GR_MAX_STATES);
  void *edges = grammar->edges;
  AL_TRY(al_grow(&edges, &grammar->edges_capacity, grammar->n_edges + 1, sizeof edge, err));
  grammar->edges = edges;
  grammar->edges[grammar->n_edges++] = edge;
  return AL_OK;
}

static enum al_code add_callee(struct emitter *e, struct al_gr_callee callee, uint32_t *index)
{
  struct al_grammar *grammar = e->grammar;
  void *callees = grammar->callees;
  AL_TRY(al_grow(&callees, &grammar->callees_capacity, grammar->n_callees + 1, sizeof callee, e->err));
  grammar->callees = callees;
  grammar->callees[grammar->n_callees] = callee;
  *index = (uint32_t)grammar->n_callees++;
  return AL_OK;
}

static enum al_code add_state(struct emitter *e, enum al_gr_op op, uint32_t next, uint32_t arg, uint32_t *state)
{
  return al_gr_add_state(e->grammar, (struct al_gr_state){ op, next, arg }, state, e->err);
}

static enum al_code emit(struct emitter *e, uint32_t index, uint32_t next, uint32_t *state);

static enum al_code emit_literal(struct emitter *e, const struct al_gr_node *node, uint32_t next, uint32_t *state)
{
  *state = next;
  for (uint32_t i = node->b; i-- > 0;) {
    uint8_t byte = (uint8_t)e->gbnf->bytes.data[node->a + i];
    AL_TRY(al_gr_add_edge(e->grammar, (struct al_gr_edge){ byte, byte, *state }, e->err));
    AL_TRY(add_state(e, AL_GR_BYTES, 1, (uint32_t)e->grammar->n_edges - 1, state));
  }
  return AL_OK;
}

static enum al_code emit_alternatives(struct emitter *e, const struct al_gr_node *node, uint32_t next, uint32_t *state)
{
  AL_TRY(emit(e, node->child, next, state));
  for (uint32_t at = e->gbnf->nodes[node->child].sibling; at != AL_GR_NONE; at = e->gbnf->nodes[at].sibling) {
    uint32_t other;
    AL_TRY(emit(e, at, next, &other));
    if (other != *state)
      AL_TRY(add_state(e, AL_GR_SPLIT, other, *state, state));
  }
  return AL_OK;
}

/* "x*" and "x+": one copy of x that leads back to a fork. */
static enum al_code emit_endless(struct emitter *e, const struct al_gr_node *node, uint32_t next, uint32_t *state)
{
  uint32_t fork = AL_GR_NONE, body;
  AL_TRY(add_state(e, AL_GR_SPLIT, next, next, &fork));
  AL_TRY(emit(e, node->child, fork, &body));
  e->grammar->states[fork].next = body;
  *state = node->a == 0 ? fork : body;
  return AL_OK;
}

static enum al_code emit_counted(struct emitter *e, const struct al_gr_node *node, uint32_t next, uint32_t *state)
{
  struct al_gr_callee callee = { .rule = e->rule, .least = node->a, .most = node->b };
  callee.is_nullable = al_gr_is_nullable(e->gbnf, node->child);
  if (callee.is_nullable) /* repetitions of nothing make up the least number */
    callee.least = 0;
  AL_TRY(emit(e, node->child, AL_GR_RETURN_STATE, &callee.entry));
  uint32_t index;
  AL_TRY(add_callee(e, callee, &index));
  return add_state(e, AL_GR_REPEAT, next, index, state);
}

static enum al_code emit_loop(struct emitter *e, const struct al_gr_node *node, uint32_t next, uint32_t *state)
{
  *state = next;
  if (node->b == 0)
    return AL_OK;
  if (node->b == AL_GR_NO_MAX && node->a <= 1)
    return emit_endless(e, node, next, state);
  if (node->b > 1)
    return emit_counted(e, node, next, state);
  uint32_t body;
  AL_TRY(emit(e, node->child, next, &body));
  if (node->a == 1 || body == next) {
    *state = body;
    return AL_OK;
  }
  return add_state(e, AL_GR_SPLIT, body, next, state);
}

static enum al_code emit_sequence(struct emitter *e, const struct al_gr_node *node, uint32_t next, uint32_t *state)
{
  *state = next;
  for (uint32_t at = node->child; at != AL_GR_NONE; at = e->gbnf->nodes[at].sibling)
    AL_TRY(emit(e, at, *state, state));
  return AL_OK;
}

/* Recursion is bounded: the parser capped the height of the tree. */
static enum al_code emit(struct emitter *e, uint32_t index, uint32_t next, uint32_t *state)
{
  const struct al_gr_node *node = &e->gbnf->nodes[index];
  switch (node->kind) {
  case AL_GR_EMPTY: *state = next; return AL_OK;
  case AL_GR_LITERAL: return emit_literal(e, node, next, state);
  case AL_GR_CLASS: return al_gr_emit_class(e->grammar, e->gbnf->ranges + node->a, node->b, next, state, e->err);
  case AL_GR_REF: return add_state(e, next == AL_GR_RETURN_STATE ? AL_GR_TAIL : AL_GR_CALL, next, node->a, state);
  case AL_GR_SEQ: return emit_sequence(e, node, next, state);
  case AL_GR_ALT: return emit_alternatives(e, node, next, state);
  case AL_GR_LOOP: return emit_loop(e, node, next, state);
  }
  return al_fail(e->err, AL_INTERNAL, "grammar: an unknown node");
}

enum al_code al_gr_emit(const struct al_gr_gbnf *gbnf, struct al_grammar *grammar, struct al_err *err)
{
  struct emitter e = { .gbnf = gbnf, .grammar = grammar, .err = err };
  uint32_t index;
  AL_TRY(add_state(&e, AL_GR_RETURN, 0, 0, &index));
  for (uint32_t i = 0; i < gbnf->n_rules; i++) {
    struct al_gr_callee callee = { .rule = i, .is_nullable = gbnf->rules[i].is_nullable };
    AL_TRY(add_callee(&e, callee, &index));
  }
  for (uint32_t i = 0; i < gbnf->n_rules; i++) {
    uint32_t entry;
    e.rule = i;
    AL_TRY(emit(&e, gbnf->rules[i].body, AL_GR_RETURN_STATE, &entry));
    grammar->callees[i].entry = entry;
  }
  return AL_OK;
}
