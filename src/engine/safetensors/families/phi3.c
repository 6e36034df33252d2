/* Phi 3 and 4: Llama with q, k and v in one matrix, gate and up in another, and for long contexts two lists of rotation
 * factors. libllama takes the list by the context that it is given, transformers by the length of each text: they
 * differ on short texts in a long context. libllama has no window for Phi: where the window is shorter than the
 * context, it is built as Granite with one (mistral.c says why), which wants the matrices apart. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Phi3ForCausalLM", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_qkv.weight", "self_attn.qkv_proj.weight", { AL_SIZE_QKV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.gate_up_proj.weight", { AL_SIZE_FF_2, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
};

static const struct al_tensor_rule windowed_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.qkv_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_Q_OF_QKV | AL_RULE_PAIR_ROWS },
  { "attn_k.weight", "self_attn.qkv_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_K_OF_QKV | AL_RULE_PAIR_ROWS },
  { "attn_v.weight", "self_attn.qkv_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_V_OF_QKV },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_sinks.weight", "", { AL_SIZE_HEADS }, AL_RULE_NO_SINKS },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate.weight", "mlp.gate_up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_GATE_OF_BOTH },
  { "ffn_up.weight", "mlp.gate_up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_UP_OF_BOTH },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
};

static const struct al_hf_family windowed = {
  .classes = classes,
  .architecture = "granite_swa",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = windowed_rules,
  .n_layer_rules = AL_COUNT(windowed_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .has_window = true,
  .metadata = al_hf_meta_granite_window,
};

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_check_silu(config, err));
  int64_t rotated = (int64_t)((double)config->head_dim * config->rope.partial_factor);
  if (rotated < 2 || rotated > config->head_dim || rotated % 2 != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: partial_rotary_factor rotates %lld of %lld elements of a head",
                   (long long)rotated, (long long)config->head_dim);
  if (config->rope.partial_factor != 1.0 && al_hf_window_matters(config))
    return al_fail(err, AL_UNSUPPORTED, "config.json: partial_rotary_factor with a sliding_window is not supported");
  if (config->rope.kind != AL_HF_ROPE_PLAIN && config->rope.kind != AL_HF_ROPE_LONGROPE)
    return al_fail(err, AL_UNSUPPORTED, "config.json: this rope scaling is not supported with %s",
                   config->architecture);
  if (config->n_heads * config->head_dim != config->n_embd)
    return al_fail(err, AL_UNSUPPORTED, "config.json: head_dim %lld times the heads must be hidden_size with %s",
                   (long long)config->head_dim, config->architecture);
  return AL_OK;
}

static const struct al_hf_family *variant(const struct al_hf_config *config)
{
  return al_hf_window_matters(config) ? &windowed : &al_hf_family_phi3;
}

const struct al_hf_family al_hf_family_phi3 = {
  .classes = classes,
  .architecture = "phi3",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .prepare = prepare,
  .variant = variant,
};
