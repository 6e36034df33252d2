#include "engine/diffusion/weights.h"

#include "base/alloc.h"
#include "engine/diffusion/weight_copy.h"
#include "engine/safetensors/weight_types.h"

#include <assert.h>
#include <ggml-alloc.h>
#include <stdio.h>

constexpr size_t MAX_WANTS = 8192;

struct al_sd_weights {
  const struct al_sd_files *files; /* borrowed */
  struct al_sd_naming naming;
  struct al_weight_wish wish;
  struct al_sd_copy *wants; /* with their slots */
  size_t n_wants, capacity;
  struct al_err failure; /* the first */
  struct ggml_context *context;
  ggml_backend_buffer_t buffer;
  ggml_backend_buffer_t empty; /* while they only pretend to be loaded */
};

enum al_code al_sd_weights_new(const struct al_sd_files *files, const struct al_sd_naming *naming, const char *quant,
                               struct al_sd_weights **weights, struct al_err *err)
{
  struct al_weight_wish wish;
  AL_TRY(al_weight_wish(quant, &wish, err));
  struct al_sd_weights *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->files = files;
  made->naming = *naming;
  made->wish = wish;
  *weights = made;
  return AL_OK;
}

void al_sd_weights_free(struct al_sd_weights *weights)
{
  if (weights == nullptr)
    return;
  ggml_backend_buffer_free(weights->buffer);
  ggml_backend_buffer_free(weights->empty);
  ggml_free(weights->context);
  al_free(weights->wants);
  al_free(weights);
}

struct al_sd_scope al_sd_scope(struct al_sd_weights *weights, enum al_sd_part part)
{
  return (struct al_sd_scope){ .weights = weights, .part = part };
}

struct al_sd_scope al_sd_scope_in(const struct al_sd_scope *scope, const char *format, ...)
{
  struct al_sd_scope inner = *scope;
  size_t length = strlen(inner.path);
  va_list args;
  va_start(args, format);
  (void)vsnprintf(inner.path + length, sizeof inner.path - length, format, args);
  va_end(args);
  length = strlen(inner.path);
  if (length + 1 < sizeof inner.path) {
    inner.path[length] = '.';
    inner.path[length + 1] = '\0';
  }
  return inner;
}

static void shape_text(const int64_t *shape, int n_dims, char *text, size_t size)
{
  size_t at = 0;
  text[0] = '\0';
  for (int i = 0; i < n_dims && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, "[%lld]", (long long)shape[i]);
}

/* What the shape in the file must be: for a third of a tensor three times as high, for a transposed one turned. */
static bool shape_fits(const struct al_sd_copy *want, int64_t expected[4])
{
  for (int i = 0; i < 4; i++)
    expected[i] = i < want->n_dims ? want->shape[i] : 1;
  if (want->third >= 0)
    expected[0] *= 3;
  if (want->transposed) {
    int64_t first = expected[0];
    expected[0] = expected[1];
    expected[1] = first;
  }
  bool rank = want->stored.n_dims == want->n_dims ||
              (want->use == AL_SD_LINEAR && want->n_dims == 2 && want->stored.n_dims == 4);
  return rank && memcmp(expected, want->stored.shape, 4 * sizeof *expected) == 0;
}

static enum al_code find(struct al_sd_weights *weights, struct al_sd_copy *want, const char *name, struct al_err *err)
{
  struct al_sd_alias alias;
  char first[AL_SD_NAME_BYTES] = "";
  for (size_t at = 0; al_sd_alias(&weights->naming, want->part, name, at, &alias); at++) {
    if (at == 0)
      memcpy(first, alias.name, sizeof first);
    if (!al_sd_files_find(weights->files, want->part, alias.name, &want->stored))
      continue;
    want->third = alias.third;
    want->transposed = alias.transposed;
    int64_t expected[4];
    if (shape_fits(want, expected))
      return AL_OK;
    char wanted[100], found[100];
    shape_text(expected, want->n_dims, wanted, sizeof wanted);
    shape_text(want->stored.shape, want->stored.n_dims, found, sizeof found);
    return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%s\" has the shape %s instead of %s",
                   al_sd_files_name(weights->files, want->stored.file), alias.name, found, wanted);
  }
  return al_fail(err, AL_MODEL_CORRUPT, "the model has no tensor \"%s\" of a type that can be read (%s)",
                 first[0] != '\0' ? first : name, al_sd_part_folder(want->part));
}

/* The type in memory. */
static enum ggml_type choose(const struct al_sd_weights *weights, const struct al_sd_copy *want, bool exact)
{
  enum ggml_type stored = want->stored.type;
  bool keeps = weights->wish.keeps;
  if (want->use == AL_SD_VECTOR)
    return GGML_TYPE_F32;
  if (want->use == AL_SD_CONV) {
    bool full = keeps ? stored == GGML_TYPE_F32 : weights->wish.type == GGML_TYPE_F32;
    return full || exact ? GGML_TYPE_F32 : GGML_TYPE_F16;
  }
  int64_t n_cols = want->shape[want->n_dims - 1];
  if (keeps && ggml_is_quantized(stored) && (want->third >= 0 || want->transposed))
    return GGML_TYPE_F16;
  if (want->use == AL_SD_ROWS) /* a device must be able to look rows up */
    return keeps ? (stored == GGML_TYPE_F32 ? GGML_TYPE_F32 : GGML_TYPE_F16)
                 : (weights->wish.type == GGML_TYPE_F32 ? GGML_TYPE_F32 : GGML_TYPE_F16);
  return al_weight_choose(&weights->wish, stored, n_cols, false);
}

static void want(const struct al_sd_scope *scope, struct al_sd_copy wish, const char *leaf)
{
  struct al_sd_weights *weights = scope->weights;
  if (weights->failure.code != AL_OK)
    return;
  char name[AL_SD_NAME_BYTES];
  (void)snprintf(name, sizeof name, "%s%s", scope->path, leaf);
  wish.part = scope->part;
  if (find(weights, &wish, name, &weights->failure) != AL_OK)
    return;
  wish.type = choose(weights, &wish, scope->exact);
  if (weights->n_wants == MAX_WANTS) {
    (void)al_fail(&weights->failure, AL_UNSUPPORTED, "a model of more than %zu tensors", MAX_WANTS);
    return;
  }
  if (al_grow((void **)&weights->wants, &weights->capacity, weights->n_wants + 1, sizeof wish, &weights->failure) ==
      AL_OK)
    weights->wants[weights->n_wants++] = wish;
}

void al_sd_want_linear(const struct al_sd_scope *scope, struct al_sd_linear *linear, int n_in, int n_out, bool biased)
{
  want(scope,
       (struct al_sd_copy){ .slot = &linear->weight, .use = AL_SD_LINEAR, .n_dims = 2, .shape = { n_out, n_in } },
       "weight");
  if (biased)
    want(scope, (struct al_sd_copy){ .slot = &linear->bias, .use = AL_SD_VECTOR, .n_dims = 1, .shape = { n_out } },
         "bias");
}

void al_sd_want_conv(const struct al_sd_scope *scope, struct al_sd_linear *conv, int n_in, int n_out, int kernel)
{
  want(scope,
       (struct al_sd_copy){
           .slot = &conv->weight, .use = AL_SD_CONV, .n_dims = 4, .shape = { n_out, n_in, kernel, kernel } },
       "weight");
  want(scope, (struct al_sd_copy){ .slot = &conv->bias, .use = AL_SD_VECTOR, .n_dims = 1, .shape = { n_out } }, "bias");
}

void al_sd_want_norm(const struct al_sd_scope *scope, struct al_sd_norm *norm, int width)
{
  want(scope, (struct al_sd_copy){ .slot = &norm->weight, .use = AL_SD_VECTOR, .n_dims = 1, .shape = { width } },
       "weight");
  want(scope, (struct al_sd_copy){ .slot = &norm->bias, .use = AL_SD_VECTOR, .n_dims = 1, .shape = { width } }, "bias");
}

void al_sd_want_rows(const struct al_sd_scope *scope, struct ggml_tensor **slot, int width, int n_rows)
{
  want(scope, (struct al_sd_copy){ .slot = slot, .use = AL_SD_ROWS, .n_dims = 2, .shape = { n_rows, width } },
       "weight");
}

enum al_code al_sd_weights_check(const struct al_sd_weights *weights, struct al_err *err)
{
  if (weights->failure.code != AL_OK && err != nullptr)
    *err = weights->failure;
  return weights->failure.code;
}

size_t al_sd_weights_count(const struct al_sd_weights *weights)
{
  return weights->n_wants;
}

/* The tensors without their data; the slots point to them from here on. */
static enum al_code make_tensors(struct al_sd_weights *weights, struct al_err *err)
{
  if (weights->context != nullptr)
    return AL_OK;
  struct ggml_init_params params = { .mem_size = (weights->n_wants + 1) * ggml_tensor_overhead(), .no_alloc = true };
  weights->context = ggml_init(params);
  if (weights->context == nullptr)
    return al_fail_oom(err, params.mem_size);
  for (size_t i = 0; i < weights->n_wants; i++) {
    const struct al_sd_copy *wish = &weights->wants[i];
    int64_t ne[4] = { 1, 1, 1, 1 };
    for (int d = 0; d < wish->n_dims; d++)
      ne[wish->n_dims - 1 - d] = wish->shape[d];
    *wish->slot = ggml_new_tensor(weights->context, wish->type, wish->n_dims, ne);
  }
  return AL_OK;
}

uint64_t al_sd_weights_size_bytes(struct al_sd_weights *weights, ggml_backend_buffer_type_t type)
{
  if (make_tensors(weights, nullptr) != AL_OK)
    return UINT64_MAX;
  return ggml_backend_alloc_ctx_tensors_from_buft_size(weights->context, type);
}

uint64_t al_sd_weights_held_bytes(const struct al_sd_weights *weights)
{
  return weights->buffer != nullptr ? ggml_backend_buffer_get_size(weights->buffer) : 0;
}

static void stand_on(struct al_sd_weights *weights, ggml_backend_buffer_t buffer)
{
  for (size_t i = 0; i < weights->n_wants; i++)
    (*weights->wants[i].slot)->buffer = buffer;
}

enum al_code al_sd_weights_pretend(struct al_sd_weights *weights, ggml_backend_buffer_type_t type, struct al_err *err)
{
  if (weights->buffer != nullptr)
    return AL_OK;
  AL_TRY(make_tensors(weights, err));
  if (weights->empty == nullptr)
    weights->empty = ggml_backend_buft_alloc_buffer(type, 0);
  if (weights->empty == nullptr)
    return al_fail_oom(err, 0);
  ggml_backend_buffer_set_usage(weights->empty, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  stand_on(weights, weights->empty);
  return AL_OK;
}

enum al_code al_sd_weights_load(struct al_sd_weights *weights, ggml_backend_buffer_type_t type,
                                al_sd_progress_fn *progress, void *user, struct al_err *err)
{
  assert(weights->buffer == nullptr); /* once */
  AL_TRY(al_sd_weights_check(weights, err));
  AL_TRY(make_tensors(weights, err));
  stand_on(weights, nullptr);
  weights->buffer = ggml_backend_alloc_ctx_tensors_from_buft(weights->context, type);
  if (weights->buffer == nullptr) {
    bool is_host = ggml_backend_buft_is_host(type);
    return al_fail(err, is_host ? AL_OOM_RAM : AL_OOM_VRAM, "no %.1f MB for the weights on %s",
                   (double)al_sd_weights_size_bytes(weights, type) / 1e6, ggml_backend_buft_name(type));
  }
  ggml_backend_buffer_set_usage(weights->buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  for (size_t i = 0; i < weights->n_wants; i++) {
    AL_TRY(al_sd_copy_run(weights->files, &weights->wants[i], err));
    if (progress != nullptr && !progress(user, (float)(i + 1) / (float)weights->n_wants))
      return al_fail(err, AL_CANCELLED, "the load was stopped");
  }
  return AL_OK;
}
