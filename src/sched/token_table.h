/* A hash table from tokens to a count, rebuilt for every choice: what the penalties gather. Owner: one sampler. */
#ifndef AL_SCHED_TOKEN_TABLE_H
#define AL_SCHED_TOKEN_TABLE_H

#include "base/err.h"

#include <stdint.h>

struct al_token_slot {
  int32_t token;
  uint32_t value; /* 0: free */
};

struct al_token_table {
  struct al_token_slot *slots; /* walk all n_slots and skip the free ones */
  size_t n_slots;              /* a power of two */
};

void al_token_table_done(struct al_token_table *table);
/* Empties it and makes room for n_tokens distinct ones. */
enum al_code al_token_table_reset(struct al_token_table *table, size_t n_tokens, struct al_err *err);
/* The token's value, to be changed to something above 0 before the next call. */
uint32_t *al_token_table_at(struct al_token_table *table, int32_t token);

#endif
