#include "engine/safetensors/peft_config.h"

#include "engine/safetensors/hf_config.h"

#include <math.h>

constexpr size_t MAX_CONFIG_BYTES = (size_t)1 << 20;

/* null, false, [], {} and "" all say that something is not used. */
static bool is_set(const struct al_json *root, const char *key)
{
  const struct al_json *value = al_json_get(root, key);
  switch (al_json_kind(value)) {
  case AL_JSON_ABSENT:
  case AL_JSON_NULL: return false;
  case AL_JSON_BOOL: return al_json_bool(value, false);
  case AL_JSON_STRING: return al_json_str(value).size > 0;
  case AL_JSON_ARRAY:
  case AL_JSON_OBJECT: return al_json_count(value) > 0;
  case AL_JSON_INT:
  case AL_JSON_REAL: return true;
  }
  return true;
}

static enum al_code refuse(const struct al_json *root, struct al_err *err)
{
  static const struct {
    const char *key;
    const char *what;
  } refused[] = {
    { "use_dora", "weights split into size and direction (DoRA)" },
    { "modules_to_save", "whole modules trained beside the adapter (modules_to_save)" },
    { "trainable_token_indices", "trained tokens (trainable_token_indices)" },
    { "target_parameters", "parameters outside of linear layers (target_parameters)" },
    { "alora_invocation_tokens", "activation by tokens (aLoRA)" },
    { "layer_replication", "repeated layers (layer_replication)" },
    { "fan_in_fan_out", "transposed layers (fan_in_fan_out)" },
    { "lora_bias", "biases (lora_bias)" },
    { "use_qalora", "pooled inputs (QALoRA)" },
    { "megatron_config", "layers of Megatron (megatron_config)" },
  };
  for (size_t i = 0; i < AL_COUNT(refused); i++)
    if (is_set(root, refused[i].key))
      return al_fail(err, AL_UNSUPPORTED, "adapter_config.json: adapters with %s are not supported", refused[i].what);
  struct al_str bias = al_json_str(al_json_get(root, "bias"));
  if (bias.size > 0 && !al_str_is(bias, "none"))
    return al_fail(err, AL_UNSUPPORTED, "adapter_config.json: adapters with biases (bias \"%.*s\") are not supported",
                   (int)al_min_size(bias.size, 32), bias.data);
  return AL_OK;
}

/* These change the base model's own weights when training begins; the adapter fits only what is left of them. */
static enum al_code check_start(const struct al_json *root, struct al_err *err)
{
  static const char *const others[] = { "pissa", "olora", "corda", "loftq" };
  struct al_str start = al_json_str(al_json_get(root, "init_lora_weights"));
  for (size_t i = 0; i < AL_COUNT(others); i++)
    if (al_str_starts(start, al_str(others[i])))
      return al_fail(err, AL_UNSUPPORTED,
                     "adapter_config.json: init_lora_weights \"%.*s\" has changed the base model too; save the adapter "
                     "converted to plain LoRA (path_initial_model_for_weight_conversion)",
                     (int)al_min_size(start.size, 32), start.data);
  return AL_OK;
}

static bool is_strength(double alpha)
{
  return isfinite(alpha) && fabs(alpha) < 1e6;
}

/* The keys are regular expressions that the end of a module's name must match. Nearly all are plain names; those alone
 * are understood. */
static enum al_code check_patterns(const struct al_json *patterns, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(patterns);
  while (al_json_next(&it)) {
    for (size_t i = 0; i < it.key.size; i++)
      if (memchr("^$*+?()[]{}|\\", it.key.data[i], sizeof "^$*+?()[]{}|\\" - 1) != nullptr)
        return al_fail(err, AL_UNSUPPORTED,
                       "adapter_config.json: alpha_pattern \"%.*s\" is a regular expression, only names are supported",
                       (int)al_min_size(it.key.size, 100), it.key.data);
    if (!is_strength(al_json_real(it.value, NAN)))
      return al_fail(err, AL_MODEL_CORRUPT, "adapter_config.json: alpha_pattern \"%.*s\" is no sensible number",
                     (int)al_min_size(it.key.size, 100), it.key.data);
  }
  return AL_OK;
}

enum al_code al_peft_config_load(const char *directory, struct al_peft_config *config, struct al_err *err)
{
  AL_TRY(al_hf_read_json(directory, "adapter_config.json", MAX_CONFIG_BYTES, &config->doc, err));
  if (config->doc == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "adapter_config.json is missing");
  const struct al_json *root = al_json_root(config->doc);
  struct al_str kind = al_json_str(al_json_get(root, "peft_type"));
  if (!al_str_is(kind, "LORA"))
    return al_fail(err, AL_UNSUPPORTED,
                   "adapter_config.json: adapters of the type \"%.*s\" are not supported, only LORA",
                   (int)al_min_size(kind.size, 32), kind.size > 0 ? kind.data : "");
  AL_TRY(refuse(root, err));
  AL_TRY(check_start(root, err));
  config->alpha = al_json_real(al_json_get(root, "lora_alpha"), NAN);
  if (!is_strength(config->alpha))
    return al_fail(err, AL_MODEL_CORRUPT, "adapter_config.json: lora_alpha is missing or no sensible number");
  config->rank_stabilised = al_json_bool(al_json_get(root, "use_rslora"), false);
  config->alpha_patterns = al_json_get(root, "alpha_pattern");
  return check_patterns(config->alpha_patterns, err);
}

void al_peft_config_done(struct al_peft_config *config)
{
  al_json_doc_free(config->doc);
  *config = (struct al_peft_config){};
}

/* "q_proj" and "0.self_attn.q_proj" name model.layers.0.self_attn.q_proj, "proj" does not. */
static bool names(struct al_str pattern, struct al_str module)
{
  return al_str_ends(module, pattern) &&
         (module.size == pattern.size || module.data[module.size - pattern.size - 1] == '.');
}

double al_peft_config_scale(const struct al_peft_config *config, struct al_str module, int64_t rank)
{
  double alpha = config->alpha;
  struct al_json_iter it = al_json_iter(config->alpha_patterns);
  while (al_json_next(&it))
    if (names(it.key, module)) {
      alpha = al_json_real(it.value, alpha);
      break;
    }
  return alpha / (config->rank_stabilised ? sqrt((double)rank) : (double)rank);
}
