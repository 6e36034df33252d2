/* Qwen 3 with experts in every layer. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Qwen3MoeForCausalLM", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q_norm.weight", "self_attn.q_norm.weight", { AL_SIZE_HEAD }, AL_RULE_PLAIN },
  { "attn_k_norm.weight", "self_attn.k_norm.weight", { AL_SIZE_HEAD }, AL_RULE_PLAIN },
  { "ffn_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate_inp.weight", "mlp.gate.weight", { AL_SIZE_EXPERTS, AL_SIZE_EMBD }, AL_RULE_F32 },
  { "ffn_gate_exps.weight", "mlp.experts.{e}.gate_proj.weight", { AL_SIZE_FF_EXP, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up_exps.weight", "mlp.experts.{e}.up_proj.weight", { AL_SIZE_FF_EXP, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down_exps.weight", "mlp.experts.{e}.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF_EXP }, AL_RULE_PLAIN },
};

/* libllama has experts in every layer and lets the chosen ones' weights sum to 1. */
static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_check_llama_like(config, err));
  /* The key of transformers 5, and the one before. */
  const char *count = al_json_get(config->root, "num_local_experts") != nullptr ? "num_local_experts" : "num_experts";
  AL_TRY(al_hf_read_experts(config, count, "moe_intermediate_size", err));
  if (!al_json_bool(al_json_get(config->root, "norm_topk_prob"), false))
    return al_fail(err, AL_UNSUPPORTED, "config.json: norm_topk_prob false is not supported with %s",
                   config->architecture);
  if (al_json_int(al_json_get(config->root, "decoder_sparse_step"), 1) != 1 ||
      al_json_count(al_json_get(config->root, "mlp_only_layers")) > 0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: layers without experts are not supported with %s",
                   config->architecture);
  return AL_OK;
}

const struct al_hf_family al_hf_family_qwen3moe = {
  .classes = classes,
  .architecture = "qwen3moe",
  .model_rules = al_hf_decoder_rules,
  .n_model_rules = AL_HF_N_DECODER_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .prepare = prepare,
};
