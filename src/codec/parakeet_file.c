#include "codec/parakeet_file.h"

#include "base/alloc.h"
#include "base/map.h"

constexpr uint32_t MAX_TOKEN_BYTES = 1024;
constexpr int32_t MAX_DURATION = 64; /* frames: 5 s; NVIDIA's are 0 to 4 */
constexpr uint32_t N_SIZES = sizeof(struct al_parakeet_sizes) / sizeof(int32_t);

static enum al_code check_sizes(struct al_ggml_cursor *c, struct al_parakeet_file *file, struct al_err *err)
{
  uint8_t magic[4] = {}, numbers[N_SIZES * sizeof(int32_t)] = {};
  AL_TRY(al_ggml_take(c, magic, sizeof magic, "its first number", err));
  if (al_ggml_u32_at(magic, 0) != AL_GGML_MAGIC)
    return al_fail(err, AL_MODEL_CORRUPT, "it is no file of whisper.cpp: its first bytes are others");
  AL_TRY(al_ggml_take(c, numbers, sizeof numbers, "its sizes", err));
  struct al_parakeet_sizes *s = &file->sizes;
  int32_t *sizes[] = {
    &s->n_vocab,       &s->n_audio_ctx, &s->n_audio_state, &s->n_audio_head,       &s->n_audio_layer,
    &s->n_mels,        &s->ftype,       &s->n_fft,         &s->subsampling_factor, &s->n_subsampling_channels,
    &s->n_conv_kernel, &s->n_pred_dim,  &s->n_pred_layers, &s->n_tdt_durations,    &s->n_max_tokens
  };
  static_assert(AL_COUNT(sizes) == N_SIZES);
  for (size_t i = 0; i < N_SIZES; i++)
    *sizes[i] = (int32_t)al_ggml_u32_at(numbers, i);
  return al_parakeet_sizes_check(s, err);
}

/* The filters and the window, which may be shorter than the transform, in whose middle it then stands. */
static enum al_code check_hearing(struct al_ggml_cursor *c, const struct al_parakeet_sizes *s, struct al_err *err)
{
  int32_t n_mels = 0, n_bins = 0, n_window = 0;
  AL_TRY(al_ggml_take_i32(c, &n_mels, "the mel filters", err));
  AL_TRY(al_ggml_take_i32(c, &n_bins, "the mel filters", err));
  if (n_mels != s->n_mels || n_bins != s->n_fft / 2 + 1)
    return al_fail(err, AL_MODEL_CORRUPT, "mel filters of %d by %d, where %d by %d are due", n_mels, n_bins, s->n_mels,
                   s->n_fft / 2 + 1);
  AL_TRY(al_ggml_skip(c, (uint64_t)n_mels * (uint64_t)n_bins * sizeof(float), "the mel filters", err));
  AL_TRY(al_ggml_take_i32(c, &n_window, "the window", err));
  if (n_window < 1 || n_window > s->n_fft)
    return al_fail(err, AL_MODEL_CORRUPT, "a window of %d samples for a transform of %d", n_window, s->n_fft);
  return al_ggml_skip(c, (uint64_t)n_window * sizeof(float), "the window", err);
}

/* libparakeet adds them to where it is in the audio. */
static enum al_code check_durations(struct al_ggml_cursor *c, const struct al_parakeet_sizes *s, struct al_err *err)
{
  for (int32_t i = 0; i < s->n_tdt_durations; i++) {
    int32_t duration = 0;
    AL_TRY(al_ggml_take_i32(c, &duration, "the durations", err));
    if (duration < 0 || duration > MAX_DURATION)
      return al_fail(err, AL_MODEL_CORRUPT, "duration %d is %d frames", i, duration);
  }
  return AL_OK;
}

/* The token behind the last is "nothing": libparakeet counts it from the list, the network from the sizes. */
static enum al_code check_vocabulary(struct al_ggml_cursor *c, struct al_parakeet_file *file, struct al_err *err)
{
  int32_t n_tokens = 0;
  AL_TRY(al_ggml_take_i32(c, &n_tokens, "the vocabulary", err));
  if (n_tokens != file->sizes.n_vocab)
    return al_fail(err, AL_MODEL_CORRUPT, "%d tokens in a vocabulary of %d", n_tokens, file->sizes.n_vocab);
  for (int32_t i = 0; i < n_tokens; i++) {
    int32_t size = 0;
    AL_TRY(al_ggml_take_i32(c, &size, "the vocabulary", err));
    if (size < 0 || (uint32_t)size > MAX_TOKEN_BYTES)
      return al_fail(err, AL_MODEL_CORRUPT, "token %d is %u bytes long", i, (uint32_t)size);
    AL_TRY(al_ggml_skip(c, (uint64_t)size, "the vocabulary", err));
  }
  file->tensors_at = c->at;
  return AL_OK;
}

static enum al_code check_tensor(const struct al_parakeet_tensor *due, const int32_t *ne, int32_t type,
                                 struct al_err *err)
{
  constexpr int32_t i32 = 26; /* ggml.h: GGML_TYPE_I32 */
  for (int i = 0; i < 4; i++)
    if (ne[i] != due->ne[i])
      return al_fail(err, AL_MODEL_CORRUPT, "%s has the shape [%d, %d, %d, %d], not [%lld, %lld, %lld, %lld]",
                     due->name, ne[0], ne[1], ne[2], ne[3], (long long)due->ne[0], (long long)due->ne[1],
                     (long long)due->ne[2], (long long)due->ne[3]);
  if (type != due->type->type && !(due->is_count && type == i32))
    return al_fail(err, AL_MODEL_CORRUPT, "%s is of type number %d where %s is due", due->name, type, due->type->name);
  return AL_OK;
}

/* Names that are due; the value is the tensor's index and one. Those met are taken out. */
static enum al_code list_names(const struct al_parakeet_sizes *sizes, struct al_map *due, struct al_err *err)
{
  for (size_t i = 0; i < al_parakeet_n_tensors(sizes); i++) {
    struct al_parakeet_tensor tensor;
    al_parakeet_tensor_at(sizes, i, &tensor);
    AL_TRY(al_map_set(due, al_str(tensor.name), (void *)(uintptr_t)(i + 1), err));
  }
  return AL_OK;
}

static enum al_code take_tensor(struct al_ggml_cursor *c, const struct al_parakeet_file *file, struct al_map *due,
                                struct al_err *err)
{
  static const char what[] = "the weights";
  int32_t n_dims = 0, name_size = 0, type = 0;
  int32_t ne[4] = { 1, 1, 1, 1 };
  char name[64];
  AL_TRY(al_ggml_take_i32(c, &n_dims, what, err));
  AL_TRY(al_ggml_take_i32(c, &name_size, what, err));
  AL_TRY(al_ggml_take_i32(c, &type, what, err));
  if (n_dims < 0 || n_dims > 4 || name_size < 1 || (size_t)name_size > sizeof name)
    return al_fail(err, AL_MODEL_CORRUPT, "at byte %llu no tensor begins", (unsigned long long)c->at);
  for (int i = 0; i < n_dims; i++)
    AL_TRY(al_ggml_take_i32(c, &ne[i], what, err));
  AL_TRY(al_ggml_take(c, name, (size_t)name_size, what, err));
  void *found = al_map_remove(due, al_str_n(name, (size_t)name_size));
  if (found == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "a tensor at byte %llu has no place in the model, or stands there twice",
                   (unsigned long long)c->at);
  struct al_parakeet_tensor tensor;
  al_parakeet_tensor_at(&file->sizes, (size_t)(uintptr_t)found - 1, &tensor);
  AL_TRY(check_tensor(&tensor, ne, type, err));
  return al_ggml_skip(c, tensor.size_bytes, tensor.name, err);
}

static enum al_code check_tensors(struct al_ggml_cursor *c, const struct al_parakeet_file *file, struct al_err *err)
{
  AL_CLEANUP(al_map_free_p) struct al_map *due = al_map_new(al_parakeet_n_tensors(&file->sizes));
  if (due == nullptr)
    return al_fail_oom(err, 0);
  AL_TRY(list_names(&file->sizes, due, err));
  while (al_ggml_left(c) > 0)
    AL_TRY(take_tensor(c, file, due, err));
  size_t at = 0;
  struct al_str name;
  void *value;
  if (al_map_next(due, &at, &name, &value))
    return al_fail(err, AL_MODEL_CORRUPT, "%zu tensors are missing, %.*s among them", al_map_count(due), (int)name.size,
                   name.data);
  return AL_OK;
}

enum al_code al_parakeet_file_check(const struct al_ggml_reader *reader, struct al_parakeet_file *file,
                                    struct al_err *err)
{
  AL_CLEANUP(al_free_p) uint8_t *buffer = al_alloc(AL_GGML_BUFFER_BYTES);
  if (buffer == nullptr)
    return al_fail_oom(err, AL_GGML_BUFFER_BYTES);
  struct al_ggml_cursor cursor = { .reader = reader, .buffer = buffer };
  struct al_parakeet_file result = {};
  AL_TRY(check_sizes(&cursor, &result, err));
  AL_TRY(check_hearing(&cursor, &result.sizes, err));
  AL_TRY(check_durations(&cursor, &result.sizes, err));
  AL_TRY(check_vocabulary(&cursor, &result, err));
  AL_TRY(check_tensors(&cursor, &result, err));
  *file = result;
  return AL_OK;
}
