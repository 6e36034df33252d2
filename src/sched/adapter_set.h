/* Which adapters, at which scale, a request runs with. Equal sets are one object, so that they compare by pointer: a
 * decode and a cached prefix belong to one set. Owner: a scheduler's thread. */
#ifndef AL_SCHED_ADAPTER_SET_H
#define AL_SCHED_ADAPTER_SET_H

#include "engine/engine.h"

struct al_adapter_set {
  struct al_adapter_set *next;
  size_t n_refs;
  uint64_t last_turn; /* when it last got its steps; see plan.c */
  size_t n_uses;
  struct al_adapter_use uses[];
};

struct al_adapter_sets {
  struct al_adapter_set *bare;  /* no adapters; made by init */
  struct al_adapter_set *first; /* the others that somebody holds */
};

enum al_code al_adapter_sets_init(struct al_adapter_sets *sets, struct al_err *err);
void al_adapter_sets_done(struct al_adapter_sets *sets); /* everybody has given theirs back */

/* One reference to the set of these. A new one has its last turn now. */
enum al_code al_adapter_sets_find(struct al_adapter_sets *sets, const struct al_adapter_use *uses, size_t n_uses,
                                  uint64_t now, struct al_adapter_set **set, struct al_err *err);
struct al_adapter_set *al_adapter_set_ref(struct al_adapter_set *set);
void al_adapter_set_unref(struct al_adapter_sets *sets, struct al_adapter_set *set); /* accepts nullptr */

#endif
