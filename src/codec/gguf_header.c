#include "codec/gguf_header.h"

#include "base/alloc.h"
#include "base/map.h"

#include <stdckdint.h>
#include <stdio.h>

enum gguf_kind {
  KIND_U8,
  KIND_I8,
  KIND_U16,
  KIND_I16,
  KIND_U32,
  KIND_I32,
  KIND_F32,
  KIND_BOOL,
  KIND_STRING,
  KIND_ARRAY,
  KIND_U64,
  KIND_I64,
  KIND_F64,
  KIND_COUNT,
};

static const uint8_t kind_bytes[KIND_COUNT] = {
  [KIND_U8] = 1,  [KIND_I8] = 1,   [KIND_U16] = 2, [KIND_I16] = 2, [KIND_U32] = 4, [KIND_I32] = 4,
  [KIND_F32] = 4, [KIND_BOOL] = 1, [KIND_U64] = 8, [KIND_I64] = 8, [KIND_F64] = 8,
};

struct tensor_type {
  const char *name; /* nullptr: not known here */
  uint32_t block_elements;
  uint32_t block_bytes;
};

/* ggml.h, enum ggml_type; the numbers without a row were removed from the format. */
static const struct tensor_type tensor_types[] = {
  [0] = { "F32", 1, 4 },         [1] = { "F16", 1, 2 },         [2] = { "Q4_0", 32, 18 },
  [3] = { "Q4_1", 32, 20 },      [6] = { "Q5_0", 32, 22 },      [7] = { "Q5_1", 32, 24 },
  [8] = { "Q8_0", 32, 34 },      [9] = { "Q8_1", 32, 36 },      [10] = { "Q2_K", 256, 84 },
  [11] = { "Q3_K", 256, 110 },   [12] = { "Q4_K", 256, 144 },   [13] = { "Q5_K", 256, 176 },
  [14] = { "Q6_K", 256, 210 },   [15] = { "Q8_K", 256, 292 },   [16] = { "IQ2_XXS", 256, 66 },
  [17] = { "IQ2_XS", 256, 74 },  [18] = { "IQ3_XXS", 256, 98 }, [19] = { "IQ1_S", 256, 50 },
  [20] = { "IQ4_NL", 32, 18 },   [21] = { "IQ3_S", 256, 110 },  [22] = { "IQ2_S", 256, 82 },
  [23] = { "IQ4_XS", 256, 136 }, [24] = { "I8", 1, 1 },         [25] = { "I16", 1, 2 },
  [26] = { "I32", 1, 4 },        [27] = { "I64", 1, 8 },        [28] = { "F64", 1, 8 },
  [29] = { "IQ1_M", 256, 56 },   [30] = { "BF16", 1, 2 },       [34] = { "TQ1_0", 256, 54 },
  [35] = { "TQ2_0", 256, 66 },   [39] = { "MXFP4", 32, 17 },    [40] = { "NVFP4", 64, 36 },
  [41] = { "Q1_0", 128, 18 },    [42] = { "Q2_0", 64, 18 },
};

constexpr uint64_t MAX_KEYS = 1 << 16;
constexpr uint64_t MAX_TENSORS = 1 << 17;
constexpr uint64_t MAX_KEY_BYTES = 1 << 16;
/* libggml itself reads at most 63 and says so; image models have longer names, which stable-diffusion.cpp writes. */
constexpr uint64_t MAX_TENSOR_NAME_BYTES = 127;
constexpr uint64_t MIN_KEY_BYTES = 8 + 1 + 4 + 1;
constexpr uint64_t MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8;
constexpr uint64_t MAX_ALIGNMENT = 1 << 16;
constexpr uint64_t DEFAULT_ALIGNMENT = 32;

struct pair {
  struct al_str key;
  enum gguf_kind kind;
  enum gguf_kind element_kind; /* of an array */
  uint64_t count;              /* elements of an array, else 1 */
  struct al_str value;         /* a string's bytes, or the raw bytes of a number or array of numbers */
};

struct al_gguf_header {
  uint32_t version;
  struct pair *pairs;
  size_t n_pairs;
  struct al_gguf_tensor *tensors;
  size_t n_tensors;
  struct al_map *pair_of;
  struct al_map *tensor_of;
  uint64_t n_parameters;
  const char *main_type;
};

/* Where the parser stands. Running past the bytes at hand is either a truncated file or a piece that is too short:
 * `wanted` then says how many bytes from the start would have been needed. */
struct reader {
  struct al_str bytes;
  uint64_t at;
  uint64_t file_size;
  uint64_t wanted;
};

/* AL_MODEL_CORRUPT when the file ends before; AL_INVALID_REQUEST is private to this file and means: piece too short. */
static enum al_code need(struct reader *r, uint64_t n_bytes, const char *what, struct al_err *err)
{
  uint64_t end;
  if (ckd_add(&end, r->at, n_bytes) || end > r->file_size)
    return al_fail(err, AL_MODEL_CORRUPT, "the GGUF file ends inside %s (%llu bytes long)", what,
                   (unsigned long long)r->file_size);
  if (end <= r->bytes.size)
    return AL_OK;
  r->wanted = end;
  return AL_INVALID_REQUEST;
}

static uint64_t little(const char *bytes, size_t n_bytes)
{
  uint64_t value = 0;
  for (size_t i = n_bytes; i-- > 0;)
    value = value << 8 | (uint8_t)bytes[i];
  return value;
}

static enum al_code read_u32(struct reader *r, uint32_t *out, const char *what, struct al_err *err)
{
  AL_TRY(need(r, 4, what, err));
  *out = (uint32_t)little(r->bytes.data + r->at, 4);
  r->at += 4;
  return AL_OK;
}

static enum al_code read_u64(struct reader *r, uint64_t *out, const char *what, struct al_err *err)
{
  AL_TRY(need(r, 8, what, err));
  *out = little(r->bytes.data + r->at, 8);
  r->at += 8;
  return AL_OK;
}

static enum al_code read_bytes(struct reader *r, uint64_t n_bytes, struct al_str *out, const char *what,
                               struct al_err *err)
{
  AL_TRY(need(r, n_bytes, what, err));
  *out = al_str_n(r->bytes.data + r->at, (size_t)n_bytes);
  r->at += n_bytes;
  return AL_OK;
}

static enum al_code read_string(struct reader *r, uint64_t max_bytes, struct al_str *out, const char *what,
                                struct al_err *err)
{
  uint64_t n_bytes;
  AL_TRY(read_u64(r, &n_bytes, what, err));
  if (n_bytes > max_bytes)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is %llu bytes long, at most %llu are allowed", what,
                   (unsigned long long)n_bytes, (unsigned long long)max_bytes);
  return read_bytes(r, n_bytes, out, what, err);
}

static enum al_code read_kind(struct reader *r, enum gguf_kind *kind, const char *what, struct al_err *err)
{
  uint32_t number;
  AL_TRY(read_u32(r, &number, what, err));
  if (number >= KIND_COUNT)
    return al_fail(err, AL_MODEL_CORRUPT, "%s has the unknown type %u", what, number);
  *kind = (enum gguf_kind)number;
  return AL_OK;
}

static enum al_code skip_strings(struct reader *r, struct pair *pair, const char *what, struct al_err *err)
{
  uint64_t start = r->at;
  struct al_str ignored;
  for (uint64_t i = 0; i < pair->count; i++)
    AL_TRY(read_string(r, r->file_size, &ignored, what, err));
  pair->value = al_str_n(r->bytes.data + start, (size_t)(r->at - start));
  return AL_OK;
}

static enum al_code read_array(struct reader *r, struct pair *pair, const char *what, struct al_err *err)
{
  AL_TRY(read_kind(r, &pair->element_kind, what, err));
  AL_TRY(read_u64(r, &pair->count, what, err));
  if (pair->element_kind == KIND_ARRAY)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is an array of arrays", what);
  bool strings = pair->element_kind == KIND_STRING;
  uint64_t least;
  if (ckd_mul(&least, pair->count, strings ? 8 : kind_bytes[pair->element_kind]) || least > r->file_size - r->at)
    return al_fail(err, AL_MODEL_CORRUPT, "%s claims %llu elements, more than the file holds", what,
                   (unsigned long long)pair->count);
  return strings ? skip_strings(r, pair, what, err) : read_bytes(r, least, &pair->value, what, err);
}

static enum al_code read_value(struct reader *r, struct pair *pair, const char *what, struct al_err *err)
{
  pair->count = 1;
  AL_TRY(read_kind(r, &pair->kind, what, err));
  if (pair->kind == KIND_STRING)
    return read_string(r, r->file_size, &pair->value, what, err);
  if (pair->kind == KIND_ARRAY)
    return read_array(r, pair, what, err);
  return read_bytes(r, kind_bytes[pair->kind], &pair->value, what, err);
}

static enum al_code read_pair(struct reader *r, struct al_gguf_header *header, struct al_err *err)
{
  struct pair *pair = &header->pairs[header->n_pairs];
  AL_TRY(read_string(r, MAX_KEY_BYTES, &pair->key, "a metadata key", err));
  char what[96];
  (void)snprintf(what, sizeof what, "metadata key \"%.*s\"", (int)al_min_size(pair->key.size, 72), pair->key.data);
  if (pair->key.size == 0 || memchr(pair->key.data, '\0', pair->key.size) != nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "metadata key number %zu is empty or has a NUL byte", header->n_pairs);
  AL_TRY(read_value(r, pair, what, err));
  if (al_map_has(header->pair_of, pair->key))
    return al_fail(err, AL_MODEL_CORRUPT, "%s appears twice", what);
  AL_TRY(al_map_set(header->pair_of, pair->key, pair, err));
  header->n_pairs++;
  return AL_OK;
}

static const struct tensor_type *type_of(uint32_t number)
{
  bool known = number < AL_COUNT(tensor_types) && tensor_types[number].name != nullptr;
  return known ? &tensor_types[number] : nullptr;
}

static enum al_code read_shape(struct reader *r, struct al_gguf_tensor *tensor, const char *what, struct al_err *err)
{
  uint32_t n_dims;
  AL_TRY(read_u32(r, &n_dims, what, err));
  if (n_dims == 0 || n_dims > AL_GGUF_MAX_DIMS)
    return al_fail(err, AL_MODEL_CORRUPT, "%s has %u dimensions, 1 to %d are allowed", what, n_dims, AL_GGUF_MAX_DIMS);
  tensor->n_dims = (int)n_dims;
  tensor->n_elements = 1;
  for (int i = 0; i < AL_GGUF_MAX_DIMS; i++)
    tensor->ne[i] = 1;
  for (uint32_t i = 0; i < n_dims; i++) {
    AL_TRY(read_u64(r, &tensor->ne[i], what, err));
    if (tensor->ne[i] > INT64_MAX || ckd_mul(&tensor->n_elements, tensor->n_elements, tensor->ne[i]) ||
        tensor->n_elements > INT64_MAX)
      return al_fail(err, AL_MODEL_CORRUPT, "%s has more elements than can be counted", what);
  }
  return AL_OK;
}

static enum al_code measure(struct al_gguf_tensor *tensor, const char *what, struct al_err *err)
{
  const struct tensor_type *type = type_of(tensor->type);
  if (type == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "%s has the type number %u, which this program does not know", what,
                   tensor->type);
  if (tensor->ne[0] % type->block_elements != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "%s has rows of %llu elements, not a multiple of %u as %s needs", what,
                   (unsigned long long)tensor->ne[0], type->block_elements, type->name);
  tensor->type_name = type->name;
  if (ckd_mul(&tensor->size_bytes, tensor->n_elements / type->block_elements, type->block_bytes))
    return al_fail(err, AL_MODEL_CORRUPT, "%s has more bytes than can be counted", what);
  return AL_OK;
}

static enum al_code read_tensor(struct reader *r, struct al_gguf_header *header, struct al_err *err)
{
  struct al_gguf_tensor *tensor = &header->tensors[header->n_tensors];
  AL_TRY(read_string(r, MAX_TENSOR_NAME_BYTES, &tensor->name, "a tensor's name", err));
  char what[96];
  (void)snprintf(what, sizeof what, "tensor \"%.*s\"", (int)tensor->name.size, tensor->name.data);
  AL_TRY(read_shape(r, tensor, what, err));
  AL_TRY(read_u32(r, &tensor->type, what, err));
  AL_TRY(measure(tensor, what, err));
  AL_TRY(read_u64(r, &tensor->offset_bytes, what, err));
  if (tensor->name.size == 0 || al_map_has(header->tensor_of, tensor->name))
    return al_fail(err, AL_MODEL_CORRUPT, "%s appears twice or has no name", what);
  AL_TRY(al_map_set(header->tensor_of, tensor->name, tensor, err));
  header->n_tensors++;
  return AL_OK;
}

/* Tensor data follows without gaps but alignment, in the order of the infos: ggml's own reader insists on it. */
static enum al_code place_tensors(struct reader *r, struct al_gguf_header *header, struct al_err *err)
{
  uint64_t alignment = DEFAULT_ALIGNMENT;
  if (al_gguf_header_has(header, "general.alignment") && !al_gguf_header_u64(header, "general.alignment", &alignment))
    return al_fail(err, AL_MODEL_CORRUPT, "metadata key \"general.alignment\" is not a number");
  if (alignment == 0 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "general.alignment is %llu, not a power of two up to %llu",
                   (unsigned long long)alignment, (unsigned long long)MAX_ALIGNMENT);
  uint64_t data_start = (r->at + alignment - 1) & ~(alignment - 1);
  uint64_t expected = 0;
  for (size_t i = 0; i < header->n_tensors; i++) {
    struct al_gguf_tensor *t = &header->tensors[i];
    int n = (int)t->name.size;
    if (t->offset_bytes != expected)
      return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" starts at data byte %llu, expected %llu", n, t->name.data,
                     (unsigned long long)t->offset_bytes, (unsigned long long)expected);
    uint64_t end;
    if (ckd_add(&t->offset_bytes, t->offset_bytes, data_start) || ckd_add(&end, t->offset_bytes, t->size_bytes) ||
        end > r->file_size)
      return al_fail(err, AL_MODEL_CORRUPT,
                     "tensor \"%.*s\" does not lie inside the file of %llu bytes: the file is truncated or damaged", n,
                     t->name.data, (unsigned long long)r->file_size);
    expected = (end - data_start + alignment - 1) & ~(alignment - 1);
  }
  return AL_OK;
}

static enum al_code sum_up(struct al_gguf_header *header, struct al_err *err)
{
  uint64_t of_type[AL_COUNT(tensor_types)] = {};
  for (size_t i = 0; i < header->n_tensors; i++) {
    const struct al_gguf_tensor *t = &header->tensors[i];
    if (ckd_add(&header->n_parameters, header->n_parameters, t->n_elements))
      return al_fail(err, AL_MODEL_CORRUPT, "the file claims more parameters than can be counted");
    of_type[t->type] += t->n_elements;
  }
  size_t best = 0;
  for (size_t i = 1; i < AL_COUNT(tensor_types); i++)
    if (of_type[i] > of_type[best])
      best = i;
  header->main_type = header->n_tensors > 0 ? tensor_types[best].name : "";
  return AL_OK;
}

static enum al_code read_counts(struct reader *r, struct al_gguf_header *header, uint64_t *n_tensors, uint64_t *n_pairs,
                                struct al_err *err)
{
  struct al_str magic;
  AL_TRY(read_bytes(r, 4, &magic, "its first bytes", err));
  if (!al_str_is(magic, "GGUF"))
    return al_fail(err, AL_MODEL_CORRUPT, "not a GGUF file: it does not start with \"GGUF\"");
  AL_TRY(read_u32(r, &header->version, "its first bytes", err));
  if ((header->version & 0xffff) == 0 && header->version != 0)
    return al_fail(err, AL_UNSUPPORTED, "a big-endian GGUF file: convert it to little-endian first");
  if (header->version != 2 && header->version != 3)
    return al_fail(err, header->version == 1 ? AL_UNSUPPORTED : AL_MODEL_CORRUPT,
                   "GGUF version %u, only 2 and 3 are supported", header->version);
  AL_TRY(read_u64(r, n_tensors, "its first bytes", err));
  AL_TRY(read_u64(r, n_pairs, "its first bytes", err));
  uint64_t left = r->file_size - r->at;
  if (*n_tensors > MAX_TENSORS || *n_tensors > left / MIN_TENSOR_BYTES)
    return al_fail(err, AL_MODEL_CORRUPT, "the file claims %llu tensors, more than it can hold",
                   (unsigned long long)*n_tensors);
  if (*n_pairs > MAX_KEYS || *n_pairs > left / MIN_KEY_BYTES)
    return al_fail(err, AL_MODEL_CORRUPT, "the file claims %llu metadata keys, more than it can hold",
                   (unsigned long long)*n_pairs);
  return AL_OK;
}

static enum al_code parse(struct reader *r, struct al_gguf_header *header, struct al_err *err)
{
  uint64_t n_tensors = 0;
  uint64_t n_pairs = 0;
  AL_TRY(read_counts(r, header, &n_tensors, &n_pairs, err));
  header->pairs = al_calloc((size_t)n_pairs, sizeof *header->pairs);
  header->tensors = al_calloc((size_t)n_tensors, sizeof *header->tensors);
  header->pair_of = al_map_new((size_t)n_pairs);
  header->tensor_of = al_map_new((size_t)n_tensors);
  if (header->pairs == nullptr || header->tensors == nullptr || header->pair_of == nullptr ||
      header->tensor_of == nullptr)
    return al_fail_oom(err, (size_t)n_tensors * sizeof *header->tensors);
  for (uint64_t i = 0; i < n_pairs; i++)
    AL_TRY(read_pair(r, header, err));
  for (uint64_t i = 0; i < n_tensors; i++)
    AL_TRY(read_tensor(r, header, err));
  AL_TRY(place_tensors(r, header, err));
  return sum_up(header, err);
}

enum al_code al_gguf_header_parse(struct al_str bytes, uint64_t file_size_bytes, struct al_gguf_header **header,
                                  uint64_t *need_bytes, struct al_err *err)
{
  AL_CLEANUP(al_gguf_header_free_p) struct al_gguf_header *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  struct reader r = { .bytes = bytes, .file_size = file_size_bytes };
  enum al_code code = parse(&r, made, err);
  if (code != AL_OK && r.wanted == 0)
    return code;
  *need_bytes = r.wanted;
  *header = r.wanted == 0 ? AL_TAKE(made) : nullptr;
  return AL_OK;
}

void al_gguf_header_free(struct al_gguf_header *header)
{
  if (header == nullptr)
    return;
  al_map_free(header->pair_of);
  al_map_free(header->tensor_of);
  al_free(header->pairs);
  al_free(header->tensors);
  al_free(header);
}

static const struct pair *find(const struct al_gguf_header *header, const char *key)
{
  return al_map_get(header->pair_of, al_str(key));
}

bool al_gguf_header_has(const struct al_gguf_header *header, const char *key)
{
  return find(header, key) != nullptr;
}

bool al_gguf_header_str(const struct al_gguf_header *header, const char *key, struct al_str *out)
{
  const struct pair *pair = find(header, key);
  if (pair == nullptr || pair->kind != KIND_STRING)
    return false;
  *out = pair->value;
  return true;
}

bool al_gguf_header_u64(const struct al_gguf_header *header, const char *key, uint64_t *out)
{
  const struct pair *pair = find(header, key);
  if (pair == nullptr)
    return false;
  bool is_signed = pair->kind == KIND_I8 || pair->kind == KIND_I16 || pair->kind == KIND_I32 || pair->kind == KIND_I64;
  bool is_unsigned =
      pair->kind == KIND_U8 || pair->kind == KIND_U16 || pair->kind == KIND_U32 || pair->kind == KIND_U64;
  if (!is_signed && !is_unsigned)
    return false;
  if (is_signed && (pair->value.data[pair->value.size - 1] & 0x80) != 0)
    return false;
  *out = little(pair->value.data, pair->value.size);
  return true;
}

bool al_gguf_header_f64(const struct al_gguf_header *header, const char *key, double *out)
{
  const struct pair *pair = find(header, key);
  if (pair == nullptr || (pair->kind != KIND_F32 && pair->kind != KIND_F64))
    return false;
  uint64_t bits = little(pair->value.data, pair->value.size);
  if (pair->kind == KIND_F64) {
    memcpy(out, &bits, sizeof *out);
    return true;
  }
  uint32_t bits32 = (uint32_t)bits;
  float number;
  memcpy(&number, &bits32, sizeof number);
  *out = (double)number;
  return true;
}

bool al_gguf_header_bool(const struct al_gguf_header *header, const char *key, bool *out)
{
  const struct pair *pair = find(header, key);
  if (pair == nullptr || pair->kind != KIND_BOOL)
    return false;
  *out = pair->value.data[0] != 0;
  return true;
}

bool al_gguf_header_array_length(const struct al_gguf_header *header, const char *key, uint64_t *out)
{
  const struct pair *pair = find(header, key);
  if (pair == nullptr || pair->kind != KIND_ARRAY)
    return false;
  *out = pair->count;
  return true;
}

bool al_gguf_header_arch_u64(const struct al_gguf_header *header, const char *key, uint64_t *out)
{
  struct al_str arch;
  char full[256];
  if (!al_gguf_header_str(header, "general.architecture", &arch) || arch.size > 100)
    return false;
  int n = snprintf(full, sizeof full, "%.*s.%s", (int)arch.size, arch.data, key);
  return n > 0 && (size_t)n < sizeof full && al_gguf_header_u64(header, full, out);
}

uint32_t al_gguf_header_version(const struct al_gguf_header *header)
{
  return header->version;
}

size_t al_gguf_header_n_keys(const struct al_gguf_header *header)
{
  return header->n_pairs;
}

size_t al_gguf_header_n_tensors(const struct al_gguf_header *header)
{
  return header->n_tensors;
}

const struct al_gguf_tensor *al_gguf_header_tensor(const struct al_gguf_header *header, size_t index)
{
  return index < header->n_tensors ? &header->tensors[index] : nullptr;
}

const struct al_gguf_tensor *al_gguf_header_find_tensor(const struct al_gguf_header *header, const char *name)
{
  return al_map_get(header->tensor_of, al_str(name));
}

uint64_t al_gguf_header_n_parameters(const struct al_gguf_header *header)
{
  return header->n_parameters;
}

const char *al_gguf_header_main_type(const struct al_gguf_header *header)
{
  return header->main_type;
}
