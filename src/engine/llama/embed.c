/* Whole texts through the model, each to one vector or score. A model that does not generate does it in its own
 * context; one that does gets a second context for it, pooling by the mean, so that its sequences stay as they are. */
#include "engine/llama/backend.h"
#include "engine/llama/model.h"

#include "os/machine.h"

#include <assert.h>
#include <stdatomic.h>

constexpr size_t MAX_SEQUENCES = 256; /* libllama's own */

/* The load's estimate did not count on this context: it is made only where its cache and its widest activations leave
 * half of the free memory. Later loads see what is left. */
static enum al_code check_memory(const struct al_engine_model *model, const struct al_llama_context_plan *plan,
                                 struct al_err *err)
{
  struct al_memory memory;
  al_machine_memory(&memory);
  uint64_t cache = al_llama_kv_bytes_per_token(model->llama, plan->kv_type) * (uint64_t)plan->n_ctx;
  uint64_t steps = (uint64_t)plan->n_batch * (uint64_t)llama_model_n_embd(model->llama) * 16 * sizeof(float);
  if (cache + steps <= memory.available_bytes / 2)
    return AL_OK;
  return al_fail(err, AL_OOM_RAM, "embeddings need %llu MB more, %llu MB are free",
                 (unsigned long long)((cache + steps) >> 20), (unsigned long long)(memory.available_bytes >> 20));
}

static enum al_code make_embedder(struct al_engine_model *model, struct al_err *err)
{
  struct al_llama_context_plan plan = model->plan;
  plan.generates = false;
  plan.n_ctx = plan.n_batch = model->info.n_batch;
  AL_TRY(check_memory(model, &plan, err));
  struct al_llama_buffers buffers = {};
  model->embedder = al_llama_context_new(model, &plan, &buffers);
  if (model->embedder == nullptr) {
    const char *why = al_llama_log_last_error();
    return al_fail(err, strstr(why, "alloc") != nullptr ? AL_OOM_RAM : AL_UNSUPPORTED,
                   "the model cannot make embeddings: %s", why[0] != '\0' ? why : "libllama does not say why");
  }
  atomic_store(&model->embedder_bytes, buffers.kv_bytes + buffers.compute_ram_bytes + buffers.compute_vram_bytes);
  return AL_OK;
}

static enum al_code check_items(const struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                                struct al_err *err)
{
  assert(n_items > 0 && n_items <= (size_t)model->info.n_batch);
  int most = model->info.n_ctx < model->info.n_batch ? model->info.n_ctx : model->info.n_batch;
  for (size_t i = 0; i < n_items; i++) {
    assert(items[i].sequence >= 0 && items[i].sequence < model->info.n_seq_max);
    if (items[i].position < 0 || items[i].position >= most)
      return al_fail(err, AL_INVALID_REQUEST, "a text to embed has more than %d tokens", most);
    if (items[i].token < 0 || items[i].token >= model->info.n_vocab)
      return al_fail(err, AL_INVALID_REQUEST, "%d is no token of this model", (int)items[i].token);
  }
  return AL_OK;
}

static int32_t run(struct al_engine_model *model, struct llama_context *context, size_t n_items)
{
  for (size_t i = 0; i < n_items; i++)
    model->wants_logits[i] = 1; /* the pool takes them all */
  struct llama_batch batch = {
    .n_tokens = (int32_t)n_items,
    .token = model->tokens,
    .pos = model->positions,
    .n_seq_id = model->n_seq_ids,
    .seq_id = model->seq_ids,
    .logits = model->wants_logits,
  };
  llama_memory_t memory = llama_get_memory(context);
  if (memory == nullptr)
    return llama_encode(context, batch);
  int32_t status = llama_decode(context, batch);
  if (status == 0)
    llama_synchronize(context);
  llama_memory_clear(memory, false);
  return status;
}

/* One row a sequence, as they first appear. */
static enum al_code take_rows(const struct al_engine_model *model, struct llama_context *context,
                              const struct al_text_item *items, size_t n_items, float *rows, struct al_err *err)
{
  bool taken[MAX_SEQUENCES] = {};
  size_t n_embd = (size_t)model->info.n_embd;
  for (size_t i = 0; i < n_items; i++) {
    if (taken[items[i].sequence])
      continue;
    taken[items[i].sequence] = true;
    const float *row = llama_get_embeddings_seq(context, items[i].sequence);
    if (row == nullptr)
      return al_fail(err, AL_INTERNAL, "libllama gives no embedding");
    memcpy(rows, row, n_embd * sizeof *row);
    rows += n_embd;
  }
  return AL_OK;
}

enum al_code al_llama_embed(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                            float *rows, const struct al_cancel *stop, struct al_err *err)
{
  AL_TRY(check_items(model, items, n_items, err));
  if (model->plan.generates && model->embedder == nullptr)
    AL_TRY(make_embedder(model, err));
  struct llama_context *context = model->plan.generates ? model->embedder : model->context;
  (void)al_llama_fill_batch(model, items, n_items);
  al_llama_log_clear();
  model->stop = stop;
  int32_t status = run(model, context, n_items);
  model->stop = nullptr;
  return status == 0 ? take_rows(model, context, items, n_items, rows, err) : al_llama_explain(status, n_items, err);
}
