/* Nemotron-H: layers of one kind each, Mamba 2, attention without rotation, and feed-forward with squared ReLU, dense
 * or of experts (which may work in a narrower space of their own). */
#include "engine/safetensors/family.h"

#include <math.h>

enum layer { MAMBA = 'M', ATTENTION = '*', DENSE = '-', EXPERTS = 'E' }; /* as hybrid_override_pattern has it */

static const char *const classes[] = { "NemotronHForCausalLM", nullptr };
static const char *const roots[] = { "backbone.", nullptr };
static const char *const guessing[] = { "mtp.", nullptr }; /* guesses the token after the next: not used */

static const struct al_tensor_rule model_rules[] = {
  { "token_embd.weight", "model.embedding.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_OPTIONAL },
  { "token_embd.weight", "model.embeddings.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output_norm.weight", "model.norm_f.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output.weight", "lm_head.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_HEAD },
};

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },

  { "ssm_in.weight", "mixer.in_proj.weight", { AL_SIZE_SSM_IN, AL_SIZE_EMBD }, AL_RULE_MAMBA_LAYERS },
  { "ssm_conv1d.weight",
    "mixer.conv1d.weight",
    { AL_SIZE_SSM_CONV, AL_SIZE_SSM_KERNEL },
    AL_RULE_MAMBA_LAYERS | AL_RULE_RESHAPED | AL_RULE_F32 },
  { "ssm_conv1d.bias", "mixer.conv1d.bias", { AL_SIZE_SSM_CONV }, AL_RULE_MAMBA_LAYERS },
  { "ssm_dt.bias", "mixer.dt_bias", { AL_SIZE_SSM_HEADS }, AL_RULE_MAMBA_LAYERS },
  { "ssm_a",
    "mixer.A_log",
    { AL_SIZE_SSM_HEADS, AL_SIZE_ONE },
    AL_RULE_MAMBA_LAYERS | AL_RULE_RESHAPED | AL_RULE_NEG_EXP | AL_RULE_F32 },
  { "ssm_d", "mixer.D", { AL_SIZE_SSM_HEADS, AL_SIZE_ONE }, AL_RULE_MAMBA_LAYERS | AL_RULE_RESHAPED | AL_RULE_F32 },
  { "ssm_norm.weight",
    "mixer.norm.weight",
    { AL_SIZE_SSM_GROUPS, AL_SIZE_SSM_GROUP_WIDTH },
    AL_RULE_MAMBA_LAYERS | AL_RULE_RESHAPED | AL_RULE_F32 },
  { "ssm_out.weight", "mixer.out_proj.weight", { AL_SIZE_EMBD, AL_SIZE_SSM_INNER }, AL_RULE_MAMBA_LAYERS },

  { "attn_q.weight", "mixer.q_proj.weight", { AL_SIZE_Q, AL_SIZE_EMBD }, AL_RULE_ATTENTION_LAYERS },
  { "attn_k.weight", "mixer.k_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_ATTENTION_LAYERS },
  { "attn_v.weight", "mixer.v_proj.weight", { AL_SIZE_KV, AL_SIZE_EMBD }, AL_RULE_ATTENTION_LAYERS },
  { "attn_output.weight", "mixer.o_proj.weight", { AL_SIZE_EMBD, AL_SIZE_Q }, AL_RULE_ATTENTION_LAYERS },
  { "attn_q.bias", "mixer.q_proj.bias", { AL_SIZE_Q }, AL_RULE_ATTENTION_LAYERS | AL_RULE_OPTIONAL },
  { "attn_k.bias", "mixer.k_proj.bias", { AL_SIZE_KV }, AL_RULE_ATTENTION_LAYERS | AL_RULE_OPTIONAL },
  { "attn_v.bias", "mixer.v_proj.bias", { AL_SIZE_KV }, AL_RULE_ATTENTION_LAYERS | AL_RULE_OPTIONAL },

  { "ffn_up.weight", "mixer.up_proj.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_DENSE_LAYERS },
  { "ffn_down.weight", "mixer.down_proj.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_DENSE_LAYERS },
  { "ffn_up.bias", "mixer.up_proj.bias", { AL_SIZE_FF }, AL_RULE_DENSE_LAYERS | AL_RULE_OPTIONAL },
  { "ffn_down.bias", "mixer.down_proj.bias", { AL_SIZE_EMBD }, AL_RULE_DENSE_LAYERS | AL_RULE_OPTIONAL },

  { "ffn_gate_inp.weight",
    "mixer.gate.weight",
    { AL_SIZE_EXPERTS, AL_SIZE_EMBD },
    AL_RULE_EXPERT_LAYERS | AL_RULE_F32 },
  { "exp_probs_b.bias", "mixer.gate.e_score_correction_bias", { AL_SIZE_EXPERTS }, AL_RULE_EXPERT_LAYERS },
  { "ffn_latent_down.weight",
    "mixer.fc1_latent_proj.weight",
    { AL_SIZE_LATENT, AL_SIZE_EMBD },
    AL_RULE_EXPERT_LAYERS | AL_RULE_OPTIONAL },
  { "ffn_latent_up.weight",
    "mixer.fc2_latent_proj.weight",
    { AL_SIZE_EMBD, AL_SIZE_LATENT },
    AL_RULE_EXPERT_LAYERS | AL_RULE_OPTIONAL },
  { "ffn_up_exps.weight",
    "mixer.experts.{e}.up_proj.weight",
    { AL_SIZE_FF_EXP, AL_SIZE_LATENT },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_down_exps.weight",
    "mixer.experts.{e}.down_proj.weight",
    { AL_SIZE_LATENT, AL_SIZE_FF_EXP },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_up_shexp.weight",
    "mixer.shared_experts.up_proj.weight",
    { AL_SIZE_FF_SHARED, AL_SIZE_EMBD },
    AL_RULE_EXPERT_LAYERS },
  { "ffn_down_shexp.weight",
    "mixer.shared_experts.down_proj.weight",
    { AL_SIZE_EMBD, AL_SIZE_FF_SHARED },
    AL_RULE_EXPERT_LAYERS },
};

static unsigned layer_kinds(const struct al_hf_config *config, int64_t layer)
{
  switch (config->layers[layer]) {
  case MAMBA: return AL_RULE_MAMBA_LAYERS;
  case ATTENTION: return AL_RULE_ATTENTION_LAYERS;
  case EXPERTS: return AL_RULE_EXPERT_LAYERS;
  default: return AL_RULE_DENSE_LAYERS;
  }
}

static bool has_layer(const struct al_hf_config *config, enum layer kind)
{
  return memchr(config->layers, kind, (size_t)config->n_layers) != nullptr;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static char kind_of(struct al_str name)
{
  static const struct {
    const char *name;
    enum layer kind;
  } names[] = { { "mamba", MAMBA }, { "attention", ATTENTION }, { "mlp", DENSE }, { "moe", EXPERTS } };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    if (al_str_is(name, names[i].name))
      return (char)names[i].kind;
  return '\0';
}

static enum al_code add_layer(struct al_hf_config *config, char kind, struct al_str name, struct al_err *err)
{
  if (kind != MAMBA && kind != ATTENTION && kind != DENSE && kind != EXPERTS)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: layer %lld is of the kind \"%.*s\", which is not known",
                   (long long)config->n_layers, (int)al_min_size(name.size, 32), name.size > 0 ? name.data : "");
  if ((size_t)config->n_layers == AL_HF_MAX_LAYERS)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: more than %zu layers", AL_HF_MAX_LAYERS);
  config->layers[config->n_layers++] = kind;
  return AL_OK;
}

static enum al_code read_layers(struct al_hf_config *config, struct al_err *err)
{
  struct al_str pattern = al_json_str(al_json_get(config->root, "hybrid_override_pattern"));
  const struct al_json *names = al_json_get(config->root, "layers_block_type");
  bool listed = al_json_kind(names) == AL_JSON_ARRAY;
  config->n_layers = 0;
  struct al_json_iter it = al_json_iter(listed ? names : nullptr);
  while (al_json_next(&it))
    AL_TRY(add_layer(config, kind_of(al_json_str(it.value)), al_json_str(it.value), err));
  for (size_t i = 0; i < pattern.size && !listed; i++)
    AL_TRY(add_layer(config, pattern.data[i], al_str_n(pattern.data + i, 1), err));
  if (config->n_layers == 0)
    return al_fail(err, AL_MODEL_CORRUPT,
                   "config.json: neither layers_block_type nor hybrid_override_pattern names the layers");
  int64_t stated = config->n_layers;
  AL_TRY(al_hf_config_optional_int(config, "num_hidden_layers", 1, (int64_t)AL_HF_MAX_LAYERS, &stated, err));
  if (stated != config->n_layers)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: %lld layers are named, but num_hidden_layers is %lld",
                   (long long)config->n_layers, (long long)stated);
  return AL_OK;
}

static enum al_code read_ssm(struct al_hf_config *config, struct al_err *err)
{
  constexpr int64_t most = 1 << 16;
  struct al_hf_ssm *ssm = &config->ssm;
  int64_t head_dim;
  AL_TRY(al_hf_config_int(config, "mamba_num_heads", 1, most, &ssm->heads, err));
  AL_TRY(al_hf_config_int(config, "mamba_head_dim", 1, most, &head_dim, err));
  AL_TRY(al_hf_config_int(config, "n_groups", 1, most, &ssm->groups, err));
  AL_TRY(al_hf_config_int(config, "ssm_state_size", 1, most, &ssm->state, err));
  AL_TRY(al_hf_config_int(config, "conv_kernel", 1, most, &ssm->kernel, err));
  ssm->inner = ssm->heads * head_dim;
  if (ssm->heads % ssm->groups != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: mamba_num_heads %lld is no multiple of n_groups %lld",
                   (long long)ssm->heads, (long long)ssm->groups);
  return AL_OK;
}

static enum al_code read(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(read_layers(config, err));
  AL_TRY(read_ssm(config, err));
  AL_TRY(al_hf_config_optional_int(config, "attention_head_dim", 1, 1 << 14, &config->head_dim, err));
  config->rms_epsilon = al_json_real(al_json_get(config->root, "norm_eps"), 1e-5);
  if (!has_layer(config, DENSE))
    config->n_ff = 1; /* of no layer: the file need not say it */
  return al_hf_config_read(config, err);
}

/* --- checking ----------------------------------------------------------------------------------------------------- */

static enum al_code check_activation(const struct al_hf_config *config, const char *key, const char *known,
                                     struct al_err *err)
{
  struct al_str name = al_json_str(al_json_get(config->root, key));
  if (name.size == 0 || al_str_is(name, known))
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "config.json: %s \"%.*s\" is not supported, only \"%s\"", key,
                 (int)al_min_size(name.size, 32), name.data, known);
}

/* libllama does not bound time steps. JSON has no infinity: {"__float__": "Infinity"} stands for it. */
static enum al_code check_time_steps(const struct al_hf_config *config, struct al_err *err)
{
  const struct al_json *limit = al_json_get(config->root, "time_step_limit");
  bool low = al_json_real(al_json_at(limit, 0), 0.0) > 0.0;
  bool high = isfinite(al_json_real(al_json_at(limit, 1), INFINITY));
  return low || high ? al_fail(err, AL_UNSUPPORTED, "config.json: a time_step_limit is not supported") : AL_OK;
}

static enum al_code read_expert_sizes(struct al_hf_config *config, struct al_err *err)
{
  constexpr int64_t most = 1 << 22;
  AL_TRY(al_hf_read_experts(config, "n_routed_experts", "moe_intermediate_size", err));
  AL_TRY(al_hf_config_int(config, "moe_shared_expert_intermediate_size", 1, most, &config->n_ff_shared, err));
  AL_TRY(al_hf_config_optional_int(config, "moe_latent_size", 1, most, &config->n_latent, err));
  return al_hf_check_routing(config, err);
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(check_activation(config, "mlp_hidden_act", "relu2", err));
  AL_TRY(check_activation(config, "mamba_hidden_act", "silu", err));
  AL_TRY(check_time_steps(config, err));
  if (!has_layer(config, EXPERTS))
    return AL_OK;
  if (has_layer(config, DENSE))
    return al_fail(err, AL_UNSUPPORTED, "config.json: \"mlp\" and \"moe\" layers in one model are not supported");
  return read_expert_sizes(config, err);
}

/* --- metadata ----------------------------------------------------------------------------------------------------- */

/* libllama knows the kind of a layer by what it has none of. */
static void metadata(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  int32_t kv_heads[AL_HF_MAX_LAYERS] = {};
  int32_t ff[AL_HF_MAX_LAYERS] = {};
  for (int64_t i = 0; i < config->n_layers; i++) {
    if (config->layers[i] == ATTENTION)
      kv_heads[i] = (int32_t)config->n_kv_heads;
    if (config->layers[i] == DENSE || config->layers[i] == EXPERTS)
      ff[i] = (int32_t)(config->layers[i] == DENSE ? config->n_ff : config->n_ff_exp);
  }
  al_hf_meta_array(meta, "attention.head_count_kv", kv_heads, (size_t)config->n_layers);
  al_hf_meta_array(meta, "feed_forward_length", ff, (size_t)config->n_layers);
  al_hf_meta_f32(meta, "attention.layer_norm_epsilon", config->rms_epsilon);
  al_hf_meta_u32(meta, "ssm.conv_kernel", config->ssm.kernel);
  al_hf_meta_u32(meta, "ssm.state_size", config->ssm.state);
  al_hf_meta_u32(meta, "ssm.group_count", config->ssm.groups);
  al_hf_meta_u32(meta, "ssm.inner_size", config->ssm.inner);
  al_hf_meta_u32(meta, "ssm.time_step_rank", config->ssm.heads);
  al_hf_meta_bool(meta, "rope.scaling.finetuned", false);
}

static void metadata_of_experts(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  metadata(config, meta);
  al_hf_meta_routing(config, meta);
  al_hf_meta_u32(meta, "expert_shared_count", 1);
  al_hf_meta_u32(meta, "expert_shared_feed_forward_length", config->n_ff_shared);
  if (config->n_latent > 0)
    al_hf_meta_u32(meta, "moe_latent_size", config->n_latent);
}

static const struct al_hf_family *variant(const struct al_hf_config *config)
{
  return has_layer(config, EXPERTS) ? &al_hf_family_nemotron_h_moe : &al_hf_family_nemotron_h;
}

const struct al_hf_family al_hf_family_nemotron_h = {
  .classes = classes,
  .architecture = "nemotron_h",
  .model_rules = model_rules,
  .n_model_rules = AL_COUNT(model_rules),
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .roots = roots,
  .ignored_parts = guessing,
  .read = read,
  .prepare = prepare,
  .variant = variant,
  .layer_kinds = layer_kinds,
  .metadata = metadata,
};

const struct al_hf_family al_hf_family_nemotron_h_moe = {
  .classes = classes,
  .architecture = "nemotron_h_moe",
  .model_rules = model_rules,
  .n_model_rules = AL_COUNT(model_rules),
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .roots = roots,
  .ignored_parts = guessing,
  .layer_kinds = layer_kinds,
  .metadata = metadata_of_experts,
};
