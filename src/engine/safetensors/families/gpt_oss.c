/* gpt-oss: experts in every layer, mostly in MXFP4; each head has a sink that takes part of the attention; every other
 * layer has a window. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "GptOssForCausalLM", nullptr };

/* libllama wants the output matrix even where it is the embeddings. */
static const struct al_tensor_rule model_rules[] = {
  { "token_embd.weight", "model.embed_tokens.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output_norm.weight", "model.norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output.weight", "lm_head.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_HEAD },
  { "output.weight", "model.embed_tokens.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q.bias", "self_attn.q_proj.bias", { AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_k.bias", "self_attn.k_proj.bias", { AL_SIZE_KV }, AL_RULE_PLAIN },
  { "attn_v.bias", "self_attn.v_proj.bias", { AL_SIZE_KV }, AL_RULE_PLAIN },
  { "attn_output.bias", "self_attn.o_proj.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_sinks.weight", "self_attn.sinks", { AL_SIZE_HEADS }, AL_RULE_F32 },
  { "post_attention_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate_inp.weight", "mlp.router.weight", { AL_SIZE_EXPERTS, AL_SIZE_EMBD }, AL_RULE_F32 },
  { "ffn_gate_inp.bias", "mlp.router.bias", { AL_SIZE_EXPERTS }, AL_RULE_PLAIN },
  { "ffn_gate_exps.weight",
    "mlp.experts.gate_up_proj",
    { AL_SIZE_EXPERTS, AL_SIZE_FF_EXP_2, AL_SIZE_EMBD },
    AL_RULE_EVEN_ROWS | AL_RULE_TRANSPOSED | AL_RULE_MXFP4 },
  { "ffn_gate_exps.bias",
    "mlp.experts.gate_up_proj_bias",
    { AL_SIZE_EXPERTS, AL_SIZE_FF_EXP_2 },
    AL_RULE_EVEN_ROWS | AL_RULE_F32 },
  { "ffn_up_exps.weight",
    "mlp.experts.gate_up_proj",
    { AL_SIZE_EXPERTS, AL_SIZE_FF_EXP_2, AL_SIZE_EMBD },
    AL_RULE_ODD_ROWS | AL_RULE_TRANSPOSED | AL_RULE_MXFP4 },
  { "ffn_up_exps.bias",
    "mlp.experts.gate_up_proj_bias",
    { AL_SIZE_EXPERTS, AL_SIZE_FF_EXP_2 },
    AL_RULE_ODD_ROWS | AL_RULE_F32 },
  { "ffn_down_exps.weight",
    "mlp.experts.down_proj",
    { AL_SIZE_EXPERTS, AL_SIZE_EMBD, AL_SIZE_FF_EXP },
    AL_RULE_TRANSPOSED | AL_RULE_MXFP4 },
  { "ffn_down_exps.bias", "mlp.experts.down_proj_bias", { AL_SIZE_EXPERTS, AL_SIZE_EMBD }, AL_RULE_F32 },
};

/* libllama's layers take turns: window, all, window, all. */
static enum al_code check_layer_types(const struct al_hf_config *config, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(al_json_get(config->root, "layer_types"));
  for (int64_t layer = 0; al_json_next(&it); layer++)
    if (!al_str_is(al_json_str(it.value), layer % 2 == 0 ? "sliding_attention" : "full_attention"))
      return al_fail(err, AL_UNSUPPORTED, "config.json: layer_types are not sliding_attention, full_attention in turn");
  return AL_OK;
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  constexpr double limit = 7.0; /* of the activation; fixed in libllama */
  AL_TRY(al_hf_check_llama_like(config, err));
  AL_TRY(al_hf_read_experts(config, "num_local_experts", "intermediate_size", err));
  AL_TRY(check_layer_types(config, err));
  if (config->window == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: sliding_window is missing");
  if (al_json_real(al_json_get(config->root, "swiglu_limit"), limit) != limit)
    return al_fail(err, AL_UNSUPPORTED, "config.json: swiglu_limit is not %.1f", limit);
  return AL_OK;
}

const struct al_hf_family al_hf_family_gpt_oss = {
  .classes = classes,
  .architecture = "gpt-oss",
  .model_rules = model_rules,
  .n_model_rules = AL_COUNT(model_rules),
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .has_window = true,
  .prepare = prepare,
};
