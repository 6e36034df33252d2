#include "engine/safetensors/weight_types.h"

#include "base/macros.h"
#include "base/str.h"

constexpr int64_t FALLBACK_BLOCK = 32; /* of Q8_0 */

static const struct {
  const char *name;
  enum ggml_type type;
  enum ggml_type head;
} types[] = {
  { "f32", GGML_TYPE_F32, GGML_TYPE_F32 },    { "f16", GGML_TYPE_F16, GGML_TYPE_F16 },
  { "bf16", GGML_TYPE_BF16, GGML_TYPE_BF16 }, { "q8_0", GGML_TYPE_Q8_0, GGML_TYPE_Q8_0 },
  { "q6_k", GGML_TYPE_Q6_K, GGML_TYPE_Q6_K }, { "q5_k", GGML_TYPE_Q5_K, GGML_TYPE_Q6_K },
  { "q4_k", GGML_TYPE_Q4_K, GGML_TYPE_Q6_K }, { "q3_k", GGML_TYPE_Q3_K, GGML_TYPE_Q6_K },
  { "q5_0", GGML_TYPE_Q5_0, GGML_TYPE_Q8_0 }, { "q4_0", GGML_TYPE_Q4_0, GGML_TYPE_Q8_0 },
};
constexpr char KNOWN[] = "f32, f16, bf16, q8_0, q6_k, q5_k, q4_k, q3_k, q5_0, q4_0";

enum al_code al_weight_wish(const char *quant, struct al_weight_wish *wish, struct al_err *err)
{
  *wish = (struct al_weight_wish){ .keeps = quant[0] == '\0' };
  if (wish->keeps)
    return AL_OK;
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (al_streq(types[i].name, quant)) {
      wish->type = types[i].type;
      wish->head = types[i].head;
      return AL_OK;
    }
  return al_fail_param(err, "quant", "\"%s\" is no type for weights; known are %s", quant, KNOWN);
}

bool al_weight_type_of(enum al_st_dtype dtype, enum ggml_type *type)
{
  if (dtype == AL_ST_F32)
    *type = GGML_TYPE_F32;
  else if (dtype == AL_ST_F16)
    *type = GGML_TYPE_F16;
  else if (dtype == AL_ST_BF16)
    *type = GGML_TYPE_BF16;
  else if (dtype == AL_ST_F8_E4M3 || dtype == AL_ST_F8_E5M2)
    *type = GGML_TYPE_I8; /* bytes, with scales beside them */
  else
    return false;
  return true;
}

enum ggml_type al_weight_choose(const struct al_weight_wish *wish, enum ggml_type source, int64_t n_cols, bool is_head)
{
  if (wish->keeps) /* ggml has no FP8 */
    return source == GGML_TYPE_I8 ? GGML_TYPE_BF16 : source;
  enum ggml_type wanted = is_head ? wish->head : wish->type;
  /* Four bits already: another quantisation would lose once more and gain little. */
  if (source == GGML_TYPE_MXFP4 && ggml_is_quantized(wanted))
    return source;
  if (n_cols % ggml_blck_size(wanted) == 0)
    return wanted;
  return n_cols % FALLBACK_BLOCK == 0 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
}
