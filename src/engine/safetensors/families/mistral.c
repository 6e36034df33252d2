/* Mistral: Llama, except where its window is shorter than its context. libllama's Llama has no window, but its Granite
 * with one is the same model when nothing is scaled and the attention sinks draw nothing. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "MistralForCausalLM", "MistralModel", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PAIR_ROWS },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PAIR_ROWS },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_sinks.weight", "", { AL_SIZE_HEADS }, AL_RULE_NO_SINKS },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate.weight", "mlp.gate_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
};

const struct al_hf_family al_hf_family_mistral_windowed = {
  .classes = classes,
  .architecture = "granite_swa",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .roots = al_hf_decoder_roots,
  .has_window = true,
  .metadata = al_hf_meta_granite_window,
};

static const struct al_hf_family *variant(const struct al_hf_config *config)
{
  return al_hf_window_matters(config) ? &al_hf_family_mistral_windowed : &al_hf_family_llama;
}

const struct al_hf_family al_hf_family_mistral = {
  .classes = classes,
  .prepare = al_hf_check_llama_like,
  .variant = variant,
};
