/* Gemma 3, text: Gemma 2 with normalised q and k and no caps; layers with a window rotate by a base of their own. The
 * text part of the models that also see is the same with another root. */
#include "engine/safetensors/family.h"

static const char *const classes[] = { "Gemma3ForCausalLM", nullptr };
static const char *const seeing_classes[] = { "Gemma3ForConditionalGeneration", nullptr };
static const char *const roots[] = { "language_model.model.", "model.language_model.", nullptr };
static const char *const eyes[] = { "vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                                    "model.multi_modal_projector.", nullptr };

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "input_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "attn_q.weight", "self_attn.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "self_attn.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "self_attn.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "self_attn.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_PLAIN },
  { "attn_q_norm.weight", "self_attn.q_norm.weight", { AL_SIZE_HEAD }, AL_RULE_ADD_ONE },
  { "attn_k_norm.weight", "self_attn.k_norm.weight", { AL_SIZE_HEAD }, AL_RULE_ADD_ONE },
  { "post_attention_norm.weight", "post_attention_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "ffn_norm.weight", "pre_feedforward_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
  { "ffn_gate.weight", "mlp.gate_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
  { "post_ffw_norm.weight", "post_feedforward_layernorm.weight", { AL_SIZE_EMBD }, AL_RULE_ADD_ONE },
};

/* What Gemma3TextConfig has where the file is silent; the files of the models that see are. */
static enum al_code read(struct al_hf_config *config, struct al_err *err)
{
  const struct al_json *text = al_json_get(config->root, "text_config");
  if (al_json_kind(text) == AL_JSON_OBJECT)
    config->root = text;
  config->n_embd = 2304;
  config->n_ff = 9216;
  config->n_layers = 26;
  config->n_heads = 8;
  config->n_kv_heads = 4;
  config->head_dim = 256;
  config->n_vocab = 262208;
  config->n_ctx = 131072;
  config->window = 4096;
  config->rms_epsilon = 1e-6;
  config->rope.theta = 1e6;
  return al_hf_config_read(config, err);
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  constexpr int64_t n_layers_of_27b = 62;
  AL_TRY(al_hf_check_gemma_like(config, n_layers_of_27b, err));
  static const char *const caps[] = { "attn_logit_softcapping", "final_logit_softcapping" };
  for (size_t i = 0; i < AL_COUNT(caps); i++)
    if (al_json_real(al_json_get(config->root, caps[i]), 0.0) != 0.0)
      return al_fail(err, AL_UNSUPPORTED, "config.json: %s is not supported with %s", caps[i], config->architecture);
  AL_TRY(al_hf_read_window_layers(config, 6, err));
  if (al_hf_window_period(config) == 0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: layer_types do not come in a fixed turn");
  return AL_OK;
}

static double window_theta(const struct al_hf_config *config)
{
  const struct al_json *rope = al_json_get(al_json_get(config->root, "rope_parameters"), "sliding_attention");
  double outer = al_json_real(al_json_get(config->root, "rope_local_base_freq"), 10000.0);
  return al_json_real(al_json_get(rope, "rope_theta"), outer);
}

static void metadata(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  al_hf_meta_u32(meta, "attention.sliding_window_pattern", al_hf_window_period(config));
  al_hf_meta_f32(meta, "rope.freq_base_swa", window_theta(config));
}

const struct al_hf_family al_hf_family_gemma3 = {
  .classes = classes,
  .architecture = "gemma3",
  .model_rules = al_hf_gemma_rules,
  .n_model_rules = AL_HF_N_GEMMA_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .has_window = true,
  .read = read,
  .prepare = prepare,
  .metadata = metadata,
};

const struct al_hf_family al_hf_family_gemma3_seeing = {
  .classes = seeing_classes,
  .architecture = "gemma3",
  .model_rules = al_hf_gemma_rules,
  .n_model_rules = AL_HF_N_GEMMA_RULES,
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored = al_hf_decoder_ignored,
  .ignored_parts = eyes,
  .roots = roots,
  .has_window = true,
  .read = read,
  .prepare = prepare,
  .metadata = metadata,
};
