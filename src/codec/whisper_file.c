#include "codec/whisper_file.h"

#include "base/alloc.h"
#include "base/map.h"

#include <stdckdint.h>

constexpr uint32_t MAX_TOKEN_BYTES = 4096;
constexpr size_t N_HEAD_NUMBERS = AL_GGML_HEAD_BYTES / sizeof(uint32_t);
constexpr uint32_t N_SIZES = sizeof(struct al_whisper_sizes) / sizeof(int32_t);

/* The fifteen numbers of Parakeet begin like Whisper's eleven, but its bands and the length of its Fourier transform
 * stand where Whisper has the text context and the heads of the decoder. */
static bool is_parakeet(const uint32_t *h)
{
  bool bands = h[6] == 64 || h[6] == 80 || h[6] == 128;
  return bands && h[8] >= 256 && h[8] <= 4096 && h[9] >= 1 && h[9] <= 64;
}

static bool is_whisper(const uint32_t *h)
{
  return h[1] >= 1000 && h[1] < 1U << 24 && h[2] > 0 && h[3] > 0 && h[3] < 1U << 20 && h[10] > 0 && h[10] <= 4096;
}

enum al_ggml_kind al_ggml_kind_of(struct al_str head)
{
  uint32_t h[N_HEAD_NUMBERS] = {};
  if (head.size < sizeof(uint32_t) || al_ggml_u32_at(head.data, 0) != AL_GGML_MAGIC)
    return AL_GGML_FOREIGN;
  for (size_t i = 0; i < N_HEAD_NUMBERS && (i + 1) * sizeof(uint32_t) <= head.size; i++)
    h[i] = al_ggml_u32_at(head.data, i);
  if (h[1] > 0 && h[1] < 64 && head.size >= 14 && memcmp(head.data + 8, "silero", 6) == 0)
    return AL_GGML_VAD;
  if (is_parakeet(h))
    return AL_GGML_PARAKEET;
  return is_whisper(h) ? AL_GGML_WHISPER : AL_GGML_OTHER;
}

static enum al_code check_sizes(struct al_ggml_cursor *c, struct al_whisper_file *file, struct al_err *err)
{
  uint8_t magic[4] = {}, numbers[N_SIZES * sizeof(int32_t)] = {};
  AL_TRY(al_ggml_take(c, magic, sizeof magic, "its first number", err));
  if (al_ggml_u32_at(magic, 0) != AL_GGML_MAGIC)
    return al_fail(err, AL_MODEL_CORRUPT, "it is no file of whisper.cpp: its first bytes are others");
  AL_TRY(al_ggml_take(c, numbers, sizeof numbers, "its sizes", err));
  int32_t *sizes[] = { &file->sizes.n_vocab,      &file->sizes.n_audio_ctx,   &file->sizes.n_audio_state,
                       &file->sizes.n_audio_head, &file->sizes.n_audio_layer, &file->sizes.n_text_ctx,
                       &file->sizes.n_text_state, &file->sizes.n_text_head,   &file->sizes.n_text_layer,
                       &file->sizes.n_mels,       &file->sizes.ftype };
  static_assert(AL_COUNT(sizes) == N_SIZES);
  for (size_t i = 0; i < N_SIZES; i++)
    *sizes[i] = (int32_t)al_ggml_u32_at(numbers, i);
  return al_whisper_sizes_check(&file->sizes, err);
}

static enum al_code check_filters(struct al_ggml_cursor *c, const struct al_whisper_file *file, struct al_err *err)
{
  int32_t n_mels = 0, n_bins = 0;
  AL_TRY(al_ggml_take_i32(c, &n_mels, "the mel filters", err));
  AL_TRY(al_ggml_take_i32(c, &n_bins, "the mel filters", err));
  if (n_mels != file->sizes.n_mels || n_bins != AL_WHISPER_N_BINS)
    return al_fail(err, AL_MODEL_CORRUPT, "mel filters of %d by %d, where %d by %d are due", n_mels, n_bins,
                   file->sizes.n_mels, AL_WHISPER_N_BINS);
  return al_ggml_skip(c, (uint64_t)n_mels * (uint64_t)n_bins * sizeof(float), "the mel filters", err);
}

static enum al_code check_vocabulary(struct al_ggml_cursor *c, struct al_whisper_file *file, struct al_err *err)
{
  AL_TRY(al_ggml_take_i32(c, &file->n_tokens, "the vocabulary", err));
  if (file->n_tokens < 0 || file->n_tokens > file->sizes.n_vocab)
    return al_fail(err, AL_MODEL_CORRUPT, "%d tokens in a vocabulary of %d", file->n_tokens, file->sizes.n_vocab);
  for (int32_t i = 0; i < file->n_tokens; i++) {
    int32_t size = 0;
    AL_TRY(al_ggml_take_i32(c, &size, "the vocabulary", err));
    if (size < 0 || (uint32_t)size > MAX_TOKEN_BYTES)
      return al_fail(err, AL_MODEL_CORRUPT, "token %d is %u bytes long", i, (uint32_t)size);
    char token[MAX_TOKEN_BYTES];
    AL_TRY(al_ggml_take(c, token, (size_t)size, "the vocabulary", err));
    file->has_space_token = file->has_space_token || (size == 1 && token[0] == ' ');
  }
  file->tensors_at = c->at;
  return AL_OK;
}

/* What the head of a tensor says, against what is due by that name. */
static enum al_code check_tensor(const struct al_whisper_tensor *due, int32_t n_dims, const int32_t *ne, int32_t type,
                                 struct al_err *err)
{
  bool same = n_dims == due->n_dims;
  for (int i = 0; i < 3; i++)
    same = same && ne[i] == due->ne[i];
  if (!same)
    return al_fail(err, AL_MODEL_CORRUPT, "%s has the shape [%d, %d, %d], not [%lld, %lld, %lld]", due->name, ne[0],
                   ne[1], ne[2], (long long)due->ne[0], (long long)due->ne[1], (long long)due->ne[2]);
  if (type != due->type->type)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is of type number %d where %s is due", due->name, type, due->type->name);
  return AL_OK;
}

/* Names that are due; the value is the tensor's index and one. Those met are taken out. */
static enum al_code list_names(const struct al_whisper_sizes *sizes, struct al_map *due, struct al_err *err)
{
  for (size_t i = 0; i < al_whisper_n_tensors(sizes); i++) {
    struct al_whisper_tensor tensor;
    al_whisper_tensor_at(sizes, i, &tensor);
    AL_TRY(al_map_set(due, al_str(tensor.name), (void *)(uintptr_t)(i + 1), err));
  }
  return AL_OK;
}

static enum al_code take_tensor(struct al_ggml_cursor *c, const struct al_whisper_file *file, struct al_map *due,
                                struct al_err *err)
{
  static const char what[] = "the weights";
  int32_t n_dims = 0, name_size = 0, type = 0;
  int32_t ne[3] = { 1, 1, 1 };
  char name[64];
  AL_TRY(al_ggml_take_i32(c, &n_dims, what, err));
  AL_TRY(al_ggml_take_i32(c, &name_size, what, err));
  AL_TRY(al_ggml_take_i32(c, &type, what, err));
  if (n_dims < 1 || n_dims > 3 || name_size < 1 || (size_t)name_size > sizeof name)
    return al_fail(err, AL_MODEL_CORRUPT, "at byte %llu no tensor begins", (unsigned long long)c->at);
  for (int i = 0; i < n_dims; i++)
    AL_TRY(al_ggml_take_i32(c, &ne[i], what, err));
  AL_TRY(al_ggml_take(c, name, (size_t)name_size, what, err));
  void *found = al_map_remove(due, al_str_n(name, (size_t)name_size));
  if (found == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "a tensor at byte %llu has no place in the model, or stands there twice",
                   (unsigned long long)c->at);
  struct al_whisper_tensor tensor;
  al_whisper_tensor_at(&file->sizes, (size_t)(uintptr_t)found - 1, &tensor);
  AL_TRY(check_tensor(&tensor, n_dims, ne, type, err));
  return al_ggml_skip(c, tensor.size_bytes, tensor.name, err);
}

static enum al_code check_tensors(struct al_ggml_cursor *c, const struct al_whisper_file *file, struct al_err *err)
{
  AL_CLEANUP(al_map_free_p) struct al_map *due = al_map_new(al_whisper_n_tensors(&file->sizes));
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

enum al_code al_whisper_file_check(const struct al_ggml_reader *reader, struct al_whisper_file *file,
                                   struct al_err *err)
{
  AL_CLEANUP(al_free_p) uint8_t *buffer = al_alloc(AL_GGML_BUFFER_BYTES);
  if (buffer == nullptr)
    return al_fail_oom(err, AL_GGML_BUFFER_BYTES);
  struct al_ggml_cursor cursor = { .reader = reader, .buffer = buffer };
  struct al_whisper_file result = {};
  AL_TRY(check_sizes(&cursor, &result, err));
  AL_TRY(check_filters(&cursor, &result, err));
  AL_TRY(check_vocabulary(&cursor, &result, err));
  AL_TRY(check_tensors(&cursor, &result, err));
  *file = result;
  return AL_OK;
}
