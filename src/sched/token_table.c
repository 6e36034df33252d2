#include "sched/token_table.h"

#include "base/alloc.h"

void al_token_table_done(struct al_token_table *table)
{
  al_free(table->slots);
  *table = (struct al_token_table){};
}

enum al_code al_token_table_reset(struct al_token_table *table, size_t n_tokens, struct al_err *err)
{
  size_t wanted = 64;
  while (wanted < 2 * n_tokens)
    wanted *= 2;
  if (wanted <= table->n_slots) {
    memset(table->slots, 0, table->n_slots * sizeof *table->slots);
    return AL_OK;
  }
  struct al_token_slot *slots = al_calloc(wanted, sizeof *slots);
  if (slots == nullptr)
    return al_fail_oom(err, wanted * sizeof *slots);
  al_free(table->slots);
  *table = (struct al_token_table){ slots, wanted };
  return AL_OK;
}

uint32_t *al_token_table_at(struct al_token_table *table, int32_t token)
{
  size_t mask = table->n_slots - 1;
  uint32_t hash = (uint32_t)token * UINT32_C(2654435769);
  size_t at = hash & mask;
  while (table->slots[at].value != 0 && table->slots[at].token != token)
    at = (at + 1) & mask;
  table->slots[at].token = token;
  return &table->slots[at].value;
}
