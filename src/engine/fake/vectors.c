/* Embeddings by hash, and scores by the letters that query and document share. */
#include "engine/fake/model.h"

#include <assert.h>

static void hash_row(const struct al_text_item *items, size_t n_items, float *row)
{
  uint64_t hash = FAKE_HASH_START;
  for (size_t i = 0; i < n_items; i++)
    hash = fake_hash(hash, items[i].token);
  for (size_t i = 0; i < (size_t)AL_FAKE_N_EMBD; i++)
    row[i] = (float)(fake_mix(hash + i) >> 40) / (float)(1 << 23) - 1;
}

/* The pair's two halves are parted by <|eos|>. */
static float score(const struct al_text_item *items, size_t n_items)
{
  bool in_query[256] = {};
  size_t at = 0, n_shared = 0, n_document = 0;
  for (; at < n_items && items[at].token != AL_FAKE_EOS; at++)
    if (items[at].token < AL_FAKE_BOS)
      in_query[items[at].token] = true;
  for (at++; at < n_items; at++, n_document++)
    n_shared += items[at].token < AL_FAKE_BOS && in_query[items[at].token];
  return n_document > 0 ? (float)n_shared / (float)n_document : 0;
}

static enum al_code embed_alone(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                                float *rows, const struct al_cancel *stop, struct al_err *err)
{
  assert(n_items > 0 && n_items <= (size_t)model->n_batch);
  assert(model->pooling != AL_POOLING_NONE && model->adapters == 0);
  al_fake_counts.n_embeds++;
  if (!fake_work(al_fake_knobs.decode_ns, stop))
    return al_fail(err, AL_CANCELLED, "cancelled in the middle of an embedding");
  size_t n_rows = 0;
  for (size_t first = 0, end; first < n_items; first = end) {
    for (end = first; end < n_items && items[end].sequence == items[first].sequence; end++) {
      assert(items[end].position == (int32_t)(end - first));
      if (al_fake_knobs.poison != 0 && items[end].token == al_fake_knobs.poison)
        return al_fail(err, AL_INTERNAL, "the fake engine was told to choke on this text");
    }
    assert(n_rows < (size_t)model->n_seq_max);
    if (model->pooling == AL_POOLING_RANK)
      rows[n_rows++] = score(items + first, end - first);
    else
      hash_row(items + first, end - first, rows + n_rows++ * (size_t)AL_FAKE_N_EMBD);
  }
  return AL_OK;
}

enum al_code fake_embed(struct al_engine_model *model, const struct al_text_item *items, size_t n_items, float *rows,
                        const struct al_cancel *stop, struct al_err *err)
{
  bool was_busy = atomic_flag_test_and_set(&model->busy);
  assert(!was_busy);
  enum al_code code = embed_alone(model, items, n_items, rows, stop, err);
  atomic_flag_clear(&model->busy);
  return code;
}

enum al_code fake_tokenize_pair(const struct al_engine_model *model, struct al_str query, struct al_str document,
                                int32_t *tokens, size_t capacity, size_t *count, struct al_err *err)
{
  size_t n_query = 0, n_document = 0;
  AL_TRY(fake_tokenize(model, query, 0, tokens, capacity, &n_query, err));
  size_t used = n_query < capacity ? n_query + 1 : capacity;
  if (n_query < capacity)
    tokens[n_query] = AL_FAKE_EOS;
  AL_TRY(fake_tokenize(model, document, 0, tokens + used, capacity - used, &n_document, err));
  *count = n_query + 1 + n_document;
  return AL_OK;
}
