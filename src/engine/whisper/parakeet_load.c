/* Checks a file and hands it to libparakeet. */
#include "engine/llama/backend.h"
#include "engine/whisper/feed.h"
#include "engine/whisper/parakeet_model.h"

#include "base/thread.h"
#include "os/file.h"

constexpr size_t MAX_HEAD_BYTES = (size_t)16 << 20;

static enum al_code read_file(void *user, uint64_t offset, void *bytes, size_t size, struct al_err *err)
{
  const struct al_parakeet_source *source = user;
  return al_file_read_at(source->fd, offset, bytes, size, err);
}

/* The head is kept as it was checked: what libparakeet builds its model from cannot change meanwhile. */
static enum al_code check_file(struct al_parakeet_source *source, struct al_err *err)
{
  const struct al_ggml_reader reader = { read_file, source, source->size_bytes };
  struct al_parakeet_file file;
  AL_TRY(al_parakeet_file_check(&reader, &file, err));
  source->sizes = file.sizes;
  al_buf_init(&source->head, MAX_HEAD_BYTES);
  size_t size = (size_t)file.tensors_at;
  char *room = al_buf_room(&source->head, size);
  if (room == nullptr)
    return al_fail_oom(err, size);
  AL_TRY(al_file_read_at(source->fd, 0, room, size, err));
  al_buf_grew(&source->head, size);
  return AL_OK;
}

enum al_code al_parakeet_source_open(const char *path, struct al_parakeet_source *source, struct al_err *err)
{
  *source = (struct al_parakeet_source){ .fd = -1 };
  AL_TRY(al_file_open(path, &source->fd, &source->size_bytes, err));
  if (check_file(source, err) != AL_OK)
    return al_wrap(err, "%.200s", al_path_last(path));
  return AL_OK;
}

void al_parakeet_source_close(struct al_parakeet_source *source)
{
  al_fd_close(&source->fd);
  al_buf_done(&source->head);
  *source = (struct al_parakeet_source){ .fd = -1 };
}

static enum al_code read_source(void *user, void *bytes, size_t size, struct al_err *err)
{
  struct al_parakeet_source *source = user;
  if (size > source->size_bytes - source->position)
    return al_fail(err, AL_MODEL_CORRUPT, "the model's data end too early");
  uint64_t at = source->position;
  source->position += size;
  if (at + size > source->head.size)
    return al_file_read_at(source->fd, at, bytes, size, err);
  memcpy(bytes, source->head.data + at, size);
  return AL_OK;
}

/* --- libparakeet's side ------------------------------------------------------------------------------------------ */

static void start_once(void)
{
  parakeet_log_set(al_llama_log_line, nullptr);
}

enum al_code al_parakeet_backend_start(struct al_err *err)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  AL_TRY(al_whisper_backend_start(err));
  (void)pthread_once(&once, start_once);
  return AL_OK;
}

/* Both libraries count the GPUs alike. */
struct parakeet_context_params al_parakeet_context_params(int n_gpu_layers)
{
  struct whisper_context_params chosen = al_whisper_context_params(n_gpu_layers);
  struct parakeet_context_params params = parakeet_context_default_params();
  params.use_gpu = chosen.use_gpu;
  params.gpu_device = chosen.gpu_device;
  return params;
}

enum al_code al_parakeet_load(struct al_parakeet_source *source, struct parakeet_context_params params,
                              al_load_progress_fn *progress, void *user, struct parakeet_context **context,
                              struct al_err *err)
{
  struct al_feed feed = {
    .read = read_source,
    .source = source,
    .head_bytes = source->head.size,
    .size_bytes = source->size_bytes,
    .n_tensors = al_parakeet_n_tensors(&source->sizes),
    .filler = "encoder.pre_encode.out.bias",
    .filler_extent = source->sizes.n_audio_state,
    .progress = progress,
    .user = user,
  };
  struct parakeet_model_loader loader = { &feed, al_feed_read, al_feed_eof, al_feed_close };
  al_llama_log_clear();
  struct parakeet_context *loaded = parakeet_init_with_params_no_state(&loader, params);
  enum al_code code = al_feed_end(&feed, loaded != nullptr, "libparakeet", err);
  if (code != AL_OK) {
    parakeet_free(loaded);
    return code;
  }
  *context = loaded;
  return AL_OK;
}
