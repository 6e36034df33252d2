#include "engine/safetensors/fp8.h"

#include "base/alloc.h"
#include "engine/safetensors/rows.h"

#include <math.h>
#include <stdio.h>

constexpr size_t MAX_NAME = 300;

static const char *file_of(const struct al_rule_scope *scope, struct al_hf_source source)
{
  return al_hf_weights_file_name(scope->weights, source.file);
}

static int64_t rows_of(const struct al_st_tensor *scales)
{
  return scales->n_dims > 0 ? (int64_t)scales->shape[0] : 1;
}

static int64_t cols_of(const struct al_st_tensor *scales)
{
  return scales->n_dims > 1 ? (int64_t)scales->shape[1] : 1;
}

static int64_t blocks(int64_t n, int64_t size)
{
  return size > 0 ? (n + size - 1) / size : 0;
}

static enum al_code check_shape(const struct al_rule_scope *scope, const struct al_plan_part *part, struct al_err *err)
{
  const struct al_st_tensor *scales = part->scales.tensor;
  const struct al_hf_quantisation *q = &scope->config->quantisation;
  int64_t n_rows = (int64_t)part->data.tensor->shape[0];
  int64_t n_cols = (int64_t)part->data.tensor->shape[1];
  int64_t rows = rows_of(scales);
  int64_t cols = cols_of(scales);
  bool one = rows == 1 && cols == 1;
  bool each_row = rows == n_rows && cols == 1;
  bool each_block = rows == blocks(n_rows, q->block_rows) && cols == blocks(n_cols, q->block_cols);
  int shown = (int)al_min_size(scales->name.size, 200);
  if (scales->n_dims > 2 || (!one && !each_row && !each_block))
    return al_fail(err, AL_MODEL_CORRUPT,
                   "%s: tensor \"%.*s\" has %lld x %lld scales for %lld x %lld weights in blocks of %lld x %lld",
                   file_of(scope, part->scales), shown, scales->name.data, (long long)rows, (long long)cols,
                   (long long)n_rows, (long long)n_cols, (long long)q->block_rows, (long long)q->block_cols);
  enum al_st_dtype type = scales->dtype;
  if (type == AL_ST_F32 || type == AL_ST_F16 || type == AL_ST_BF16 || type == AL_ST_F8_E8M0)
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" is of type %s; scales are F32, F16, BF16 or F8_E8M0",
                 file_of(scope, part->scales), shown, scales->name.data, al_st_dtype_name(type));
}

enum al_code al_fp8_take_scales(const struct al_rule_scope *scope, struct al_plan_part *part, struct al_err *err)
{
  static const char *const endings[] = { "_scale_inv", "_scale" };
  struct al_str name = part->data.tensor->name;
  int size = (int)al_min_size(name.size, MAX_NAME - 16);
  if (part->data.tensor->n_dims != 2)
    return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" is in FP8 and no matrix", file_of(scope, part->data), size,
                   name.data);
  for (size_t i = 0; i < AL_COUNT(endings) && part->scales.tensor == nullptr; i++) {
    char scale[MAX_NAME];
    (void)snprintf(scale, sizeof scale, "%.*s%s", size, name.data, endings[i]);
    part->scales = al_hf_weights_find(scope->weights, scale);
  }
  if (part->scales.tensor == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%.*s\" is in FP8, but its scales \"%.*s%s\" are missing",
                   file_of(scope, part->data), size, name.data, size, name.data, endings[0]);
  part->block_rows = scope->config->quantisation.block_rows;
  part->block_cols = scope->config->quantisation.block_cols;
  AL_TRY(al_map_set(scope->used, part->scales.tensor->name, scope->used, err));
  return check_shape(scope, part, err);
}

/* Sign, exponent of n_exponent bits, the rest mantissa. */
static float from_bits(unsigned byte, int n_exponent)
{
  int n_mantissa = 7 - n_exponent;
  int bias = (1 << (n_exponent - 1)) - 1;
  int exponent = (int)(byte >> n_mantissa) & ((1 << n_exponent) - 1);
  int mantissa = (int)byte & ((1 << n_mantissa) - 1);
  float magnitude = exponent == 0 ? ldexpf((float)mantissa, 1 - bias - n_mantissa)
                                  : ldexpf((float)(mantissa | 1 << n_mantissa), exponent - bias - n_mantissa);
  /* E4M3 spends one pattern on NaN, E5M2 a whole exponent on infinities and NaN. */
  bool number = n_exponent == 4 ? (byte & 0x7fU) != 0x7fU : exponent != 31;
  return !number ? NAN : (byte & 0x80U) != 0 ? -magnitude : magnitude;
}

static float scale_at(enum al_st_dtype dtype, const uint8_t *bytes, int64_t i)
{
  uint16_t half;
  float value;
  if (dtype == AL_ST_F8_E8M0)
    return bytes[i] == 0xff ? NAN : ldexpf(1.0F, (int)bytes[i] - 127);
  if (dtype == AL_ST_F32) {
    memcpy(&value, bytes + 4 * i, sizeof value);
    return value;
  }
  memcpy(&half, bytes + 2 * i, sizeof half);
  return dtype == AL_ST_F16 ? ggml_fp16_to_fp32(half) : ggml_bf16_to_fp32((ggml_bf16_t){ half });
}

/* Scales of one row of blocks, read when the rows come to it. */
struct reader {
  const struct al_hf_weights *weights;
  const struct al_plan_part *part; /* nullptr before the first row */
  int64_t block_row;
  int64_t n_cols; /* of scales */
  int64_t block_cols;
  uint8_t *raw;  /* owned */
  float *scales; /* owned */
};

static void reader_done(struct reader *r)
{
  al_free(r->raw);
  al_free(r->scales);
}

static enum al_code load_scales(struct reader *r, struct al_err *err)
{
  const struct al_st_tensor *t = r->part->scales.tensor;
  size_t size = al_st_dtype_size_bytes(t->dtype) * (size_t)r->n_cols;
  AL_TRY(al_hf_weights_read(r->weights, r->part->scales, (uint64_t)r->block_row * size, r->raw, size, err));
  for (int64_t i = 0; i < r->n_cols; i++) {
    r->scales[i] = scale_at(t->dtype, r->raw, i);
    if (!isfinite(r->scales[i]))
      return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" has a scale that is no number",
                     (int)al_min_size(t->name.size, 200), t->name.data);
  }
  return AL_OK;
}

/* row: of the file's tensor. */
static enum al_code go_to(struct reader *r, const struct al_plan_part *part, int64_t row, struct al_err *err)
{
  const struct al_st_tensor *t = part->scales.tensor;
  int64_t n_rows = (int64_t)part->data.tensor->shape[0];
  int64_t per_scale = rows_of(t) == 1 ? n_rows : rows_of(t) == n_rows ? 1 : part->block_rows;
  if (r->part == part && r->block_row == row / per_scale)
    return AL_OK;
  r->part = part;
  r->block_row = row / per_scale;
  r->n_cols = cols_of(t);
  r->block_cols = r->n_cols == 1 ? (int64_t)part->data.tensor->shape[1] : part->block_cols;
  return load_scales(r, err);
}

static enum al_code fail_weight(const struct al_plan_part *part, struct al_err *err)
{
  const struct al_st_tensor *t = part->data.tensor;
  return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" has a weight that is no number",
                 (int)al_min_size(t->name.size, 200), t->name.data);
}

static bool scale_row(const struct reader *r, const float table[256], const uint8_t *raw, int64_t n, float *values)
{
  float sum = 0; /* NaN when one of them is */
  for (int64_t block = 0; block * r->block_cols < n; block++) {
    int64_t start = block * r->block_cols;
    int64_t end = start + r->block_cols < n ? start + r->block_cols : n;
    float scale = r->scales[block];
    for (int64_t i = start; i < end; i++) {
      values[i] = table[raw[i]] * scale;
      sum += values[i] * 0.0F;
    }
  }
  return !isnan(sum);
}

enum al_code al_fp8_to_f32(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                           int64_t n, const uint8_t *raw, float *values, struct al_err *err)
{
  float table[256];
  int n_exponent = tensor->parts[0].data.tensor->dtype == AL_ST_F8_E5M2 ? 5 : 4;
  for (unsigned i = 0; i < 256; i++)
    table[i] = from_bits(i, n_exponent);
  size_t most = (size_t)tensor->n_cols; /* scales of a row */
  AL_CLEANUP(reader_done) struct reader reader = { .weights = weights };
  reader.raw = al_alloc(most * sizeof(float));
  reader.scales = al_calloc(most, sizeof *reader.scales);
  if (reader.raw == nullptr || reader.scales == nullptr)
    return al_fail_oom(err, most * sizeof(float));
  for (int64_t i = 0; i < n; i++) {
    int64_t slab = (from + i) / tensor->n_rows;
    const struct al_plan_part *part = &tensor->parts[tensor->n_parts == 1 ? 0 : slab];
    AL_TRY(go_to(&reader, part, al_rows_file_row(tensor, (from + i) % tensor->n_rows), err));
    if (!scale_row(&reader, table, raw + i * tensor->n_cols, tensor->n_cols, values + i * tensor->n_cols))
      return fail_weight(part, err);
  }
  return AL_OK;
}
