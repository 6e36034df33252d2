#include "engine/safetensors/hf_quantisation.h"

#include <strings.h>

constexpr int64_t MAX_BLOCK = 1 << 16;

static bool is(struct al_str text, const char *name)
{
  return text.size == strlen(name) && (text.size == 0 || strncasecmp(text.data, name, text.size) == 0);
}

enum al_code al_hf_quantisation_check(struct al_str method, struct al_err *err)
{
  static const char *const known[] = { "mxfp4", "fp8", "fbgemm_fp8", "compressed-tensors", "modelopt" };
  for (size_t i = 0; i < AL_COUNT(known); i++)
    if (is(method, known[i]))
      return AL_OK;
  return al_fail(
      err, AL_UNSUPPORTED,
      "config.json: the weights are quantised by \"%.*s\", which cannot be read: take the model's BF16 or FP8 "
      "files (they can be quantised when they are loaded), or a GGUF of it",
      (int)al_min_size(method.size, 32), method.size > 0 ? method.data : "");
}

static enum al_code fail_scheme(struct al_str method, struct al_err *err)
{
  return al_fail(
      err, AL_UNSUPPORTED,
      "config.json: of the weights quantised by \"%.*s\" only those in FP8 can be read: take the model's BF16 "
      "or FP8 files (they can be quantised when they are loaded), or a GGUF of it",
      (int)method.size, method.data);
}

static enum al_code read_block(const struct al_json *block, struct al_hf_quantisation *q, struct al_err *err)
{
  enum al_json_kind kind = al_json_kind(block);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  q->block_rows = al_json_int(al_json_at(block, 0), 0);
  q->block_cols = al_json_int(al_json_at(block, 1), 0);
  if (kind == AL_JSON_ARRAY && al_json_count(block) == 2 && q->block_rows > 0 && q->block_rows <= MAX_BLOCK &&
      q->block_cols > 0 && q->block_cols <= MAX_BLOCK)
    return AL_OK;
  return al_fail(err, AL_MODEL_CORRUPT,
                 "config.json: the block size of the quantisation is no pair of sensible numbers");
}

/* Each group of layers has a scheme of its own. */
static enum al_code read_groups(const struct al_json *config, struct al_hf_quantisation *q, struct al_err *err)
{
  struct al_str method = al_json_str(al_json_get(config, "quant_method"));
  const struct al_json *groups = al_json_get(config, "config_groups");
  if (al_json_kind(groups) != AL_JSON_OBJECT || al_json_count(groups) == 0)
    return fail_scheme(method, err);
  struct al_json_iter it = al_json_iter(groups);
  while (al_json_next(&it)) {
    const struct al_json *weights = al_json_get(it.value, "weights");
    bool fp8 = al_json_int(al_json_get(weights, "num_bits"), 0) == 8 &&
               al_str_is(al_json_str(al_json_get(weights, "type")), "float") &&
               al_json_bool(al_json_get(weights, "symmetric"), true);
    if (!fp8)
      return fail_scheme(method, err);
    AL_TRY(read_block(al_json_get(weights, "block_structure"), q, err));
  }
  return AL_OK;
}

enum al_code al_hf_quantisation_read(const struct al_json *root, struct al_hf_quantisation *quantisation,
                                     struct al_err *err)
{
  *quantisation = (struct al_hf_quantisation){};
  const struct al_json *config = al_json_get(root, "quantization_config");
  if (al_json_kind(config) != AL_JSON_OBJECT)
    return AL_OK;
  struct al_str method = al_json_str(al_json_get(config, "quant_method"));
  AL_TRY(al_hf_quantisation_check(method, err));
  if (is(method, "mxfp4"))
    return AL_OK;
  quantisation->fp8 = true;
  if (is(method, "compressed-tensors"))
    return read_groups(config, quantisation, err);
  if (is(method, "modelopt") && !is(al_json_str(al_json_get(config, "quant_algo")), "FP8"))
    return fail_scheme(method, err);
  return read_block(al_json_get(config, "weight_block_size"), quantisation, err);
}
