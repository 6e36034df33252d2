#include "engine/llama/metadata.h"

#include "base/str.h"

#include <math.h>

enum al_code al_llama_check_metadata(const struct gguf_context *gguf, struct al_err *err)
{
  int64_t n = gguf_get_n_kv(gguf);
  for (int64_t i = 0; i < n; i++) {
    const char *key = gguf_get_key(gguf, i);
    if (!al_str_ends(al_str(key), al_str("epsilon")) || gguf_get_kv_type(gguf, i) != GGUF_TYPE_FLOAT32)
      continue;
    float value = gguf_get_val_f32(gguf, i);
    if (!isfinite(value) || value < 0)
      return al_fail(err, AL_MODEL_CORRUPT, "%s is %g", key, (double)value);
  }
  return AL_OK;
}
