/* Gemma 2: norms before and behind attention and feed-forward, stored less one; scores and logits are capped softly;
 * every other layer looks at a window. */
#include "engine/safetensors/family.h"

#include <math.h>

static const char *const classes[] = { "Gemma2ForCausalLM", nullptr };

const struct al_tensor_rule al_hf_gemma_rules[AL_HF_N_GEMMA_RULES] = {
  { "token_embd.weight", "model.embed_tokens.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output_norm.weight", "model.norm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "output.weight", "lm_head.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_HEAD },
};

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "post_attention_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "ffn_norm.weight", "pre_feedforward_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "ffn_gate.weight", "mlp.gate_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
  { "post_ffw_norm.weight", "post_feedforward_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
};

enum al_code al_hf_check_gemma_like(struct al_hf_config *config, int64_t n_layers_of_27b, struct al_err *err)
{
  struct al_str activation = al_json_str(al_json_get(config->root, "hidden_activation"));
  if (activation.size > 0 && !al_str_is(activation, "gelu_pytorch_tanh"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: hidden_activation \"%.*s\" is not supported with %s",
                   (int)al_min_size(activation.size, 32), activation.data, config->architecture);
  if (config->rope.kind != AL_HF_ROPE_PLAIN && config->rope.kind != AL_HF_ROPE_LINEAR)
    return al_fail(err, AL_UNSUPPORTED, "config.json: this rope scaling is not supported with %s",
                   config->architecture);
  if (config->rope.partial_factor != 1.0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: partial_rotary_factor is not supported with %s",
                   config->architecture);
  if (al_json_bool(al_json_get(config->root, "use_bidirectional_attention"), false))
    return al_fail(err, AL_UNSUPPORTED, "config.json: use_bidirectional_attention is not supported with %s",
                   config->architecture);
  if (config->tied == AL_HF_UNTIED)
    return al_fail(err, AL_UNSUPPORTED, "config.json: tie_word_embeddings must be true with %s", config->architecture);
  config->tied = AL_HF_TIED;
  /* libllama goes by the number of layers. */
  int64_t scaled_by = config->n_layers == n_layers_of_27b ? config->n_embd / config->n_heads : config->head_dim;
  int64_t stated = 256;
  AL_TRY(al_hf_config_optional_int(config, "query_pre_attn_scalar", 1, 1 << 20, &stated, err));
  if (stated != scaled_by)
    return al_fail(err, AL_UNSUPPORTED, "config.json: query_pre_attn_scalar %lld is not supported, %lld is",
                   (long long)stated, (long long)scaled_by);
  return config->window > 0 ? AL_OK : al_fail(err, AL_UNSUPPORTED, "config.json: sliding_window is not stated");
}

/* NaN: null, no cap. */
static double cap(const struct al_hf_config *config, const char *key, double usual)
{
  const struct al_json *value = al_json_get(config->root, key);
  return value == nullptr ? usual : al_json_real(value, NAN);
}

static double attention_cap(const struct al_hf_config *config)
{
  return cap(config, "attn_logit_softcapping", 50.0);
}

static double final_cap(const struct al_hf_config *config)
{
  return cap(config, "final_logit_softcapping", 30.0);
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  constexpr int64_t n_layers_of_27b = 46;
  AL_TRY(al_hf_check_gemma_like(config, n_layers_of_27b, err));
  if (!(attention_cap(config) > 0.0) || !(final_cap(config) > 0.0))
    return al_fail(err, AL_UNSUPPORTED,
                   "config.json: attn_logit_softcapping and final_logit_softcapping must be above 0");
  AL_TRY(al_hf_read_window_layers(config, 2, err));
  if (al_hf_window_period(config) == 0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: layer_types do not come in a fixed turn");
  return AL_OK;
}

static void metadata(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  al_hf_meta_u32(meta, "attention.sliding_window_pattern", al_hf_window_period(config));
  al_hf_meta_f32(meta, "attn_logit_softcapping", attention_cap(config));
  al_hf_meta_f32(meta, "final_logit_softcapping", final_cap(config));
}

const struct al_hf_family al_hf_family_gemma2 = {
  .classes = classes,
  .architecture = "gemma2",
  .model_rules = al_hf_gemma_rules,
  .n_model_rules = AL_HF_N_GEMMA_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .has_window = true,
  .prepare = prepare,
  .metadata = metadata,
};
