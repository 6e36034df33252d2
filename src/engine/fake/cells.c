/* The fake KV cache: cells with reference counts, so that shared prefixes take room once, as in a unified cache. */
#include "engine/fake/model.h"

#include <assert.h>

/* FNV-1a over the token's bytes, continuing from the prefix. */
uint64_t fake_hash(uint64_t hash, int32_t token)
{
  for (int shift = 0; shift < 32; shift += 8)
    hash = (hash ^ (((uint32_t)token >> shift) & 0xff)) * 0x100000001b3U;
  return hash;
}

static void note_use(const struct al_engine_model *model)
{
  uint64_t used = (uint64_t)(model->n_ctx - model->n_free);
  if (used > al_fake_counts.most_cells_used)
    al_fake_counts.most_cells_used = used;
}

void fake_append(struct al_engine_model *model, int32_t sequence, int32_t token)
{
  struct fake_sequence *s = &model->sequences[sequence];
  assert(model->n_free > 0);
  if (s->count > 0)
    assert(model->cells[s->cells[s->count - 1]].adapters == model->adapters);
  uint64_t before = s->count > 0 ? model->cells[s->cells[s->count - 1]].hash : FAKE_HASH_START;
  int cell = model->free_cells[--model->n_free];
  model->cells[cell] = (struct fake_cell){
    .token = token,
    .n_refs = 1,
    .hash = fake_hash(before, token),
    .adapters = model->adapters,
  };
  s->cells[s->count++] = cell;
  note_use(model);
}

bool fake_remove(struct al_engine_model *model, int32_t sequence, int32_t from, int32_t to)
{
  struct fake_sequence *s = &model->sequences[sequence];
  from = from < 0 ? 0 : from;
  to = to < 0 || to > s->count ? s->count : to;
  if (from >= to)
    return true;
  /* A hole in the middle would need positions to be kept apart from order: nothing above does that. */
  assert(to == s->count);
  if (al_fake_knobs.no_partial_remove && from > 0)
    return false;
  for (int i = from; i < to; i++) {
    if (--model->cells[s->cells[i]].n_refs == 0)
      model->free_cells[model->n_free++] = s->cells[i];
  }
  s->count = from;
  return true;
}

void fake_copy(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end)
{
  const struct fake_sequence *s = &model->sequences[source];
  struct fake_sequence *t = &model->sequences[to];
  from = from < 0 ? 0 : from;
  end = end < 0 || end > s->count ? s->count : end;
  assert(source != to && t->count == from);
  for (int i = from; i < end; i++) {
    model->cells[s->cells[i]].n_refs++;
    t->cells[t->count++] = s->cells[i];
  }
}
