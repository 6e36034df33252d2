/* Qwen 2 and 2.5: Llama with biases on q, k and v. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Qwen2ForCausalLM", "Qwen2Model", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q.bias", "self_attn.q_proj.bias", { AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_k.bias", "self_attn.k_proj.bias", { AL_SIZE_KV }, AL_RULE_PLAIN },
  { "attn_v.bias", "self_attn.v_proj.bias", { AL_SIZE_KV }, AL_RULE_PLAIN },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate.weight", "mlp.gate_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
};

const struct al_hf_family al_hf_family_qwen2 = {
  .classes = classes,
  .architecture = "qwen2",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .roots = al_hf_decoder_roots,
  .prepare = al_hf_check_llama_like,
};
