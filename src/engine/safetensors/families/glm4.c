/* GLM-4, dense: norms before and behind attention and feed-forward, half of each head is rotated. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Glm4ForCausalLM", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q.bias", "self_attn.q_proj.bias", { AL_SIZE_Q }, AL_RULE_OPTIONAL },
  { "attn_k.bias", "self_attn.k_proj.bias", { AL_SIZE_KV }, AL_RULE_OPTIONAL },
  { "attn_v.bias", "self_attn.v_proj.bias", { AL_SIZE_KV }, AL_RULE_OPTIONAL },
  { "post_attention_norm.weight", "post_self_attn_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.gate_up_proj.weight", { AL_SIZE_FF_2, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
  { "post_ffw_norm.weight", "post_mlp_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

enum al_code al_hf_check_glm_like(struct al_hf_config *config, struct al_err *err)
{
  constexpr double rotated = 0.5; /* where the file is silent */
  const struct al_json *rope = al_json_get(config->root, "rope_parameters");
  if (al_json_get(rope, "partial_rotary_factor") == nullptr &&
      al_json_get(config->root, "partial_rotary_factor") == nullptr)
    config->rope.partial_factor = rotated;
  AL_TRY(al_hf_check_silu(config, err));
  return al_hf_check_partial_rotation(config, err);
}

const struct al_hf_family al_hf_family_glm4 = {
  .classes = classes,
  .architecture = "glm4",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .prepare = al_hf_check_glm_like,
};
