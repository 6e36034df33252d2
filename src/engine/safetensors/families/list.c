#include "engine/safetensors/family.h"

#include "base/str.h"

static const struct al_hf_family *const families[] = {
  &al_hf_family_llama,
  &al_hf_family_qwen2,
  &al_hf_family_qwen3,
};

enum al_code al_hf_family_find(const char *class_name, const struct al_hf_family **family, struct al_err *err)
{
  for (size_t i = 0; i < AL_COUNT(families); i++)
    for (const char *const *name = families[i]->classes; *name != nullptr; name++)
      if (al_streq(*name, class_name)) {
        *family = families[i];
        return AL_OK;
      }
  return al_fail(err, AL_UNSUPPORTED, "config.json: the architecture %s is not supported", class_name);
}

enum al_code al_hf_check_llama_like(struct al_hf_config *config, struct al_err *err)
{
  struct al_str activation = al_json_str(al_json_get(config->root, "hidden_act"));
  if (activation.size > 0 && !al_str_is(activation, "silu"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: hidden_act \"%.*s\" is not supported with %s, only \"silu\"",
                   (int)al_min_size(activation.size, 32), activation.data, config->architecture);
  if (config->rope.partial_factor != 1.0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: partial_rotary_factor is not supported with %s",
                   config->architecture);
  return AL_OK;
}

enum al_code al_hf_read_experts(struct al_hf_config *config, const char *count_key, const char *length_key,
                                struct al_err *err)
{
  constexpr int64_t max_experts = 512; /* libllama's own */
  constexpr int64_t max_length = 1 << 22;
  AL_TRY(al_hf_config_int(config, count_key, 1, max_experts, &config->n_experts, err));
  AL_TRY(al_hf_config_int(config, "num_experts_per_tok", 1, config->n_experts, &config->n_experts_used, err));
  return al_hf_config_int(config, length_key, 1, max_length, &config->n_ff_exp, err);
}
