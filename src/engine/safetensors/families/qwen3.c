/* Qwen 3, dense: q and k are normalised, each head by itself. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Qwen3ForCausalLM", "Qwen3Model", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q_norm.weight", "self_attn.q_norm.weight", { AL_SIZE_HEAD }, AL_RULE_PLAIN },
  { "attn_k_norm.weight", "self_attn.k_norm.weight", { AL_SIZE_HEAD }, AL_RULE_PLAIN },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate.weight", "mlp.gate_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
};

const struct al_hf_family al_hf_family_qwen3 = {
  .classes = classes,
  .architecture = "qwen3",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .roots = al_hf_decoder_roots,
  .prepare = al_hf_check_llama_like,
};
