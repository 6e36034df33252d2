/* Which callee can enter which before it has read a byte: an order without cycles, or left recursion. */
#include "text/grammar/automaton.h"

#include "base/alloc.h"

struct ranker {
  struct al_grammar *grammar;
  uint32_t *first_edge; /* [n_callees + 1] into corners */
  uint32_t *corners;    /* callees entered at the left */
  size_t n_corners, corners_capacity;
  uint32_t *work; /* [n_states] */
  uint32_t *seen; /* [n_states], callee + 1 */
  uint8_t *colour;
  uint32_t *path, *path_at; /* [n_callees] */
  struct al_err *err;
};

static enum al_code add_corner(struct ranker *r, uint32_t callee)
{
  void *corners = r->corners;
  AL_TRY(al_grow(&corners, &r->corners_capacity, r->n_corners + 1, sizeof *r->corners, r->err));
  r->corners = corners;
  r->corners[r->n_corners++] = callee;
  return AL_OK;
}

static void reach(struct ranker *r, uint32_t callee, uint32_t state, size_t *n_work)
{
  if (r->seen[state] == callee + 1)
    return;
  r->seen[state] = callee + 1;
  r->work[(*n_work)++] = state;
}

/* Walks what callee reaches without a byte. The states of a callee are its own, so all walks together are linear. */
static enum al_code find_corners(struct ranker *r, uint32_t callee)
{
  const struct al_grammar *grammar = r->grammar;
  size_t n_work = 0;
  reach(r, callee, grammar->callees[callee].entry, &n_work);
  while (n_work > 0) {
    const struct al_gr_state *state = &grammar->states[r->work[--n_work]];
    switch (state->op) {
    case AL_GR_BYTES:
    case AL_GR_RETURN: break;
    case AL_GR_SPLIT:
      reach(r, callee, state->next, &n_work);
      reach(r, callee, state->arg, &n_work);
      break;
    case AL_GR_TAIL: AL_TRY(add_corner(r, state->arg)); break;
    case AL_GR_CALL:
    case AL_GR_REPEAT:
      AL_TRY(add_corner(r, state->arg));
      if (grammar->callees[state->arg].is_nullable ||
          (state->op == AL_GR_REPEAT && grammar->callees[state->arg].least == 0))
        reach(r, callee, state->next, &n_work);
      break;
    }
  }
  return AL_OK;
}

enum { WHITE, GREY, BLACK };

static enum al_code refuse(const struct al_gr_gbnf *gbnf, const struct ranker *r, uint32_t callee)
{
  const struct al_gr_rule *rule = &gbnf->rules[r->grammar->callees[callee].rule];
  return al_gr_fail_at(r->err, gbnf->text, rule->at, "the rule '%.*s' is left-recursive",
                       (int)al_min_size(rule->name.size, 80), rule->name.data);
}

/* Depth first from one callee; those that are done get ranks from the end. */
static enum al_code order_from(const struct al_gr_gbnf *gbnf, struct ranker *r, uint32_t start, uint32_t *rank)
{
  struct al_grammar *grammar = r->grammar;
  size_t depth = 0;
  if (r->colour[start] != WHITE)
    return AL_OK;
  r->colour[start] = GREY;
  r->path[depth] = start;
  r->path_at[depth++] = r->first_edge[start];
  while (depth > 0) {
    uint32_t callee = r->path[depth - 1];
    if (r->path_at[depth - 1] == r->first_edge[callee + 1]) {
      r->colour[callee] = BLACK;
      grammar->callees[callee].rank = --*rank;
      grammar->by_rank[*rank] = callee;
      depth--;
      continue;
    }
    uint32_t corner = r->corners[r->path_at[depth - 1]++];
    if (r->colour[corner] == GREY)
      return refuse(gbnf, r, corner);
    if (r->colour[corner] == BLACK)
      continue;
    r->colour[corner] = GREY;
    r->path[depth] = corner;
    r->path_at[depth++] = r->first_edge[corner];
  }
  return AL_OK;
}

static enum al_code rank_all(const struct al_gr_gbnf *gbnf, struct ranker *r)
{
  struct al_grammar *grammar = r->grammar;
  size_t n = grammar->n_callees;
  r->first_edge = al_calloc(n + 1, sizeof *r->first_edge);
  r->work = al_calloc(grammar->n_states, sizeof *r->work);
  r->seen = al_calloc(grammar->n_states, sizeof *r->seen);
  r->colour = al_calloc(n, sizeof *r->colour);
  r->path = al_calloc(n, sizeof *r->path);
  r->path_at = al_calloc(n, sizeof *r->path_at);
  grammar->by_rank = al_calloc(n, sizeof *grammar->by_rank);
  if (r->first_edge == nullptr || r->work == nullptr || r->seen == nullptr || r->colour == nullptr ||
      r->path == nullptr || r->path_at == nullptr || grammar->by_rank == nullptr)
    return al_fail_oom(r->err, grammar->n_states * sizeof *r->work);
  for (uint32_t i = 0; i < n; i++) {
    r->first_edge[i] = (uint32_t)r->n_corners;
    AL_TRY(find_corners(r, i));
  }
  r->first_edge[n] = (uint32_t)r->n_corners;
  uint32_t rank = (uint32_t)n;
  for (uint32_t i = 0; i < n; i++)
    AL_TRY(order_from(gbnf, r, i, &rank));
  return AL_OK;
}

enum al_code al_gr_rank(const struct al_gr_gbnf *gbnf, struct al_grammar *grammar, struct al_err *err)
{
  struct ranker r = { .grammar = grammar, .err = err };
  enum al_code code = rank_all(gbnf, &r);
  al_free(r.first_edge);
  al_free(r.corners);
  al_free(r.work);
  al_free(r.seen);
  al_free(r.colour);
  al_free(r.path);
  al_free(r.path_at);
  return code;
}
