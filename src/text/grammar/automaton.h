/* The compiled grammar: a pushdown automaton over bytes. Immutable once made.
 *
 * A callee is what can be entered and returned from: a rule, or the body of a counted repetition. Its states lead to
 * RETURN; whoever entered it stands on the stack. Repetitions are counted on the stack and never unrolled, so their
 * size does not matter. The left corners of the callees (what they can enter before a byte) form no cycle, and `rank`
 * is their topological order: closure.c relies on it. */
#ifndef AL_TEXT_GRAMMAR_AUTOMATON_H
#define AL_TEXT_GRAMMAR_AUTOMATON_H

#include "text/grammar.h"
#include "text/grammar/gbnf.h"

#include <stdatomic.h>

enum al_gr_op : uint8_t {
  AL_GR_BYTES,  /* edges[arg ... arg + next) */
  AL_GR_SPLIT,  /* go on at next and at arg */
  AL_GR_CALL,   /* enter callee arg, then next */
  AL_GR_TAIL,   /* become callee arg: nothing would be left to do after it */
  AL_GR_REPEAT, /* enter callee arg, a counted body, as often as it says, then next */
  AL_GR_RETURN,
};

struct al_gr_state {
  enum al_gr_op op;
  uint32_t next, arg;
};

struct al_gr_edge {
  uint8_t first, last;
  uint32_t next;
};

struct al_gr_callee {
  uint32_t entry;
  uint32_t rank;
  uint32_t rule;        /* that it is or belongs to */
  uint32_t least, most; /* of a counted body; most may be AL_GR_NO_MAX */
  bool is_nullable;
};

constexpr uint32_t AL_GR_RETURN_STATE = 0;
constexpr size_t AL_GR_MAX_STATES = 4'000'000;

struct al_grammar {
  _Atomic uint32_t n_refs;
  struct al_gr_state *states;
  size_t n_states, states_capacity;
  struct al_gr_edge *edges;
  size_t n_edges, edges_capacity;
  struct al_gr_callee *callees; /* the rules come first */
  size_t n_callees, callees_capacity;
  uint32_t *by_rank;     /* callee */
  uint32_t root;         /* callee */
  uint8_t class_of[256]; /* bytes that no edge tells apart share a class */
  uint8_t byte_of[256];  /* a byte of each class */
  uint32_t n_classes;
};

/* Fills states, edges and callees; `gbnf` has been analysed. */
enum al_code al_gr_emit(const struct al_gr_gbnf *gbnf, struct al_grammar *grammar, struct al_err *err);
/* Edges for code points as UTF-8, all leading to `next`: *state. */
enum al_code al_gr_emit_class(struct al_grammar *grammar, const struct al_gr_range *ranges, size_t n_ranges,
                              uint32_t next, uint32_t *state, struct al_err *err);
enum al_code al_gr_add_state(struct al_grammar *grammar, struct al_gr_state state, uint32_t *index, struct al_err *err);
enum al_code al_gr_add_edge(struct al_grammar *grammar, struct al_gr_edge edge, struct al_err *err);
/* Ranks the callees; left recursion is refused. */
enum al_code al_gr_rank(const struct al_gr_gbnf *gbnf, struct al_grammar *grammar, struct al_err *err);

#endif
