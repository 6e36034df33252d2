/* Which layers look at a window of the text only and which at all of it. */
#include "engine/safetensors/family.h"

enum al_code al_hf_read_window_layers(struct al_hf_config *config, int64_t usual_period, struct al_err *err)
{
  const struct al_json *types = al_json_get(config->root, "layer_types");
  int64_t period = usual_period;
  AL_TRY(al_hf_config_optional_int(config, "sliding_window_pattern", 1, (int64_t)AL_HF_MAX_LAYERS, &period, err));
  AL_TRY(al_hf_config_optional_int(config, "_sliding_window_pattern", 1, (int64_t)AL_HF_MAX_LAYERS, &period, err));
  bool listed = al_json_kind(types) == AL_JSON_ARRAY;
  if (listed && al_json_count(types) != (size_t)config->n_layers)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: layer_types names %zu layers, the model has %lld",
                   al_json_count(types), (long long)config->n_layers);
  for (int64_t i = 0; i < config->n_layers; i++) {
    struct al_str type = al_json_str(al_json_at(types, (size_t)i));
    bool all = listed ? al_str_is(type, "full_attention") : (i + 1) % period == 0;
    if (listed && !all && !al_str_is(type, "sliding_attention"))
      return al_fail(err, AL_UNSUPPORTED, "config.json: layer_types has \"%.*s\", which is not supported with %s",
                     (int)al_min_size(type.size, 32), type.size > 0 ? type.data : "", config->architecture);
    config->layers[i] = all ? AL_HF_LAYER_SEES_ALL : AL_HF_LAYER_WINDOW;
  }
  return AL_OK;
}

int64_t al_hf_window_period(const struct al_hf_config *config)
{
  int64_t period = 1;
  while (period <= config->n_layers && config->layers[period - 1] == AL_HF_LAYER_WINDOW)
    period++;
  for (int64_t i = 0; i < config->n_layers; i++)
    if ((config->layers[i] == AL_HF_LAYER_SEES_ALL) != ((i + 1) % period == 0))
      return 0;
  return period;
}

bool al_hf_window_matters(const struct al_hf_config *config)
{
  return config->window > 0 && config->window < config->n_ctx;
}

void al_hf_meta_granite_window(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  bool windows[AL_HF_MAX_LAYERS];
  memset(windows, true, sizeof windows);
  al_hf_meta_bools(meta, "attention.sliding_window_pattern", windows, (size_t)config->n_layers);
  al_hf_meta_f32(meta, "logit_scale", 1.0);
}
