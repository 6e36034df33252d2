#include "safetensors_maker.h"

#include "base/alloc.h"

#include <ggml.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint32_t hash(const char *name, int64_t at)
{
  uint32_t h = 2166136261U;
  for (; *name != '\0'; name++)
    h = (h ^ (uint8_t)*name) * 16777619U;
  h = (h ^ (uint32_t)at) * 2654435761U;
  return (h ^ h >> 15) * 2246822519U >> 8;
}

/* Exact in BF16 and F16. */
float value_at(const char *name, int64_t at)
{
  return (float)((int)(hash(name, at) % 255) - 127) / 64.0F;
}

/* Scales of MXFP4 are kept near 1. */
uint8_t byte_at(const char *name, int64_t at)
{
  size_t n = strlen(name);
  bool scales = n > 7 && strcmp(name + n - 7, "_scales") == 0;
  return (uint8_t)(scales ? 120 + hash(name, at) % 12 : hash(name, at));
}

void maker_begin(struct maker *maker, struct kit *kit, const char *data)
{
  *maker = (struct maker){ .dtype = "F32" };
  kit_copy(kit, data, "llama");
  kit_delete(kit, "model.safetensors");
}

void maker_done(struct maker *maker)
{
  al_buf_done(&maker->header);
  al_buf_done(&maker->data);
}

static void add_element(struct maker *maker, const char *name, const char *dtype, int64_t at)
{
  float value = value_at(name, at);
  if (al_streq(dtype, "U8")) {
    al_buf_char(&maker->data, (char)byte_at(name, at));
  } else if (al_streq(dtype, "BF16")) {
    ggml_bf16_t half = ggml_fp32_to_bf16(value);
    al_buf_add(&maker->data, &half, sizeof half);
  } else {
    al_buf_add(&maker->data, &value, sizeof value);
  }
}

void make_tensor(struct maker *maker, const char *name, const char *dtype, const int64_t shape[4])
{
  int64_t dims[4] = {};
  int64_t n = 1;
  int n_dims = 0;
  bool faulty = maker->fault.tensor != nullptr && al_streq(maker->fault.tensor, name);
  if (faulty && maker->fault.dtype == nullptr && !maker->fault.swap)
    return;
  for (; n_dims < 4 && shape[n_dims] > 0; n_dims++) {
    dims[n_dims] = shape[n_dims];
    n *= shape[n_dims];
  }
  if (faulty && maker->fault.swap) {
    int64_t last = dims[n_dims - 1];
    dims[n_dims - 1] = dims[n_dims - 2];
    dims[n_dims - 2] = last;
  }
  if (faulty && maker->fault.dtype != nullptr)
    dtype = maker->fault.dtype;
  size_t start = maker->data.size;
  for (int64_t i = 0; i < n; i++)
    add_element(maker, name, dtype, i);
  al_buf_printf(&maker->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", maker->header.size > 0 ? "," : "", name,
                dtype);
  for (int i = 0; i < n_dims; i++)
    al_buf_printf(&maker->header, "%s%lld", i > 0 ? "," : "", (long long)dims[i]);
  al_buf_printf(&maker->header, "],\"data_offsets\":[%zu,%zu]}", start, maker->data.size);
}

void make_weight(struct maker *maker, const char *name, int64_t rows, int64_t cols)
{
  make_tensor(maker, name, maker->dtype, (const int64_t[4]){ rows, cols });
}

void maker_write(struct maker *maker, const struct kit *kit)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  AL_CLEANUP(al_buf_done) struct al_buf header = {};
  al_buf_printf(&header, "{%.*s}", (int)maker->header.size, maker->header.data);
  while (header.size % 8 != 0)
    al_buf_char(&header, ' ');
  uint64_t size = header.size;
  al_buf_add(&file, &size, sizeof size);
  al_buf_add(&file, header.data, header.size);
  al_buf_add(&file, maker->data.data, maker->data.size);
  kit_write(kit, "model.safetensors", al_buf_view(&file));
}

float *read_values(const struct al_vgguf *vgguf, const char *name, int64_t n)
{
  const struct gguf_context *gguf = al_vgguf_metadata(vgguf);
  int64_t id = gguf_find_tensor(gguf, name);
  if (id < 0)
    fail_msg("there is no tensor %s", name);
  enum ggml_type type = gguf_get_tensor_type(gguf, id);
  size_t size = gguf_get_tensor_size(gguf, id);
  if (size != ggml_row_size(type, n))
    fail_msg("%s has %zu bytes as %s, not %lld elements", name, size, ggml_type_name(type), (long long)n);
  AL_CLEANUP(al_free_p) uint8_t *bytes = al_alloc(size);
  float *values = al_calloc((size_t)n, sizeof *values);
  assert_true(bytes != nullptr && values != nullptr);
  size_t n_read = 0;
  uint64_t from = gguf_get_meta_size(gguf) + gguf_get_tensor_offset(gguf, id);
  assert_int_equal(al_vgguf_read(vgguf, from, bytes, size, &n_read, nullptr), AL_OK);
  assert_int_equal(n_read, size);
  if (type == GGML_TYPE_F32)
    memcpy(values, bytes, size);
  else
    ggml_get_type_traits(type)->to_float(bytes, values, n);
  return values;
}
