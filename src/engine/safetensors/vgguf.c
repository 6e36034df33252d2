#include "engine/safetensors/vgguf.h"
#include "engine/safetensors/family.h"

#include "base/alloc.h"
#include "engine/safetensors/convert.h"

#include <math.h>
#include <stdio.h>

struct al_vgguf {
  struct al_hf_config config;
  struct al_hf_weights *weights;
  struct al_tensor_plan plan;
  struct gguf_context *gguf;
  struct ggml_context *shapes; /* tensors without data, which gguf_add_tensor wants */
  uint8_t *metadata;
  size_t metadata_bytes;
  uint64_t size_bytes;
  int n_threads;
};

static void set_u32(struct gguf_context *gguf, const char *architecture, const char *key, int64_t value)
{
  char full[128];
  (void)snprintf(full, sizeof full, "%s.%s", architecture, key);
  gguf_set_val_u32(gguf, full, (uint32_t)value);
}

static void set_f32(struct gguf_context *gguf, const char *architecture, const char *key, double value)
{
  char full[128];
  (void)snprintf(full, sizeof full, "%s.%s", architecture, key);
  if (!isnan(value))
    gguf_set_val_f32(gguf, full, (float)value);
}

static void set_rope(struct gguf_context *gguf, const char *architecture, const struct al_hf_config *config)
{
  const struct al_hf_rope *rope = &config->rope;
  set_f32(gguf, architecture, "rope.freq_base", rope->theta);
  set_u32(gguf, architecture, "rope.dimension_count", (int64_t)((double)config->head_dim * rope->partial_factor));
  if (rope->kind != AL_HF_ROPE_LINEAR && rope->kind != AL_HF_ROPE_YARN)
    return;
  char key[128];
  (void)snprintf(key, sizeof key, "%s.rope.scaling.type", architecture);
  gguf_set_val_str(gguf, key, rope->kind == AL_HF_ROPE_YARN ? "yarn" : "linear");
  set_f32(gguf, architecture, "rope.scaling.factor", rope->factor);
  if (rope->kind == AL_HF_ROPE_LINEAR)
    return;
  set_u32(gguf, architecture, "rope.scaling.original_context_length", rope->original_context);
  set_f32(gguf, architecture, "rope.scaling.yarn_beta_fast", rope->beta_fast);
  set_f32(gguf, architecture, "rope.scaling.yarn_beta_slow", rope->beta_slow);
  set_f32(gguf, architecture, "rope.scaling.yarn_attn_factor", rope->attention_factor);
}

static void set_sizes(struct gguf_context *gguf, const struct al_hf_family *family, const struct al_hf_config *config)
{
  const char *a = family->architecture;
  gguf_set_val_str(gguf, "general.architecture", a);
  set_u32(gguf, a, "block_count", config->n_layers);
  set_u32(gguf, a, "context_length", config->n_ctx);
  set_u32(gguf, a, "embedding_length", config->n_embd);
  set_u32(gguf, a, "feed_forward_length", config->n_ff);
  set_u32(gguf, a, "attention.head_count", config->n_heads);
  set_u32(gguf, a, "attention.head_count_kv", config->n_kv_heads);
  set_u32(gguf, a, "attention.key_length", config->head_dim);
  set_u32(gguf, a, "attention.value_length", config->head_dim);
  set_u32(gguf, a, "vocab_size", config->n_vocab);
  set_f32(gguf, a, "attention.layer_norm_rms_epsilon", config->rms_epsilon);
  set_rope(gguf, a, config);
  if (family->metadata != nullptr)
    family->metadata(config, gguf);
}

/* What generation_config.json recommends, where libllama keeps it. */
static void set_sampling(struct gguf_context *gguf, const struct al_hf_config *config)
{
  if (!isnan(config->temperature))
    gguf_set_val_f32(gguf, "general.sampling.temp", config->temperature);
  if (!isnan(config->top_p))
    gguf_set_val_f32(gguf, "general.sampling.top_p", config->top_p);
  if (config->top_k > 0)
    gguf_set_val_i32(gguf, "general.sampling.top_k", config->top_k);
}

/* GGUF has three keys for tokens that end an answer; the rest goes into a key of ours (engine/llama/text_rules.h). */
static void set_eos(struct gguf_context *gguf, const struct al_hf_config *config, int32_t eos)
{
  static const char *const keys[] = { "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
  char more[AL_HF_MAX_EOS * 12] = "";
  size_t n_keys = 0;
  size_t used = 0;
  for (size_t i = 0; i < config->n_eos; i++) {
    if (config->eos[i] == eos)
      continue;
    if (n_keys < AL_COUNT(keys))
      gguf_set_val_u32(gguf, keys[n_keys++], (uint32_t)config->eos[i]);
    else
      used += (size_t)snprintf(more + used, sizeof more - used, "%d ", (int)config->eos[i]);
  }
  if (used > 0)
    gguf_set_val_str(gguf, "allm.tokenizer.eos_token_ids", more);
}

static enum al_code add_tensors(struct al_vgguf *v, struct al_err *err)
{
  size_t n = v->plan.n_tensors;
  struct ggml_init_params params = { .mem_size = ggml_tensor_overhead() * (n + 1), .no_alloc = true };
  v->shapes = ggml_init(params);
  if (v->shapes == nullptr)
    return al_fail_oom(err, params.mem_size);
  for (size_t i = 0; i < n; i++) {
    const struct al_plan_tensor *t = &v->plan.tensors[i];
    struct ggml_tensor *shape = ggml_new_tensor(v->shapes, t->type, t->n_dims, t->ne);
    (void)ggml_set_name(shape, t->name);
    gguf_add_tensor(v->gguf, shape);
  }
  return AL_OK;
}

static enum al_code serialise(struct al_vgguf *v, struct al_err *err)
{
  v->metadata_bytes = gguf_get_meta_size(v->gguf);
  v->metadata = al_alloc(v->metadata_bytes);
  if (v->metadata == nullptr)
    return al_fail_oom(err, v->metadata_bytes);
  gguf_get_meta_data(v->gguf, v->metadata);
  int64_t last = gguf_get_n_tensors(v->gguf) - 1;
  uint64_t alignment = gguf_get_alignment(v->gguf);
  uint64_t end = gguf_get_tensor_offset(v->gguf, last) + gguf_get_tensor_size(v->gguf, last);
  v->size_bytes = v->metadata_bytes + (end + alignment - 1) / alignment * alignment;
  return AL_OK;
}

static enum al_code build(struct al_vgguf *v, const char *directory, const char *quant, struct al_err *err)
{
  AL_TRY(al_hf_config_load(directory, &v->config, err));
  const struct al_hf_family *family;
  AL_TRY(al_hf_family_find(v->config.architecture, &family, err));
  AL_TRY(al_hf_weights_open(directory, &v->weights, err));
  AL_TRY(al_tensor_plan_make(family, &v->config, v->weights, quant, &v->plan, err));
  AL_CLEANUP(al_hf_tokenizer_done) struct al_hf_tokenizer tokenizer = {};
  AL_TRY(al_hf_tokenizer_load(directory, &v->config, &tokenizer, err));
  v->gguf = gguf_init_empty();
  if (v->gguf == nullptr)
    return al_fail_oom(err, 0);
  set_sizes(v->gguf, family, &v->config);
  set_sampling(v->gguf, &v->config);
  al_hf_tokenizer_to_gguf(&tokenizer, v->gguf);
  set_eos(v->gguf, &v->config, tokenizer.eos);
  AL_TRY(add_tensors(v, err));
  return serialise(v, err);
}

enum al_code al_vgguf_open(const char *directory, const char *quant, int n_threads, struct al_vgguf **vgguf,
                           struct al_err *err)
{
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->n_threads = n_threads > 0 ? n_threads : 1;
  AL_TRY(build(made, directory, quant, err));
  *vgguf = AL_TAKE(made);
  return AL_OK;
}

void al_vgguf_close(struct al_vgguf *vgguf)
{
  if (vgguf == nullptr)
    return;
  al_free(vgguf->metadata);
  gguf_free(vgguf->gguf);
  if (vgguf->shapes != nullptr)
    ggml_free(vgguf->shapes);
  al_tensor_plan_done(&vgguf->plan);
  al_hf_weights_close(vgguf->weights);
  al_hf_config_done(&vgguf->config);
  al_free(vgguf);
}

const struct gguf_context *al_vgguf_metadata(const struct al_vgguf *vgguf)
{
  return vgguf->gguf;
}

uint64_t al_vgguf_size_bytes(const struct al_vgguf *vgguf)
{
  return vgguf->size_bytes;
}

uint64_t al_vgguf_weights_bytes(const struct al_vgguf *vgguf)
{
  return vgguf->plan.size_bytes;
}

/* The last tensor that starts at or before `offset` of the data section. */
static size_t tensor_at(const struct al_vgguf *v, uint64_t offset)
{
  size_t low = 0;
  size_t high = v->plan.n_tensors;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    if (gguf_get_tensor_offset(v->gguf, (int64_t)middle) <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* Bytes [offset, offset+size) of one tensor. Whole rows go straight to their place; a range that starts or ends within
 * a row (the stream's buffer does that) has that row made beside and copied. */
static enum al_code read_tensor(const struct al_vgguf *v, const struct al_plan_tensor *t, uint64_t offset,
                                uint8_t *bytes, size_t size, struct al_err *err)
{
  if (al_convert_is_copy(t))
    return al_hf_weights_read(v->weights, t->source, offset, bytes, size, err);
  while (size > 0) {
    int64_t row = (int64_t)(offset / t->row_bytes);
    size_t within = (size_t)(offset % t->row_bytes);
    size_t part;
    if (within == 0 && size >= t->row_bytes) {
      int64_t n_rows = (int64_t)(size / t->row_bytes);
      AL_TRY(al_convert_rows(v->weights, t, row, row + n_rows, bytes, v->n_threads, err));
      part = (size_t)n_rows * t->row_bytes;
    } else {
      AL_CLEANUP(al_free_p) uint8_t *whole = al_alloc(t->row_bytes);
      if (whole == nullptr)
        return al_fail_oom(err, t->row_bytes);
      AL_TRY(al_convert_rows(v->weights, t, row, row + 1, whole, 1, err));
      part = al_min_size(t->row_bytes - within, size);
      memcpy(bytes, whole + within, part);
    }
    bytes += part;
    offset += part;
    size -= part;
  }
  return AL_OK;
}

/* One piece: of the metadata, of a tensor, or of the padding behind one. */
static enum al_code read_piece(const struct al_vgguf *v, uint64_t position, uint8_t *bytes, size_t size, size_t *n_read,
                               struct al_err *err)
{
  if (position < v->metadata_bytes) {
    *n_read = al_min_size(size, v->metadata_bytes - (size_t)position);
    memcpy(bytes, v->metadata + position, *n_read);
    return AL_OK;
  }
  uint64_t offset = position - v->metadata_bytes;
  size_t i = tensor_at(v, offset);
  uint64_t start = gguf_get_tensor_offset(v->gguf, (int64_t)i);
  uint64_t end = start + v->plan.tensors[i].size_bytes;
  if (offset < end) {
    *n_read = al_min_size(size, (size_t)(end - offset));
    return read_tensor(v, &v->plan.tensors[i], offset - start, bytes, *n_read, err);
  }
  uint64_t next =
      i + 1 < v->plan.n_tensors ? gguf_get_tensor_offset(v->gguf, (int64_t)i + 1) : v->size_bytes - v->metadata_bytes;
  *n_read = al_min_size(size, (size_t)(next - offset));
  memset(bytes, 0, *n_read);
  return AL_OK;
}

enum al_code al_vgguf_read(const struct al_vgguf *vgguf, uint64_t position, uint8_t *bytes, size_t size, size_t *n_read,
                           struct al_err *err)
{
  size_t done = 0;
  while (done < size && position + done < vgguf->size_bytes) {
    size_t part = 0;
    AL_TRY(read_piece(vgguf, position + done, bytes + done, size - done, &part, err));
    done += part;
  }
  *n_read = done;
  return AL_OK;
}
