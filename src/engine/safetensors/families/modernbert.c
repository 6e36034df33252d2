/* ModernBERT: pre-normalised layers with rotated positions, most of them within a window. */
#include "engine/safetensors/families/encoder.h"

#include "base/str.h"

#include <math.h>

static const char *const classes[] = { "ModernBertModel", "ModernBertForMaskedLM", nullptr };
static const char *const roots[] = { "model.", "", nullptr };
static const char *const ignored_parts[] = { "head.", "decoder.", nullptr };

static const struct al_tensor_rule model_rules[] = {
  { "token_embd.weight", "model.embeddings.tok_embeddings.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "token_embd_norm.weight", "model.embeddings.norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output_norm.weight", "model.final_norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

static const struct al_tensor_rule layer_rules[] = {
  { "attn_norm.weight", "attn_norm.weight", { AL_SIZE_EMBD }, AL_RULE_OPTIONAL }, /* the first layer has none */
  { "attn_qkv.weight", "attn.Wqkv.weight", { AL_SIZE_QKV, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "attn.Wo.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_norm.weight", "mlp_norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "mlp.Wi.weight", { AL_SIZE_FF_2, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_down.weight", "mlp.Wo.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
};

static double theta_of(const struct al_hf_config *config, const char *layers, const char *key, double usual)
{
  const struct al_json *rope = al_json_get(al_json_get(config->root, "rope_parameters"), layers);
  return al_json_real(al_json_get(rope, "rope_theta"), al_json_real(al_json_get(config->root, key), usual));
}

static double local_theta(const struct al_hf_config *config)
{
  return theta_of(config, "sliding_attention", "local_rope_theta", 10000.0);
}

static enum al_code read(struct al_hf_config *config, struct al_err *err)
{
  static const struct al_hf_encoder_keys keys = {
    .layers = "num_hidden_layers",
    .embd = "hidden_size",
    .ff = "intermediate_size",
    .heads = "num_attention_heads",
    .positions = "max_position_embeddings",
    .epsilon = "norm_eps",
    .usual_epsilon = 1e-5,
  };
  AL_TRY(al_hf_read_encoder(&keys, config, err));
  AL_TRY(al_hf_config_optional_int(config, "local_attention", 2, 1 << 24, &config->window, err));
  config->rope.theta = theta_of(config, "full_attention", "global_rope_theta", 160000.0);
  double local = local_theta(config);
  if (config->rope.theta > 0.0 && isfinite(config->rope.theta) && local > 0.0 && isfinite(local))
    return AL_OK;
  return al_fail(err, AL_MODEL_CORRUPT, "config.json: a rope_theta is no number above 0");
}

/* Every how many layers one sees the whole text, beginning with the first. */
static int64_t period_of(const struct al_hf_config *config)
{
  const struct al_json *kinds = al_json_get(config->root, "layer_types");
  int64_t period = al_json_int(al_json_get(config->root, "global_attn_every_n_layers"), 3);
  for (size_t i = 1; i < al_json_count(kinds); i++)
    if (al_str_is(al_json_str(al_json_at(kinds, i)), "full_attention"))
      return (int64_t)i;
  return al_json_count(kinds) > 1 ? (int64_t)al_json_count(kinds) : period;
}

static bool is_regular(const struct al_hf_config *config, int64_t period)
{
  struct al_json_iter it = al_json_iter(al_json_get(config->root, "layer_types"));
  while (al_json_next(&it))
    if (al_str_is(al_json_str(it.value), "full_attention") != ((int64_t)it.index % period == 0))
      return false;
  return period > 0;
}

static enum al_code prepare(struct al_hf_config *config, struct al_err *err)
{
  struct al_str activation = al_json_str(al_json_get(config->root, "hidden_activation"));
  if (activation.size > 0 && !al_str_is(activation, "gelu"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: hidden_activation \"%.*s\" is not supported, only \"gelu\"",
                   (int)al_min_size(activation.size, 32), activation.data);
  if (!is_regular(config, period_of(config)))
    return al_fail(err, AL_UNSUPPORTED,
                   "config.json: layers that see the whole text in no regular order are not supported");
  if (config->window == 0 || config->window % 2 != 0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: local_attention must be an even number");
  return AL_OK;
}

static void metadata(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  al_hf_meta_encoder(config, meta);
  al_hf_meta_f32(meta, "rope.freq_base_swa", local_theta(config));
  al_hf_meta_u32(meta, "attention.sliding_window_pattern", period_of(config));
}

const struct al_hf_family al_hf_family_modernbert = {
  .classes = classes,
  .architecture = "modern-bert",
  .model_rules = model_rules,
  .n_model_rules = AL_COUNT(model_rules),
  .layer_rules = layer_rules,
  .n_layer_rules = AL_COUNT(layer_rules),
  .layer_prefix = "model.layers",
  .ignored_parts = ignored_parts,
  .roots = roots,
  .has_window = true,
  .read = read,
  .prepare = prepare,
  .metadata = metadata,
};
