#include "engine/safetensors/hf_meta.h"
#include "engine/safetensors/family.h"

#include <math.h>
#include <stdio.h>

struct key {
  char text[128];
};

static struct key full(const struct al_hf_meta *meta, const char *name)
{
  struct key key;
  (void)snprintf(key.text, sizeof key.text, "%s.%s", meta->architecture, name);
  return key;
}

void al_hf_meta_u32(const struct al_hf_meta *meta, const char *key, int64_t value)
{
  gguf_set_val_u32(meta->gguf, full(meta, key).text, (uint32_t)value);
}

void al_hf_meta_f32(const struct al_hf_meta *meta, const char *key, double value)
{
  if (!isnan(value))
    gguf_set_val_f32(meta->gguf, full(meta, key).text, (float)value);
}

void al_hf_meta_bool(const struct al_hf_meta *meta, const char *key, bool value)
{
  gguf_set_val_bool(meta->gguf, full(meta, key).text, value);
}

void al_hf_meta_str(const struct al_hf_meta *meta, const char *key, const char *value)
{
  gguf_set_val_str(meta->gguf, full(meta, key).text, value);
}

void al_hf_meta_bools(const struct al_hf_meta *meta, const char *key, const bool *values, size_t n)
{
  static_assert(sizeof *values == 1, "as GGUF has them");
  gguf_set_arr_data(meta->gguf, full(meta, key).text, GGUF_TYPE_BOOL, values, n);
}

void al_hf_meta_array(const struct al_hf_meta *meta, const char *key, const int32_t *values, size_t n)
{
  gguf_set_arr_data(meta->gguf, full(meta, key).text, GGUF_TYPE_INT32, values, n);
}

static void set_rope(const struct al_hf_meta *meta, const struct al_hf_config *config)
{
  const struct al_hf_rope *rope = &config->rope;
  al_hf_meta_f32(meta, "rope.freq_base", rope->theta);
  al_hf_meta_u32(meta, "rope.dimension_count", (int64_t)((double)config->head_dim * rope->partial_factor));
  if (rope->kind == AL_HF_ROPE_LONGROPE) {
    al_hf_meta_str(meta, "rope.scaling.type", "longrope");
    al_hf_meta_u32(meta, "rope.scaling.original_context_length", rope->original_context);
    al_hf_meta_f32(meta, "rope.scaling.attn_factor", rope->attention_factor);
  }
  if (rope->kind != AL_HF_ROPE_LINEAR && rope->kind != AL_HF_ROPE_YARN)
    return;
  al_hf_meta_str(meta, "rope.scaling.type", rope->kind == AL_HF_ROPE_YARN ? "yarn" : "linear");
  al_hf_meta_f32(meta, "rope.scaling.factor", rope->factor);
  if (rope->kind == AL_HF_ROPE_LINEAR)
    return;
  al_hf_meta_u32(meta, "rope.scaling.original_context_length", rope->original_context);
  al_hf_meta_f32(meta, "rope.scaling.yarn_beta_fast", rope->beta_fast);
  al_hf_meta_f32(meta, "rope.scaling.yarn_beta_slow", rope->beta_slow);
  al_hf_meta_f32(meta, "rope.scaling.yarn_attn_factor", rope->attention_factor);
  if (rope->exact)
    gguf_set_val_bool(meta->gguf, "allm.rope.yarn_exact", true);
}

static void set_sizes(const struct al_hf_meta *meta, const struct al_hf_config *config)
{
  al_hf_meta_u32(meta, "block_count", config->n_layers);
  al_hf_meta_u32(meta, "context_length", config->n_ctx);
  al_hf_meta_u32(meta, "embedding_length", config->n_embd);
  al_hf_meta_u32(meta, "feed_forward_length", config->n_ff);
  al_hf_meta_u32(meta, "attention.head_count", config->n_heads);
  al_hf_meta_u32(meta, "attention.head_count_kv", config->n_kv_heads);
  al_hf_meta_u32(meta, "attention.key_length", config->head_dim);
  al_hf_meta_u32(meta, "attention.value_length", config->head_dim);
  al_hf_meta_u32(meta, "vocab_size", config->n_vocab);
  al_hf_meta_f32(meta, "attention.layer_norm_rms_epsilon", config->rms_epsilon);
}

/* libllama's enum llama_pooling_type. */
static void set_pooling(const struct al_hf_meta *meta, enum al_pooling pooling)
{
  switch (pooling) {
  case AL_POOLING_NONE: return;
  case AL_POOLING_MEAN: al_hf_meta_u32(meta, "pooling_type", 1); return;
  case AL_POOLING_CLS: al_hf_meta_u32(meta, "pooling_type", 2); return;
  case AL_POOLING_LAST: al_hf_meta_u32(meta, "pooling_type", 3); return;
  case AL_POOLING_RANK: al_hf_meta_u32(meta, "pooling_type", 4); return;
  }
}

static void set_experts(const struct al_hf_meta *meta, const struct al_hf_config *config)
{
  if (config->n_experts == 0)
    return;
  al_hf_meta_u32(meta, "expert_count", config->n_experts);
  al_hf_meta_u32(meta, "expert_used_count", config->n_experts_used);
  al_hf_meta_u32(meta, "expert_feed_forward_length", config->n_ff_exp);
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

void al_hf_meta_model(const struct al_hf_family *family, const struct al_hf_config *config, struct gguf_context *gguf)
{
  const struct al_hf_meta meta = { gguf, family->architecture };
  gguf_set_val_str(gguf, "general.architecture", family->architecture);
  set_sizes(&meta, config);
  set_rope(&meta, config);
  set_experts(&meta, config);
  set_pooling(&meta, config->pooling);
  if (family->has_window && config->window > 0)
    al_hf_meta_u32(&meta, "attention.sliding_window", config->window);
  if (family->metadata != nullptr)
    family->metadata(config, &meta);
  set_sampling(gguf, config);
}

/* GGUF has three keys for tokens that end an answer; the rest goes into a key of ours (engine/llama/text_rules.h). */
void al_hf_meta_ends(const struct al_hf_config *config, int32_t eos, struct gguf_context *gguf)
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
