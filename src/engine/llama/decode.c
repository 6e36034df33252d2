/* One step: a batch through the model, all or nothing. */
#include "engine/llama/backend.h"
#include "engine/llama/model.h"

#include "base/alloc.h"

#include <assert.h>

/* Positions that have left the window of the last one may be overwritten, also those that the window of one before it
 * reaches back to. */
bool al_llama_sequence_holds(const struct al_engine_model *model, int32_t sequence, int32_t end)
{
  int32_t window = llama_model_n_swa(model->llama);
  int32_t first = end >= window ? end - window + 1 : 0;
  return window <= 0 || end <= 0 || llama_memory_seq_pos_min(model->memory, sequence) <= first;
}

/* Takes away what a failed decode left behind: libllama splits a batch and keeps the parts that were done. */
static bool undo(struct al_engine_model *model, const struct al_text_item *items, size_t n_items)
{
  bool undone = true;
  /* From the back: the first item of each sequence has the last word. */
  for (size_t i = n_items; i-- > 0;) {
    if (llama_memory_seq_pos_max(model->memory, items[i].sequence) < items[i].position)
      continue;
    if (llama_memory_seq_rm(model->memory, items[i].sequence, items[i].position, -1) &&
        al_llama_sequence_holds(model, items[i].sequence, items[i].position))
      continue;
    (void)llama_memory_seq_rm(model->memory, items[i].sequence, -1, -1);
    undone = false;
  }
  return undone;
}

enum al_code al_llama_explain(int32_t status, size_t n_items, struct al_err *err)
{
  if (status == 1) {
    enum al_code code = al_fail(err, AL_OOM_RAM, "the KV cache has no room for %zu more tokens", n_items);
    return al_fail_reason(err, code, "kv_full");
  }
  if (status == 2)
    return al_fail(err, AL_CANCELLED, "stopped in the middle of a step");
  if (status == -2)
    return al_fail(err, AL_OOM_RAM, "no memory for the computation of %zu tokens", n_items);
  const char *why = al_llama_log_last_error();
  return al_fail(err, AL_INTERNAL, "libllama failed (%d): %s", (int)status,
                 why[0] != '\0' ? why : "it does not say why");
}

/* Items [first, first + n) of the batch that is filled in. */
static int32_t run(struct al_engine_model *model, size_t first, size_t n)
{
  struct llama_batch batch = {
    .n_tokens = (int32_t)n,
    .token = model->tokens + first,
    .pos = model->positions + first,
    .n_seq_id = model->n_seq_ids + first,
    .seq_id = model->seq_ids + first,
    .logits = model->wants_logits + first,
  };
  return llama_decode(model->context, batch);
}

/* How many items from `first` can go in one piece. */
static size_t piece_size(const struct al_engine_model *model, size_t first, size_t n_items)
{
  int n_outputs = 0;
  size_t end = first;
  while (end < n_items && n_outputs + model->wants_logits[end] <= model->max_outputs)
    n_outputs += model->wants_logits[end++];
  return end - first;
}

static size_t keep_rows(struct al_engine_model *model, size_t first, size_t n, size_t n_rows)
{
  size_t n_vocab = (size_t)model->info.n_vocab;
  for (size_t i = 0; i < n; i++) {
    model->row_of[first + i] = -1;
    if (!model->wants_logits[first + i])
      continue;
    const float *row = llama_get_logits_ith(model->context, (int32_t)i);
    assert(row != nullptr);
    memcpy(model->rows + n_rows * n_vocab, row, n_vocab * sizeof *row);
    model->row_of[first + i] = (int32_t)n_rows++;
  }
  return n_rows;
}

static int32_t run_in_pieces(struct al_engine_model *model, size_t n_items)
{
  size_t n_rows = 0;
  for (size_t first = 0; first < n_items;) {
    size_t n = piece_size(model, first, n_items);
    int32_t status = run(model, first, n);
    if (status != 0)
      return status;
    n_rows = keep_rows(model, first, n, n_rows);
    first += n;
  }
  return 0;
}

size_t al_llama_fill_batch(struct al_engine_model *model, const struct al_text_item *items, size_t n_items)
{
  assert(n_items > 0 && n_items <= (size_t)model->info.n_batch);
  size_t n_outputs = 0;
  for (size_t i = 0; i < n_items; i++) {
    assert(items[i].sequence >= 0 && items[i].sequence < model->info.n_seq_max);
    model->tokens[i] = items[i].token;
    model->positions[i] = items[i].position;
    model->sequences[i] = items[i].sequence;
    model->wants_logits[i] = items[i].wants_logits;
    n_outputs += items[i].wants_logits;
  }
  return n_outputs;
}

static enum al_code make_rows(struct al_engine_model *model, size_t n_rows, struct al_err *err)
{
  void *rows = model->rows;
  AL_TRY(al_grow(&rows, &model->rows_capacity, n_rows, (size_t)model->info.n_vocab * sizeof(float), err));
  model->rows = rows;
  return AL_OK;
}

enum al_code al_llama_decode(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                             const struct al_cancel *stop, struct al_err *err)
{
  size_t n_outputs = al_llama_fill_batch(model, items, n_items);
  bool in_pieces = n_outputs > (size_t)model->max_outputs;
  if (in_pieces)
    AL_TRY(make_rows(model, n_outputs, err));
  al_llama_log_clear();
  model->stop = stop;
  int32_t status = in_pieces ? run_in_pieces(model, n_items) : run(model, 0, n_items);
  model->stop = nullptr;
  model->in_rows = in_pieces;
  if (status == 0)
    return AL_OK;
  enum al_code code = al_llama_explain(status, n_items, err);
  return undo(model, items, n_items) ? code : al_fail_reason(err, code, "sequence_lost");
}

float *al_llama_logits(struct al_engine_model *model, size_t item)
{
  if (model->in_rows) {
    assert(item < (size_t)model->info.n_batch && model->row_of[item] >= 0);
    return model->rows + (size_t)model->row_of[item] * (size_t)model->info.n_vocab;
  }
  float *row = llama_get_logits_ith(model->context, (int32_t)item);
  assert(row != nullptr);
  return row;
}

bool al_llama_sequence_remove(struct al_engine_model *model, int32_t sequence, int32_t from, int32_t to)
{
  assert(sequence >= 0 && sequence < model->info.n_seq_max);
  return llama_memory_seq_rm(model->memory, sequence, from, to);
}

void al_llama_sequence_copy(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end)
{
  assert(source >= 0 && source < model->info.n_seq_max && to >= 0 && to < model->info.n_seq_max && source != to);
  llama_memory_seq_cp(model->memory, source, to, from, end);
}
