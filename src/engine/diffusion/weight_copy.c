#include "engine/diffusion/weight_copy.h"

#include "base/alloc.h"

#include <math.h>

constexpr int64_t CHUNK_ELEMENTS = 1 << 20;
constexpr float F16_LARGEST = 65504.0F;

struct rows { /* of the tensor in memory */
  int64_t from, n;
};

struct room {
  uint8_t *raw, *out;
  float *values;
};

static void room_done(struct room *room)
{
  al_free(room->raw);
  al_free(room->out);
  al_free(room->values);
}

static void to_f32(enum ggml_type type, const uint8_t *raw, float *values, int64_t n)
{
  if (type == GGML_TYPE_F32)
    memcpy(values, raw, (size_t)n * sizeof *values);
  else
    ggml_get_type_traits(type)->to_float(raw, values, n);
}

static enum al_code from_f32(const struct al_sd_copy *copy, const float *values, uint8_t *out, int64_t n_rows,
                             struct al_err *err)
{
  int64_t n_cols = (*copy->slot)->ne[0];
  int64_t n = n_rows * n_cols;
  if (copy->type == GGML_TYPE_F32) {
    memcpy(out, values, (size_t)n * sizeof *values);
    return AL_OK;
  }
  for (int64_t i = 0; i < n && copy->type == GGML_TYPE_F16; i++)
    if (fabsf(values[i]) > F16_LARGEST)
      return al_fail(err, AL_MODEL_CORRUPT, "a weight of %g does not fit into F16; load with quant=f32",
                     (double)values[i]);
  if (copy->type == GGML_TYPE_BF16)
    ggml_fp32_to_bf16_row(values, (ggml_bf16_t *)(void *)out, n);
  else
    (void)ggml_quantize_chunk(copy->type, values, out, 0, n_rows, n_cols, nullptr);
  return AL_OK;
}

/* The file's tensor as rows of the length that the tensor in memory has. */
static int64_t stored_row(const struct al_sd_copy *copy)
{
  return copy->transposed ? copy->shape[0] : (*copy->slot)->ne[0];
}

static enum al_code make_room(const struct al_sd_copy *copy, int64_t n_rows, struct room *room, struct al_err *err)
{
  int64_t n_cols = stored_row(copy);
  size_t raw_bytes = (size_t)n_rows * ggml_row_size(copy->stored.type, n_cols);
  size_t n = (size_t)(n_rows * n_cols);
  room->raw = al_alloc(raw_bytes + 1);
  room->values = al_alloc(n * sizeof *room->values);
  room->out = al_alloc(n * sizeof(float)); /* no type is wider */
  return room->raw != nullptr && room->values != nullptr && room->out != nullptr ? AL_OK : al_fail_oom(err, raw_bytes);
}

static enum al_code copy_rows(const struct al_sd_files *files, const struct al_sd_copy *copy, const struct rows *rows,
                              struct room *room, struct al_err *err)
{
  int64_t from = rows->from, n = rows->n;
  struct ggml_tensor *tensor = *copy->slot;
  size_t row_bytes = ggml_row_size(copy->stored.type, tensor->ne[0]);
  int64_t first = from + (copy->third > 0 ? copy->third * ggml_nrows(tensor) : 0);
  AL_TRY(al_sd_files_read(files, &copy->stored, (uint64_t)first * row_bytes, room->raw, (size_t)n * row_bytes, err));
  size_t out_row = ggml_row_size(copy->type, tensor->ne[0]);
  if (copy->stored.type == copy->type) {
    ggml_backend_tensor_set(tensor, room->raw, (size_t)from * out_row, (size_t)n * out_row);
    return AL_OK;
  }
  to_f32(copy->stored.type, room->raw, room->values, n * tensor->ne[0]);
  AL_TRY(from_f32(copy, room->values, room->out, n, err));
  ggml_backend_tensor_set(tensor, room->out, (size_t)from * out_row, (size_t)n * out_row);
  return AL_OK;
}

/* At once: only projections stand transposed in files, and those are small. */
static enum al_code copy_transposed(const struct al_sd_files *files, const struct al_sd_copy *copy, struct al_err *err)
{
  struct ggml_tensor *tensor = *copy->slot;
  int64_t n_cols = tensor->ne[0], n_rows = tensor->ne[1];
  AL_CLEANUP(room_done) struct room room = {};
  AL_TRY(make_room(copy, n_cols, &room, err));
  AL_CLEANUP(al_free_p) float *turned = al_alloc((size_t)(n_rows * n_cols) * sizeof *turned);
  if (turned == nullptr)
    return al_fail_oom(err, (size_t)(n_rows * n_cols) * sizeof *turned);
  AL_TRY(al_sd_files_read(files, &copy->stored, 0, room.raw, (size_t)copy->stored.size_bytes, err));
  to_f32(copy->stored.type, room.raw, room.values, n_rows * n_cols);
  for (int64_t row = 0; row < n_rows; row++)
    for (int64_t i = 0; i < n_cols; i++)
      turned[row * n_cols + i] = room.values[i * n_rows + row];
  AL_TRY(from_f32(copy, turned, room.out, n_rows, err));
  ggml_backend_tensor_set(tensor, room.out, 0, ggml_nbytes(tensor));
  return AL_OK;
}

enum al_code al_sd_copy_run(const struct al_sd_files *files, const struct al_sd_copy *copy, struct al_err *err)
{
  if (copy->transposed)
    return copy_transposed(files, copy, err);
  const struct ggml_tensor *tensor = *copy->slot;
  int64_t n_rows = ggml_nrows(tensor);
  int64_t chunk = CHUNK_ELEMENTS / tensor->ne[0] > 0 ? CHUNK_ELEMENTS / tensor->ne[0] : 1;
  chunk = chunk < n_rows ? chunk : n_rows;
  AL_CLEANUP(room_done) struct room room = {};
  AL_TRY(make_room(copy, chunk, &room, err));
  for (int64_t from = 0; from < n_rows; from += chunk)
    AL_TRY(copy_rows(files, copy, &(struct rows){ from, n_rows - from < chunk ? n_rows - from : chunk }, &room, err));
  return AL_OK;
}
