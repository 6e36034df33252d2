/* GLM-4.5 and its relatives with experts: the first layers are dense, the others have experts that a token chooses and
 * some that every token uses. A last layer that guesses the token after the next is not used. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Glm4MoeForCausalLM", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q.bias", "self_attn.q_proj.bias", { AL_SIZE_Q }, AL_RULE_OPTIONAL },
  { "attn_k.bias", "self_attn.k_proj.bias", { AL_SIZE_KV }, AL_RULE_OPTIONAL },
  { "attn_v.bias", "self_attn.v_proj.bias", { AL_SIZE_KV }, AL_RULE_OPTIONAL },
  { "attn_q_norm.weight", "self_attn.q_norm.weight", { AL_SIZE_HEAD }, AL_RULE_OPTIONAL },
  { "attn_k_norm.weight", "self_attn.k_norm.weight", { AL_SIZE_HEAD }, AL_RULE_OPTIONAL },
  { "post_attention_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate.weight", "mlp.gate_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_DENSE_LAYERS },
  { "ffn_up.weight", "mlp.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_DENSE_LAYERS },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_DENSE_LAYERS },
  { "ffn_gate_inp.weight", "mlp.gate.weight", { AL_SIZE_EXPERTS, AL_SIZE_EMBD }, AL_RULE_F32 | AL_RULE_EXPERT_LAYERS },
  { "exp_probs_b.bias", "mlp.gate.e_score_correction_bias", { AL_SIZE_EXPERTS }, AL_RULE_F32 | AL_RULE_EXPERT_LAYERS },
  { "ffn_gate_exps.weight",
    "mlp.experts.{e}.gate_proj.weight",
    { AL_SIZE_FF_EXP, AL_SIZE_EMBD },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_up_exps.weight", "mlp.experts.{e}.up_proj.weight", { AL_SIZE_FF_EXP, AL_SIZE_EMBD }, AL_RULE_EXPERT_LAYERS },
  { "ffn_down_exps.weight",
    "mlp.experts.{e}.down_proj.weight",
    { AL_SIZE_EMBD, AL_SIZE_FF_EXP },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_gate_shexp.weight",
    "mlp.shared_experts.gate_proj.weight",
    { AL_SIZE_FF_SHARED, AL_SIZE_EMBD },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_up_shexp.weight",
    "mlp.shared_experts.up_proj.weight",
    { AL_SIZE_FF_SHARED, AL_SIZE_EMBD },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_down_shexp.weight",
    "mlp.shared_experts.down_proj.weight",
    { AL_SIZE_EMBD, AL_SIZE_FF_SHARED },
    AL_RULE_EXPERT_LAYERS },
};

static int64_t n_dense_layers(const struct al_hf_config *config)
{
  return al_json_int(al_json_get(config->root, "first_k_dense_replace"), 0);
}

static unsigned layer_kinds(const struct al_hf_config *config, int64_t layer)
{
  return layer < n_dense_layers(config) ? AL_RULE_DENSE_LAYERS : AL_RULE_EXPERT_LAYERS;
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  int64_t ignored;
  int64_t n_shared;
  AL_TRY(al_hf_check_glm_like(config, err));
  AL_TRY(al_hf_read_experts(config, "n_routed_experts", "moe_intermediate_size", err));
  AL_TRY(al_hf_config_int(config, "first_k_dense_replace", 0, config->n_layers, &ignored, err));
  AL_TRY(al_hf_config_int(config, "n_shared_experts", 1, config->n_experts, &n_shared, err));
  config->n_ff_shared = n_shared * config->n_ff_exp;
  config->n_extra_layers = al_json_int(al_json_get(config->root, "num_nextn_predict_layers"), 0);
  return al_hf_check_routing(config, err);
}

static void metadata(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  constexpr int64_t sigmoid = 2; /* how scores become weights */
  al_hf_meta_u32(meta, "leading_dense_block_count", n_dense_layers(config));
  al_hf_meta_u32(meta, "expert_shared_count", config->n_ff_shared / config->n_ff_exp);
  al_hf_meta_u32(meta, "expert_gating_func", sigmoid);
  al_hf_meta_routing(config, meta);
}

const struct al_hf_family al_hf_family_glm4moe = {
  .classes = classes,
  .architecture = "glm4moe",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .prepare = prepare,
  .layer_kinds = layer_kinds,
  .metadata = metadata,
};
