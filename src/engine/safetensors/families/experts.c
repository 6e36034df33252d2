/* What families with experts have in common. */
#include "engine/safetensors/family.h"

#include <math.h>

enum al_code al_hf_read_experts(struct al_hf_config *config, const char *count_key, const char *length_key,
                                struct al_err *err)
{
  constexpr int64_t max_experts = 512; /* libllama's own */
  constexpr int64_t max_length = 1 << 22;
  AL_TRY(al_hf_config_int(config, count_key, 1, max_experts, &config->n_experts, err));
  AL_TRY(al_hf_config_int(config, "num_experts_per_tok", 1, config->n_experts, &config->n_experts_used, err));
  return al_hf_config_int(config, length_key, 1, max_length, &config->n_ff_exp, err);
}

/* Groups of experts, of which the best few are chosen from; 1 of 1 where the file is silent. */
static int64_t group_count(const struct al_hf_config *config, const char *key)
{
  return al_json_int(al_json_get(config->root, key), al_json_get(config->root, key) == nullptr ? 1 : -1);
}

static double weights_scale(const struct al_hf_config *config)
{
  return al_json_real(al_json_get(config->root, "routed_scaling_factor"), 1.0);
}

enum al_code al_hf_check_routing(const struct al_hf_config *config, struct al_err *err)
{
  int64_t n_groups = group_count(config, "n_group");
  int64_t n_used = group_count(config, "topk_group");
  if (n_groups < 1 || n_groups > config->n_experts || config->n_experts % n_groups != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: n_group does not divide the %lld experts",
                   (long long)config->n_experts);
  if (n_used < 1 || n_used > n_groups)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: topk_group must be from 1 to n_group");
  if (n_groups > 1 && config->n_experts / n_groups < 2)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: n_group leaves no two experts to a group");
  if (config->n_experts_used > config->n_experts / n_groups * n_used)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: num_experts_per_tok is more than topk_group groups have");
  if (!(weights_scale(config) > 0.0) || !isfinite(weights_scale(config)))
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: routed_scaling_factor must be a number above 0");
  return AL_OK;
}

void al_hf_meta_routing(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  al_hf_meta_u32(meta, "expert_group_count", group_count(config, "n_group"));
  al_hf_meta_u32(meta, "expert_group_used_count", group_count(config, "topk_group"));
  al_hf_meta_f32(meta, "expert_weights_scale", weights_scale(config));
  al_hf_meta_bool(meta, "expert_weights_norm", al_json_bool(al_json_get(config->root, "norm_topk_prob"), true));
}
