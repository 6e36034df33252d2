#include "codec/safetensors_header.h"

#include "base/alloc.h"
#include "base/map.h"
#include "codec/json.h"

#include <stdckdint.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
  const char *name;
  size_t size_bytes;
} dtypes[AL_ST_DTYPE_COUNT] = {
  [AL_ST_BOOL] = { "BOOL", 1 },       [AL_ST_U8] = { "U8", 1 },           [AL_ST_I8] = { "I8", 1 },
  [AL_ST_F8_E5M2] = { "F8_E5M2", 1 }, [AL_ST_F8_E4M3] = { "F8_E4M3", 1 }, [AL_ST_F8_E8M0] = { "F8_E8M0", 1 },
  [AL_ST_U16] = { "U16", 2 },         [AL_ST_I16] = { "I16", 2 },         [AL_ST_F16] = { "F16", 2 },
  [AL_ST_BF16] = { "BF16", 2 },       [AL_ST_U32] = { "U32", 4 },         [AL_ST_I32] = { "I32", 4 },
  [AL_ST_F32] = { "F32", 4 },         [AL_ST_U64] = { "U64", 8 },         [AL_ST_I64] = { "I64", 8 },
  [AL_ST_F64] = { "F64", 8 },
};

constexpr size_t MAX_TENSORS = 1 << 18;
constexpr size_t MAX_NAME_BYTES = 512;

struct al_st_header {
  struct al_json_doc *doc; /* owns the names */
  struct al_st_tensor *tensors;
  size_t n_tensors;
  struct al_map *tensor_of;
  uint64_t n_parameters;
  const char *main_type;
};

const char *al_st_dtype_name(enum al_st_dtype dtype)
{
  return (unsigned)dtype < AL_ST_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

size_t al_st_dtype_size_bytes(enum al_st_dtype dtype)
{
  return (unsigned)dtype < AL_ST_DTYPE_COUNT ? dtypes[dtype].size_bytes : 0;
}

/* The JSON reader blames a request; here a model file is at fault. */
static enum al_code parse_json(struct al_str text, const char *what, struct al_json_doc **doc, struct al_err *err)
{
  struct al_err cause = {};
  enum al_code code = al_json_parse(text, doc, &cause);
  if (code == AL_OK)
    return AL_OK;
  if (code != AL_INVALID_REQUEST)
    return al_fail(err, code, "%s: %s", what, cause.message);
  return al_fail(err, AL_MODEL_CORRUPT, "%s is not valid JSON: %s", what, cause.message);
}

static enum al_code read_u64(const struct al_json *value, uint64_t *out)
{
  int64_t number = al_json_kind(value) == AL_JSON_INT ? al_json_int(value, -1) : -1;
  *out = (uint64_t)number;
  return number < 0 ? AL_MODEL_CORRUPT : AL_OK;
}

static enum al_code read_dtype(const struct al_json *info, struct al_st_tensor *t, struct al_err *err)
{
  struct al_str name = al_json_str(al_json_get(info, "dtype"));
  for (int i = 0; i < AL_ST_DTYPE_COUNT; i++)
    if (al_str_is(name, dtypes[i].name)) {
      t->dtype = (enum al_st_dtype)i;
      return AL_OK;
    }
  if (name.size == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" has no dtype", (int)t->name.size, t->name.data);
  return al_fail(err, AL_UNSUPPORTED, "tensor \"%.*s\" has the dtype \"%.*s\", which this program does not know",
                 (int)t->name.size, t->name.data, (int)al_min_size(name.size, 32), name.data);
}

static enum al_code read_shape(const struct al_json *info, struct al_st_tensor *t, struct al_err *err)
{
  const struct al_json *shape = al_json_get(info, "shape");
  size_t n_dims = al_json_count(shape);
  if (al_json_kind(shape) != AL_JSON_ARRAY || n_dims > AL_ST_MAX_DIMS)
    return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" has no shape of at most %d dimensions", (int)t->name.size,
                   t->name.data, AL_ST_MAX_DIMS);
  t->n_dims = (int)n_dims;
  t->n_elements = 1;
  for (int i = 0; i < AL_ST_MAX_DIMS; i++)
    t->shape[i] = 1;
  struct al_json_iter it = al_json_iter(shape);
  while (al_json_next(&it)) {
    if (read_u64(it.value, &t->shape[it.index]) != AL_OK ||
        ckd_mul(&t->n_elements, t->n_elements, t->shape[it.index]) || t->n_elements > INT64_MAX)
      return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" has an impossible shape", (int)t->name.size, t->name.data);
  }
  return AL_OK;
}

/* data_offsets count from the end of the header; `data_bytes` is what the file has there. */
static enum al_code read_offsets(const struct al_json *info, struct al_st_tensor *t, uint64_t data_bytes,
                                 struct al_err *err)
{
  const struct al_json *offsets = al_json_get(info, "data_offsets");
  uint64_t end = 0;
  int n = (int)t->name.size;
  if (al_json_kind(offsets) != AL_JSON_ARRAY || al_json_count(offsets) != 2 ||
      read_u64(al_json_at(offsets, 0), &t->offset_bytes) != AL_OK || read_u64(al_json_at(offsets, 1), &end) != AL_OK ||
      end < t->offset_bytes)
    return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" has no valid data_offsets", n, t->name.data);
  t->size_bytes = end - t->offset_bytes;
  uint64_t expected;
  if (ckd_mul(&expected, t->n_elements, dtypes[t->dtype].size_bytes) || expected != t->size_bytes)
    return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" takes %llu bytes, but its shape and dtype %s need others", n,
                   t->name.data, (unsigned long long)t->size_bytes, dtypes[t->dtype].name);
  if (end > data_bytes)
    return al_fail(err, AL_MODEL_CORRUPT,
                   "tensor \"%.*s\" ends at data byte %llu, but the file has only %llu: truncated?", n, t->name.data,
                   (unsigned long long)end, (unsigned long long)data_bytes);
  return AL_OK;
}

static int by_offset(const void *left, const void *right)
{
  const struct al_st_tensor *a = left;
  const struct al_st_tensor *b = right;
  if (a->offset_bytes != b->offset_bytes)
    return a->offset_bytes < b->offset_bytes ? -1 : 1;
  return (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

static enum al_code check_cover(const struct al_st_header *header, uint64_t data_bytes, struct al_err *err)
{
  uint64_t at = 0;
  for (size_t i = 0; i < header->n_tensors; i++) {
    const struct al_st_tensor *t = &header->tensors[i];
    if (t->offset_bytes != at)
      return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" %s the one before it (starts at %llu, expected %llu)",
                     (int)t->name.size, t->name.data, t->offset_bytes < at ? "overlaps" : "leaves a gap after",
                     (unsigned long long)t->offset_bytes, (unsigned long long)at);
    at += t->size_bytes;
  }
  if (at != data_bytes)
    return al_fail(err, AL_MODEL_CORRUPT, "the file has %llu bytes of data, but its tensors take %llu",
                   (unsigned long long)data_bytes, (unsigned long long)at);
  return AL_OK;
}

static enum al_code index_tensors(struct al_st_header *header, uint64_t data_start, struct al_err *err)
{
  uint64_t of_type[AL_ST_DTYPE_COUNT] = {};
  size_t best = 0;
  for (size_t i = 0; i < header->n_tensors; i++) {
    struct al_st_tensor *t = &header->tensors[i];
    t->offset_bytes += data_start;
    if (ckd_add(&header->n_parameters, header->n_parameters, t->n_elements))
      return al_fail(err, AL_MODEL_CORRUPT, "the file claims more parameters than can be counted");
    of_type[t->dtype] += t->n_elements;
    if (of_type[t->dtype] > of_type[best])
      best = t->dtype;
    if (al_map_has(header->tensor_of, t->name))
      return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" appears twice", (int)t->name.size, t->name.data);
    AL_TRY(al_map_set(header->tensor_of, t->name, t, err));
  }
  header->main_type = header->n_tensors > 0 ? dtypes[of_type[best] > 0 ? best : header->tensors[0].dtype].name : "";
  return AL_OK;
}

static enum al_code read_tensors(struct al_st_header *header, uint64_t data_bytes, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(al_json_root(header->doc));
  while (al_json_next(&it)) {
    if (al_str_is(it.key, "__metadata__"))
      continue;
    if (it.key.size == 0 || it.key.size > MAX_NAME_BYTES || memchr(it.key.data, '\0', it.key.size) != nullptr)
      return al_fail(err, AL_MODEL_CORRUPT, "a tensor's name is empty, has a NUL byte or is longer than %zu bytes",
                     MAX_NAME_BYTES);
    struct al_st_tensor *t = &header->tensors[header->n_tensors];
    t->name = it.key;
    if (al_json_kind(it.value) != AL_JSON_OBJECT)
      return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" is not described by an object", (int)it.key.size,
                     it.key.data);
    AL_TRY(read_dtype(it.value, t, err));
    AL_TRY(read_shape(it.value, t, err));
    AL_TRY(read_offsets(it.value, t, data_bytes, err));
    header->n_tensors++;
  }
  return AL_OK;
}

static enum al_code parse(struct al_st_header *header, struct al_str json, uint64_t data_bytes, struct al_err *err)
{
  AL_TRY(parse_json(json, "the safetensors header", &header->doc, err));
  const struct al_json *root = al_json_root(header->doc);
  if (al_json_kind(root) != AL_JSON_OBJECT)
    return al_fail(err, AL_MODEL_CORRUPT, "the safetensors header is not a JSON object");
  size_t most = al_json_count(root);
  if (most > MAX_TENSORS)
    return al_fail(err, AL_MODEL_CORRUPT, "the safetensors header names %zu tensors, at most %zu are allowed", most,
                   MAX_TENSORS);
  header->tensors = al_calloc(most, sizeof *header->tensors);
  header->tensor_of = al_map_new(most);
  if (header->tensors == nullptr || header->tensor_of == nullptr)
    return al_fail_oom(err, most * sizeof *header->tensors);
  AL_TRY(read_tensors(header, data_bytes, err));
  qsort(header->tensors, header->n_tensors, sizeof *header->tensors, by_offset);
  AL_TRY(check_cover(header, data_bytes, err));
  return index_tensors(header, AL_ST_LENGTH_BYTES + json.size, err);
}

static enum al_code check_length(struct al_str bytes, uint64_t file_size, uint64_t *json_bytes, struct al_err *err)
{
  if (file_size < AL_ST_LENGTH_BYTES)
    return al_fail(err, AL_MODEL_CORRUPT, "not a safetensors file: only %llu bytes long",
                   (unsigned long long)file_size);
  *json_bytes = 0;
  if (bytes.size < AL_ST_LENGTH_BYTES)
    return AL_OK;
  uint64_t length = 0;
  for (size_t i = AL_ST_LENGTH_BYTES; i-- > 0;)
    length = length << 8 | (uint8_t)bytes.data[i];
  if (length > AL_ST_MAX_HEADER_BYTES || length < 2 || length > file_size - AL_ST_LENGTH_BYTES)
    return al_fail(err, AL_MODEL_CORRUPT,
                   "the safetensors header claims %llu bytes, the file has %llu in all: truncated or not safetensors",
                   (unsigned long long)length, (unsigned long long)file_size);
  *json_bytes = length;
  return AL_OK;
}

enum al_code al_st_header_parse(struct al_str bytes, uint64_t file_size_bytes, struct al_st_header **header,
                                uint64_t *need_bytes, struct al_err *err)
{
  uint64_t json_bytes;
  AL_TRY(check_length(bytes, file_size_bytes, &json_bytes, err));
  uint64_t whole = AL_ST_LENGTH_BYTES + json_bytes;
  if (bytes.size < whole) {
    *header = nullptr;
    *need_bytes = whole;
    return AL_OK;
  }
  AL_CLEANUP(al_st_header_free_p) struct al_st_header *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  struct al_str json = al_str_n(bytes.data + AL_ST_LENGTH_BYTES, (size_t)json_bytes);
  AL_TRY(parse(made, json, file_size_bytes - whole, err));
  *header = AL_TAKE(made);
  *need_bytes = 0;
  return AL_OK;
}

void al_st_header_free(struct al_st_header *header)
{
  if (header == nullptr)
    return;
  al_map_free(header->tensor_of);
  al_free(header->tensors);
  al_json_doc_free(header->doc);
  al_free(header);
}

size_t al_st_header_n_tensors(const struct al_st_header *header)
{
  return header->n_tensors;
}

const struct al_st_tensor *al_st_header_tensor(const struct al_st_header *header, size_t index)
{
  return index < header->n_tensors ? &header->tensors[index] : nullptr;
}

const struct al_st_tensor *al_st_header_find(const struct al_st_header *header, struct al_str name)
{
  return al_map_get(header->tensor_of, name);
}

uint64_t al_st_header_n_parameters(const struct al_st_header *header)
{
  return header->n_parameters;
}

const char *al_st_header_main_type(const struct al_st_header *header)
{
  return header->main_type;
}
