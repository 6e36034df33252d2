#include "engine/safetensors/peft.h"

#include "base/alloc.h"
#include "base/map.h"
#include "engine/safetensors/family.h"
#include "engine/safetensors/hf_weights.h"
#include "engine/safetensors/peft_config.h"

#include <errno.h>
#include <ggml.h>
#include <gguf.h>
#include <math.h>
#include <stdckdint.h>
#include <stdlib.h>

constexpr size_t STREAM_BUFFER_BYTES = 64 << 10;
constexpr size_t MAX_TENSORS = 1 << 16;
constexpr char A_SUFFIX[] = ".lora_A.weight";
constexpr char B_SUFFIX[] = ".lora_B.weight";

/* One of A [rank, in] and B [out, rank]; shapes as in the file. */
struct half {
  struct al_hf_source source;
  float scale;       /* of B; 1 for A */
  int64_t pair_rows; /* B's rows change places as those of the model's matrix did; 0: they do not */
};

struct peft {
  struct al_peft_config config;
  struct al_hf_weights *weights;
  const struct al_hf_family *family;
  int64_t head_dim;
  struct half *halves; /* in the order of the GGUF's tensors */
  size_t n_halves;
  size_t capacity;
  struct ggml_context *shapes;
  struct gguf_context *gguf;
  uint8_t *metadata;
  size_t metadata_bytes;
  uint64_t size_bytes;
  uint64_t position;
  float *values; /* of the tensor made last */
  size_t made;   /* its number; SIZE_MAX: none */
  struct al_err failure;
};

static void peft_free(struct peft *p)
{
  if (p == nullptr)
    return;
  al_peft_config_done(&p->config);
  al_hf_weights_close(p->weights);
  al_free(p->halves);
  if (p->shapes != nullptr)
    ggml_free(p->shapes);
  gguf_free(p->gguf);
  al_free(p->metadata);
  al_free(p->values);
  al_free(p);
}
AL_DEFINE_CLEANUP(struct peft, peft_free)

/* "base_model.model.model.layers.0.self_attn.q_proj" is the module "model.layers.0.self_attn.q_proj". */
static struct al_str module_of(struct al_str name)
{
  static const char prefix[] = "base_model.model.";
  size_t skipped = al_str_starts(name, al_str(prefix)) ? sizeof prefix - 1 : 0;
  return al_str_n(name.data + skipped, name.size - skipped - (sizeof A_SUFFIX - 1));
}

/* The N of "...layers.N.rest", and where the rest begins; -1: the module is in no layer. */
static int64_t layer_of(struct al_str module, struct al_str *rest)
{
  static const char mark[] = "layers.";
  const char *at = memmem(module.data, module.size, mark, sizeof mark - 1);
  if (at == nullptr)
    return -1;
  size_t i = (size_t)(at - module.data) + sizeof mark - 1;
  size_t first = i;
  int64_t layer = 0;
  for (; i < module.size && module.data[i] >= '0' && module.data[i] <= '9' && layer < INT32_MAX; i++)
    layer = 10 * layer + (module.data[i] - '0');
  if (i == first || i >= module.size || module.data[i] != '.')
    return -1;
  *rest = al_str_n(module.data + i + 1, module.size - i - 1);
  return layer;
}

/* "self_attn.q_proj.weight" is the rule of the module "self_attn.q_proj". */
static bool is_rule_of(const struct al_tensor_rule *rule, struct al_str module)
{
  struct al_str source = al_str(rule->source);
  return source.size == module.size + sizeof ".weight" - 1 && al_str_starts(source, module) &&
         al_str_ends(source, al_str(".weight"));
}

static const struct al_tensor_rule *find_rule(const struct al_hf_family *family, struct al_str module, int64_t layer)
{
  const struct al_tensor_rule *rules = layer >= 0 ? family->layer_rules : family->model_rules;
  size_t n = layer >= 0 ? family->n_layer_rules : family->n_model_rules;
  for (size_t i = 0; i < n; i++)
    if (is_rule_of(&rules[i], module))
      return &rules[i];
  return nullptr;
}

static enum al_code target_of(const struct peft *p, struct al_str module, char target[GGML_MAX_NAME],
                              const struct al_tensor_rule **rule, struct al_err *err)
{
  constexpr unsigned plain = AL_RULE_OPTIONAL | AL_RULE_HEAD | AL_RULE_PAIR_ROWS | AL_RULE_ANY_LAYERS;
  struct al_str rest = module;
  int64_t layer = layer_of(module, &rest);
  *rule = find_rule(p->family, rest, layer);
  int shown = (int)al_min_size(module.size, 150);
  if (*rule == nullptr)
    return al_fail(err, AL_INVALID_REQUEST, "the adapter changes \"%.*s\", which a model of the kind %s does not have",
                   shown, module.data, p->family->architecture);
  bool has_axis = strcmp((*rule)->target, "token_embd.weight") != 0 && (*rule)->shape[1] != AL_SIZE_NONE;
  if (((*rule)->flags & ~plain) != 0 || !has_axis)
    return al_fail(err, AL_UNSUPPORTED, "the adapter changes \"%.*s\", which is kept in another form here", shown,
                   module.data);
  int n = layer >= 0 ? snprintf(target, GGML_MAX_NAME, "blk.%lld.%s", (long long)layer, (*rule)->target)
                     : snprintf(target, GGML_MAX_NAME, "%s", (*rule)->target);
  return n > 0 && n + (int)sizeof ".lora_a" <= GGML_MAX_NAME ? AL_OK
                                                             : al_fail(err, AL_INTERNAL, "a tensor's name is too long");
}

static enum al_code check_half(const struct peft *p, struct al_hf_source source, struct al_err *err)
{
  const struct al_st_tensor *t = source.tensor;
  const char *file = al_hf_weights_file_name(p->weights, source.file);
  int shown = (int)al_min_size(t->name.size, 200);
  if (t->dtype != AL_ST_F32 && t->dtype != AL_ST_F16 && t->dtype != AL_ST_BF16)
    return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" is of type %s; F32, F16 and BF16 are supported", file,
                   shown, t->name.data, al_st_dtype_name(t->dtype));
  if (t->n_dims != 2 || t->shape[0] == 0 || t->shape[1] == 0 || t->shape[0] > INT32_MAX || t->shape[1] > INT32_MAX)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%.*s\" is no matrix", file, shown, t->name.data);
  return AL_OK;
}

static enum al_code add_half(struct peft *p, const struct half *half, const char *target, const char *suffix,
                             struct al_err *err)
{
  void *array = p->halves;
  AL_TRY(al_grow(&array, &p->capacity, p->n_halves + 1, sizeof *p->halves, err));
  p->halves = array;
  p->halves[p->n_halves++] = *half;
  const struct al_st_tensor *t = half->source.tensor;
  struct ggml_tensor *shape = ggml_new_tensor_2d(p->shapes, GGML_TYPE_F32, (int64_t)t->shape[1], (int64_t)t->shape[0]);
  char name[GGML_MAX_NAME + 8];
  (void)snprintf(name, sizeof name, "%s%s", target, suffix);
  if (gguf_find_tensor(p->gguf, name) >= 0)
    return al_fail(err, AL_MODEL_CORRUPT, "the adapter changes %s twice", target);
  (void)ggml_set_name(shape, name);
  gguf_add_tensor(p->gguf, shape);
  return AL_OK;
}

/* a: the tensor "<module>.lora_A.weight". */
static enum al_code add_module(struct peft *p, struct al_hf_source a, struct al_err *err)
{
  char name[512];
  struct al_str text = a.tensor->name;
  if (text.size >= sizeof name)
    return al_fail(err, AL_MODEL_CORRUPT, "a tensor's name is too long");
  (void)snprintf(name, sizeof name, "%.*s%s", (int)(text.size - (sizeof A_SUFFIX - 1)), text.data, B_SUFFIX);
  struct al_hf_source b = al_hf_weights_find(p->weights, name);
  if (b.tensor == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.200s\" is missing", name);
  AL_TRY(check_half(p, a, err));
  AL_TRY(check_half(p, b, err));
  if (a.tensor->shape[0] != b.tensor->shape[1])
    return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.200s\" has the rank %llu, its lora_A %llu", name,
                   (unsigned long long)b.tensor->shape[1], (unsigned long long)a.tensor->shape[0]);
  struct al_str module = module_of(text);
  char target[GGML_MAX_NAME];
  const struct al_tensor_rule *rule = nullptr;
  AL_TRY(target_of(p, module, target, &rule, err));
  bool paired = (rule->flags & AL_RULE_PAIR_ROWS) != 0;
  if (paired && (p->head_dim <= 0 || b.tensor->shape[0] % (uint64_t)p->head_dim != 0))
    return al_fail(err, AL_INVALID_REQUEST, "tensor \"%.200s\" has %llu rows, the model's heads have %lld each", name,
                   (unsigned long long)b.tensor->shape[0], (long long)p->head_dim);
  double scale = al_peft_config_scale(&p->config, module, (int64_t)a.tensor->shape[0]);
  struct half first = { .source = a, .scale = 1.0F };
  struct half second = { .source = b, .scale = (float)scale, .pair_rows = paired ? p->head_dim : 0 };
  AL_TRY(add_half(p, &first, target, ".lora_a", err));
  return add_half(p, &second, target, ".lora_b", err);
}

static enum al_code add_all(struct peft *p, struct al_err *err)
{
  for (size_t file = 0; file < al_hf_weights_n_files(p->weights); file++) {
    const struct al_st_header *header = al_hf_weights_header(p->weights, file);
    size_t n = al_st_header_n_tensors(header);
    for (size_t i = 0; i < n; i++) {
      const struct al_st_tensor *t = al_st_header_tensor(header, i);
      if (al_str_ends(t->name, al_str(A_SUFFIX)))
        AL_TRY(add_module(p, (struct al_hf_source){ t, file }, err));
      else if (!al_str_ends(t->name, al_str(B_SUFFIX)))
        return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" is no part of a low-rank update of a matrix",
                       al_hf_weights_file_name(p->weights, file), (int)al_min_size(t->name.size, 200), t->name.data);
    }
  }
  size_t n_tensors = 0;
  for (size_t file = 0; file < al_hf_weights_n_files(p->weights); file++)
    n_tensors += al_st_header_n_tensors(al_hf_weights_header(p->weights, file));
  if (p->n_halves == 0 || p->n_halves != n_tensors)
    return al_fail(err, AL_MODEL_CORRUPT, "the adapter has %s", p->n_halves == 0 ? "no tensors" : "a B without an A");
  return AL_OK;
}

static enum al_code count_tensors(const struct peft *p, size_t *count, struct al_err *err)
{
  *count = 0;
  for (size_t file = 0; file < al_hf_weights_n_files(p->weights); file++)
    *count += al_st_header_n_tensors(al_hf_weights_header(p->weights, file));
  return *count <= MAX_TENSORS ? AL_OK : al_fail(err, AL_MODEL_CORRUPT, "the adapter has %zu tensors", *count);
}

static enum al_code serialise(struct peft *p, struct al_err *err)
{
  p->metadata_bytes = gguf_get_meta_size(p->gguf);
  p->metadata = al_alloc(p->metadata_bytes);
  if (p->metadata == nullptr)
    return al_fail_oom(err, p->metadata_bytes);
  gguf_get_meta_data(p->gguf, p->metadata);
  int64_t last = gguf_get_n_tensors(p->gguf) - 1;
  p->size_bytes = p->metadata_bytes + gguf_get_tensor_offset(p->gguf, last) + gguf_get_tensor_size(p->gguf, last);
  return AL_OK;
}

static int64_t head_dim_of(const struct llama_model *model, const char *architecture)
{
  char key[128];
  char text[32];
  (void)snprintf(key, sizeof key, "%s.attention.key_length", architecture);
  if (llama_model_meta_val_str(model, key, text, sizeof text) > 0)
    return strtoll(text, nullptr, 10);
  int32_t n_head = llama_model_n_head(model);
  return n_head > 0 ? llama_model_n_embd(model) / n_head : 0;
}

static enum al_code build(struct peft *p, const struct llama_model *model, const char *directory, struct al_err *err)
{
  char architecture[64] = "";
  (void)llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture);
  p->head_dim = head_dim_of(model, architecture);
  AL_TRY(al_peft_config_load(directory, &p->config, err));
  AL_TRY(al_hf_weights_open(directory, &p->weights, err));
  size_t count = 0;
  AL_TRY(count_tensors(p, &count, err));
  struct ggml_init_params params = { .mem_size = ggml_tensor_overhead() * (count + 1), .no_alloc = true };
  p->shapes = ggml_init(params);
  p->gguf = gguf_init_empty();
  if (p->shapes == nullptr || p->gguf == nullptr)
    return al_fail_oom(err, params.mem_size);
  gguf_set_val_str(p->gguf, "general.architecture", architecture);
  gguf_set_val_str(p->gguf, "general.type", "adapter");
  gguf_set_val_str(p->gguf, "adapter.type", "lora");
  gguf_set_val_f32(p->gguf, "adapter.lora.alpha", 0.0F); /* 0: B x A as it is */
  AL_TRY(add_all(p, err));
  return serialise(p, err);
}

static void to_f32(enum al_st_dtype dtype, const uint8_t *raw, float *values, int64_t n)
{
  if (dtype == AL_ST_F16)
    ggml_fp16_to_fp32_row((const ggml_fp16_t *)(const void *)raw, values, n);
  else if (dtype == AL_ST_BF16)
    ggml_bf16_to_fp32_row((const ggml_bf16_t *)(const void *)raw, values, n);
  else
    memcpy(values, raw, (size_t)n * sizeof *values);
}

/* Row 2j+p of a head comes from its row p*half+j. */
static int64_t source_row(int64_t row, int64_t head)
{
  int64_t within = head > 0 ? row % head : 0;
  return head > 0 ? row - within + (within % 2) * (head / 2) + within / 2 : row;
}

static enum al_code fill(const struct half *half, const float *read, float *values, struct al_err *err)
{
  const struct al_st_tensor *t = half->source.tensor;
  int64_t n_cols = (int64_t)t->shape[1];
  for (int64_t row = 0; row < (int64_t)t->shape[0]; row++) {
    const float *from = read + source_row(row, half->pair_rows) * n_cols;
    for (int64_t i = 0; i < n_cols; i++) {
      if (!isfinite(from[i]))
        return al_fail(err, AL_MODEL_CORRUPT, "tensor \"%.*s\" holds what is no number",
                       (int)al_min_size(t->name.size, 200), t->name.data);
      values[row * n_cols + i] = from[i] * half->scale;
    }
  }
  return AL_OK;
}

static enum al_code make_values(struct peft *p, size_t number, struct al_err *err)
{
  const struct half *half = &p->halves[number];
  const struct al_st_tensor *t = half->source.tensor;
  AL_CLEANUP(al_free_p) uint8_t *raw = al_alloc(t->size_bytes);
  AL_CLEANUP(al_free_p) float *read = al_calloc(t->n_elements, sizeof *read);
  al_free(p->values);
  p->made = SIZE_MAX;
  p->values = al_calloc(t->n_elements, sizeof *p->values);
  if (raw == nullptr || read == nullptr || p->values == nullptr)
    return al_fail_oom(err, t->n_elements * sizeof *read);
  AL_TRY(al_hf_weights_read(p->weights, half->source, 0, raw, t->size_bytes, err));
  to_f32(t->dtype, raw, read, (int64_t)t->n_elements);
  AL_TRY(fill(half, read, p->values, err));
  p->made = number;
  return AL_OK;
}

/* One piece: of the metadata, of a tensor, or of the padding behind one. */
static enum al_code read_piece(struct peft *p, uint8_t *bytes, size_t size, size_t *n_read, struct al_err *err)
{
  if (p->position < p->metadata_bytes) {
    *n_read = al_min_size(size, p->metadata_bytes - (size_t)p->position);
    memcpy(bytes, p->metadata + p->position, *n_read);
    return AL_OK;
  }
  uint64_t offset = p->position - p->metadata_bytes;
  size_t i = p->n_halves - 1;
  while (i > 0 && gguf_get_tensor_offset(p->gguf, (int64_t)i) > offset)
    i--;
  uint64_t within = offset - gguf_get_tensor_offset(p->gguf, (int64_t)i);
  size_t tensor_bytes = gguf_get_tensor_size(p->gguf, (int64_t)i);
  if (within >= tensor_bytes) {
    *n_read = 1;
    bytes[0] = 0;
    return AL_OK;
  }
  if (p->made != i)
    AL_TRY(make_values(p, i, err));
  *n_read = al_min_size(size, tensor_bytes - (size_t)within);
  memcpy(bytes, (const uint8_t *)p->values + within, *n_read);
  return AL_OK;
}

static ssize_t stream_read(void *cookie, char *bytes, size_t size)
{
  struct peft *p = cookie;
  size_t done = 0;
  while (done < size && p->position < p->size_bytes) {
    size_t part = 0;
    if (read_piece(p, (uint8_t *)bytes + done, size - done, &part, &p->failure) != AL_OK) {
      errno = EIO;
      return -1;
    }
    p->position += part;
    done += part;
  }
  return (ssize_t)done;
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
  struct peft *p = cookie;
  int64_t base = 0;
  if (whence == SEEK_CUR)
    base = (int64_t)p->position;
  else if (whence == SEEK_END)
    base = (int64_t)p->size_bytes;
  int64_t position;
  if (ckd_add(&position, base, *offset) || position < 0) {
    errno = EINVAL;
    return -1;
  }
  p->position = (uint64_t)position;
  *offset = position;
  return 0;
}

static void stream_done(struct al_llama_adapter_stream *stream)
{
  (void)fclose(stream->file);
  peft_free(stream->owner);
  *stream = (struct al_llama_adapter_stream){};
}

enum al_code al_peft_open(const struct llama_model *model, const void *names, const char *directory,
                          struct al_llama_adapter_stream *stream, struct al_err *err)
{
  AL_CLEANUP(peft_free_p) struct peft *p = al_calloc(1, sizeof *p);
  if (p == nullptr)
    return al_fail_oom(err, sizeof *p);
  p->made = SIZE_MAX;
  p->family = names;
  AL_TRY(build(p, model, directory, err));
  cookie_io_functions_t functions = { .read = stream_read, .seek = stream_seek };
  FILE *file = fopencookie(p, "rb", functions);
  if (file == nullptr)
    return al_fail_oom(err, STREAM_BUFFER_BYTES);
  (void)setvbuf(file, nullptr, _IOFBF, STREAM_BUFFER_BYTES);
  *stream = (struct al_llama_adapter_stream){ file, p, stream_done, &p->failure };
  p = nullptr;
  return AL_OK;
}
