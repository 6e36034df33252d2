#include "engine/safetensors/convert.h"
#include "engine/whisper/stream.h"

#include "base/alloc.h"

static void add_i32(struct al_buf *out, int64_t value)
{
  uint32_t v = (uint32_t)value;
  const uint8_t bytes[] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
  al_buf_add(out, bytes, sizeof bytes);
}

/* n_dims, length of the name, type, extents, name. */
static enum al_code write_tensor_head(const struct al_plan_tensor *tensor, struct al_buf *out, struct al_err *err)
{
  al_buf_clear(out);
  add_i32(out, tensor->n_dims);
  add_i32(out, (int64_t)strlen(tensor->name));
  add_i32(out, tensor->type);
  for (int i = 0; i < tensor->n_dims; i++)
    add_i32(out, tensor->ne[i]);
  al_buf_str(out, tensor->name);
  return al_buf_check(out, err);
}

/* Makes sure that `tensor` is the one the position lies in. */
static enum al_code find_tensor(struct al_whisper_stream *s, struct al_err *err)
{
  if (s->tensor_at == 0) {
    s->tensor_at = s->head.size;
    AL_TRY(write_tensor_head(&s->tensors[0], &s->tensor_head, err));
  }
  while (s->position >= s->tensor_at + s->tensor_head.size + s->tensors[s->tensor].size_bytes) {
    s->tensor_at += s->tensor_head.size + s->tensors[s->tensor].size_bytes;
    s->tensor++;
    AL_TRY(write_tensor_head(&s->tensors[s->tensor], &s->tensor_head, err));
  }
  return AL_OK;
}

/* A part of one row. */
static enum al_code read_in_row(const struct al_whisper_stream *s, const struct al_plan_tensor *t, uint64_t offset,
                                uint8_t *bytes, size_t size, struct al_err *err)
{
  int64_t row = (int64_t)(offset / t->row_bytes);
  AL_CLEANUP(al_free_p) uint8_t *room = al_alloc(t->row_bytes);
  if (room == nullptr)
    return al_fail_oom(err, t->row_bytes);
  AL_TRY(al_convert_rows(s->weights, t, row, row + 1, room, 1, err));
  memcpy(bytes, room + offset % t->row_bytes, size);
  return AL_OK;
}

/* Bytes of the tensor's data from `offset`: whole rows at once where they can be written in place. */
static enum al_code read_data(const struct al_whisper_stream *s, uint64_t offset, uint8_t *bytes, size_t size,
                              size_t *n_read, struct al_err *err)
{
  const struct al_plan_tensor *t = &s->tensors[s->tensor];
  size_t within = (size_t)(offset % t->row_bytes);
  bool aligned = (uintptr_t)bytes % sizeof(float) == 0;
  if (within != 0 || size < t->row_bytes || !aligned) {
    *n_read = al_min_size(size, t->row_bytes - within);
    return read_in_row(s, t, offset, bytes, *n_read, err);
  }
  int64_t from = (int64_t)(offset / t->row_bytes);
  int64_t n = (int64_t)(size / t->row_bytes);
  *n_read = (size_t)n * t->row_bytes;
  return al_convert_rows(s->weights, t, from, from + n, bytes, s->n_threads, err);
}

enum al_code al_whisper_hf_read(struct al_whisper_stream *s, uint8_t *bytes, size_t size, struct al_err *err)
{
  while (size > 0) {
    AL_TRY(find_tensor(s, err));
    uint64_t offset = s->position - s->tensor_at;
    size_t n = 0;
    if (offset < s->tensor_head.size) {
      n = al_min_size(size, s->tensor_head.size - (size_t)offset);
      memcpy(bytes, s->tensor_head.data + offset, n);
    } else {
      uint64_t left = s->tensor_head.size + s->tensors[s->tensor].size_bytes - offset;
      size_t most = size < left ? size : (size_t)left;
      AL_TRY(read_data(s, offset - s->tensor_head.size, bytes, most, &n, err));
    }
    s->position += n;
    bytes += n;
    size -= n;
  }
  return AL_OK;
}
