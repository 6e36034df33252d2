/* Nomic: BERT with rotated positions and gated feed-forward layers. */
#include "engine/safetensors/families/encoder.h"

#include "base/str.h"

#include <math.h>

static const char *const classes[] = { "NomicBertModel", nullptr };

static const struct al_tensor_rule model_rules[] = {
  { "token_embd.weight", "embeddings.word_embeddings.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "token_types.weight", "embeddings.token_type_embeddings.weight", { AL_SIZE_TYPES, AL_SIZE_EMBD }, AL_RULE_F32 },
  { "token_embd_norm.weight", "emb_ln.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "token_embd_norm.bias", "emb_ln.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

static const struct al_tensor_rule layer_rules[] = {
  { "attn_qkv.weight", "attn.Wqkv.weight", { AL_SIZE_QKV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "attn.out_proj.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output_norm.weight", "norm1.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output_norm.bias", "norm1.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.fc11.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_gate.weight", "mlp.fc12.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.fc2.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
  { "layer_output_norm.weight", "norm2.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "layer_output_norm.bias", "norm2.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

/* The model's own code names its settings like GPT-2, transformers like BERT. */
static const struct al_hf_encoder_keys own_keys = {
  .layers = "n_layer",
  .embd = "n_embd",
  .ff = "n_inner",
  .heads = "n_head",
  .positions = "n_positions",
  .epsilon = "layer_norm_epsilon",
  .usual_epsilon = 1e-12,
};
static const struct al_hf_encoder_keys library_keys = {
  .layers = "num_hidden_layers",
  .embd = "hidden_size",
  .ff = "intermediate_size",
  .heads = "num_attention_heads",
  .positions = "max_position_embeddings",
  .epsilon = "layer_norm_eps",
  .usual_epsilon = 1e-12,
};

static enum al_code read(struct al_hf_config *config, struct al_err *err)
{
  bool own = al_json_get(config->root, "n_embd") != nullptr;
  AL_TRY(al_hf_read_encoder(own ? &own_keys : &library_keys, config, err));
  const struct al_json *rope = al_json_get(config->root, "rope_parameters");
  double theta = al_json_real(al_json_get(config->root, "rotary_emb_base"), 1000.0);
  config->rope.theta = al_json_real(al_json_get(rope, "rope_theta"), theta);
  config->rope.partial_factor = al_json_real(al_json_get(config->root, "rotary_emb_fraction"), 1.0);
  if (config->rope.theta > 0.0 && isfinite(config->rope.theta))
    return AL_OK;
  return al_fail(err, AL_MODEL_CORRUPT, "config.json: the base of the rotation must be a number above 0");
}

static enum al_code refuse(const char *key, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "config.json: %s of this model is not supported", key);
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  const struct al_json *root = config->root;
  struct al_str activation = al_json_str(al_json_get(root, "activation_function"));
  if (activation.size == 0)
    activation = al_json_str(al_json_get(root, "hidden_act"));
  if (activation.size > 0 && !al_str_is(activation, "swiglu") && !al_str_is(activation, "silu"))
    return refuse("activation_function", err);
  struct al_str kind = al_json_str(al_json_get(al_json_get(root, "rope_parameters"), "rope_type"));
  if (kind.size > 0 && !al_str_is(kind, "default"))
    return refuse("rope_parameters", err);
  if (al_json_kind(al_json_get(root, "rotary_scaling_factor")) == AL_JSON_REAL)
    return refuse("rotary_scaling_factor", err);
  if (config->rope.partial_factor != 1.0)
    return refuse("rotary_emb_fraction", err);
  if (al_json_bool(al_json_get(root, "prenorm"), false))
    return refuse("prenorm", err);
  if (al_json_bool(al_json_get(root, "use_rms_norm"), false))
    return refuse("use_rms_norm", err);
  if (al_json_int(al_json_get(root, "num_experts"), 0) > 0 ||
      al_json_int(al_json_get(root, "moe_every_n_layers"), 0) > 0)
    return refuse("num_experts", err);
  return AL_OK;
}

const struct al_hf_family al_hf_family_nomic = {
  .classes = classes,
  .architecture = "nomic-bert",
  .model_rules = model_rules,
  .n_model_rules = AL_COUNT(model_rules),
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "encoder.layers",
  .read = read,
  .prepare = prepare,
  .metadata = al_hf_meta_encoder,
};
