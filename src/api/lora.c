/* `lora`: adapters chosen by a request, [{"model": "adapter-id", "scale": 1.0}]. */
#include "api/text_params.h"

#include <stdio.h>

constexpr size_t MAX_ADAPTERS = 16;
constexpr double MAX_SCALE = 100;

static enum al_code read_one(struct al_api_text_params *params, const struct al_json *value, const char *path,
                             struct al_lora_request *lora, struct al_err *err)
{
  static const char *const keys[] = { "model", "scale", nullptr };
  char model_path[64];
  al_api_path(model_path, sizeof model_path, path, al_str("model"));
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", value);
  AL_TRY(al_api_only_keys(value, path, keys, err));
  struct al_str name = {};
  bool present = false;
  AL_TRY(al_json_want_str(value, path, "model", &name, &present, err));
  if (!present)
    return al_fail_param(err, model_path, "%s is missing", model_path);
  if (al_api_model_name(params->arena, name, &lora->model, err) != AL_OK)
    return al_fail_param(err, model_path, "%s is not a model's name", model_path);
  double scale = 1;
  AL_TRY(al_json_want_real(value, path, "scale", -MAX_SCALE, MAX_SCALE, &scale, nullptr, err));
  lora->scale = (float)scale;
  return AL_OK;
}

enum al_code al_api_read_lora(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  struct al_api_text_params *params = target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array", value);
  size_t count = al_json_count(value);
  if (count > MAX_ADAPTERS)
    return al_fail_param(err, param->name, "lora may have at most %zu elements, not %zu", MAX_ADAPTERS, count);
  if (count == 0)
    return AL_OK;
  params->lora = al_arena_array(params->arena, count, sizeof *params->lora);
  if (params->lora == nullptr)
    return al_fail_oom(err, count * sizeof *params->lora);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "lora[%zu]", it.index);
    AL_TRY(read_one(params, it.value, path, &params->lora[it.index], err));
  }
  params->n_lora = count;
  return AL_OK;
}
