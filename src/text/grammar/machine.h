/* The automaton at work: sets of positions, made as they are needed and remembered, so that most steps are one look-up.
 *
 *   node      whom to return to: an interned set of frames. All who enter a callee at the same place share one node,
 *             which is what keeps ambiguous grammars from multiplying their stacks.
 *   position  a state that waits for a byte, and the node under it
 *   set       all positions after some text, interned; set 0 is the dead end
 *
 * Everything lies in arrays that only grow; al_gr_machine_collect drops what the given sets do not need. Owned by one
 * matcher. */
#ifndef AL_TEXT_GRAMMAR_MACHINE_H
#define AL_TEXT_GRAMMAR_MACHINE_H

#include "text/grammar/automaton.h"

constexpr uint32_t AL_GR_BOTTOM = 0;  /* node: nobody; returning to it ends the sentence */
constexpr uint32_t AL_GR_UNKNOWN = 1; /* node: somebody; returning to it leaves what the set knows */
constexpr uint32_t AL_GR_DEAD = 0;    /* set */
constexpr uint32_t AL_GR_NO_COUNT = UINT32_MAX;
constexpr uint32_t AL_GR_UNMADE = UINT32_MAX;

constexpr uint32_t AL_GR_MAX_DEPTH = 240;       /* frames on top of each other: deeper calls cannot come */
constexpr size_t AL_GR_MAX_POSITIONS = 50'000;  /* in one set */
constexpr size_t AL_GR_MAX_FRAMES = 50'000;     /* in one node */
constexpr size_t AL_GR_SOFT_BYTES = 16 << 20;   /* al_gr_machine_is_large */
constexpr size_t AL_GR_HARD_BYTES = 96 << 20;   /* an error */
constexpr uint64_t AL_GR_MAX_WORK = 10'000'000; /* positions looked at, between two calls of al_gr_machine_begin */

struct al_gr_frame {
  uint32_t state; /* where to go on; with a count: the REPEAT state whose body has come to an end */
  uint32_t count; /* of repetitions before this one, or AL_GR_NO_COUNT: a plain call */
  uint32_t parent;
};

struct al_gr_node_set {
  uint32_t first, count; /* in frames */
  uint32_t depth;
  uint64_t hash;
};

struct al_gr_position {
  uint32_t state, node;
};

struct al_gr_set {
  uint32_t first, count; /* in positions */
  bool accepts;          /* the sentence may end here */
  bool escapes;          /* whoever is unknown may go on here */
  uint64_t hash;
};

struct al_gr_index { /* a hash table of array indices */
  uint32_t *slots;   /* index + 1 */
  size_t n_slots, n_used;
};

struct al_gr_pending { /* a frame for a callee that is entered in this closure */
  struct al_gr_frame frame;
  uint32_t next; /* index + 1 */
};

struct al_gr_machine {
  const struct al_grammar *grammar; /* borrowed */
  struct al_gr_frame *frames;
  size_t n_frames, frames_capacity;
  struct al_gr_node_set *nodes;
  size_t n_nodes, nodes_capacity;
  struct al_gr_position *positions;
  size_t n_positions, positions_capacity;
  struct al_gr_set *sets;
  size_t n_sets, sets_capacity;
  uint32_t *rows; /* [n_sets][n_classes]: the set after a byte of that class */
  size_t rows_capacity;
  struct al_gr_index node_index, set_index;
  uint64_t work;
  /* of the closure under way */
  struct al_gr_position *agenda;
  size_t n_agenda, agenda_capacity;
  struct al_gr_position *found;
  size_t n_found, found_capacity;
  uint32_t *seen; /* index + 1 into the agenda, by hash of the position */
  size_t n_seen_slots;
  struct al_gr_pending *pending;
  size_t n_pending, pending_capacity;
  uint32_t *pending_of; /* [n_callees] by rank: index + 1 */
  uint64_t *is_pending; /* bits by rank */
  struct al_gr_frame *gathered;
  size_t gathered_capacity;
  bool accepts, escapes;
};

/* Into a zeroed machine. */
enum al_code al_gr_machine_init(struct al_gr_machine *machine, const struct al_grammar *grammar, struct al_err *err);
void al_gr_machine_done(struct al_gr_machine *machine);

/* The set of positions before the first byte. */
enum al_code al_gr_machine_start(struct al_gr_machine *machine, uint32_t *set, struct al_err *err);
/* Computes (and remembers) what follows; al_gr_machine_step is the quick way to it. */
enum al_code al_gr_machine_advance(struct al_gr_machine *machine, uint32_t set, uint8_t byte_class, uint32_t *next,
                                   struct al_err *err);
/* A set of one position. */
enum al_code al_gr_machine_single(struct al_gr_machine *machine, struct al_gr_position position, uint32_t *set,
                                  struct al_err *err);
static inline enum al_code al_gr_machine_step(struct al_gr_machine *machine, uint32_t set, uint8_t byte, uint32_t *next,
                                              struct al_err *err)
{
  uint8_t byte_class = machine->grammar->class_of[byte];
  *next = machine->rows[(size_t)set * machine->grammar->n_classes + byte_class];
  return *next != AL_GR_UNMADE ? AL_OK : al_gr_machine_advance(machine, set, byte_class, next, err);
}

void al_gr_machine_begin(struct al_gr_machine *machine); /* a new allowance of work */
bool al_gr_machine_is_large(const struct al_gr_machine *machine);
/* Makes a smaller machine of what sets[n_sets] need, and renames these. After a failure the machine is as it was, but
 * the names in sets are lost. */
enum al_code al_gr_machine_collect(struct al_gr_machine *machine, uint32_t *sets, size_t n_sets, struct al_err *err);

/* --- intern.c ---------------------------------------------------------------------------------------------------- */

/* Sorts and thins out frames[count] in place. */
enum al_code al_gr_intern_node(struct al_gr_machine *machine, struct al_gr_frame *frames, size_t count, uint32_t *node,
                               struct al_err *err);
/* Sorts machine->found in place and takes accepts and escapes along. */
enum al_code al_gr_intern_found(struct al_gr_machine *machine, uint32_t *set, struct al_err *err);
size_t al_gr_machine_bytes(const struct al_gr_machine *machine);

/* --- closure.c --------------------------------------------------------------------------------------------------- */

enum al_code al_gr_closure_init(struct al_gr_machine *machine, struct al_err *err);
void al_gr_closure_begin(struct al_gr_machine *machine);
/* A position to start from. */
enum al_code al_gr_closure_add(struct al_gr_machine *machine, uint32_t state, uint32_t node, struct al_err *err);
/* Follows everything that needs no byte; then `found`, `accepts` and `escapes` are complete. */
enum al_code al_gr_closure_run(struct al_gr_machine *machine, struct al_err *err);

#endif
