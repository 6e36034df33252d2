/* Checks a file and hands it to libparakeet. */
#include "engine/llama/backend.h"
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

static enum al_code read_source(struct al_parakeet_source *source, void *bytes, size_t size, struct al_err *err)
{
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

/* libparakeet loses the memory of a model whose load fails half-way. So a load that is to end early is led to its end
 * with a small tensor over and over, whose weights are zeros, and the model is freed as a whole one is. */
static const char filler_name[] = "encoder.pre_encode.out.bias";

struct reading {
  struct al_parakeet_source *source;
  al_load_progress_fn *progress;
  void *user;
  struct al_err failure;
  /* Each field of a tensor is one call: three numbers, the extents, the name, the data. */
  int call;
  int32_t n_dims;
  size_t n_tensors; /* read so far */
  bool is_filling;
  bool has_ended;
};

static void begin_tensor(struct reading *r)
{
  r->has_ended = r->n_tensors == al_parakeet_n_tensors(&r->source->sizes);
  float done = (float)((double)r->source->position / (double)r->source->size_bytes);
  if (!r->has_ended && r->failure.code == AL_OK && r->progress != nullptr && !r->progress(r->user, done))
    (void)al_fail(&r->failure, AL_CANCELLED, "the load was cancelled");
  r->is_filling = !r->has_ended && r->failure.code != AL_OK;
}

static void fill(struct reading *r, void *bytes, size_t size)
{
  const int32_t numbers[] = { 1, sizeof filler_name - 1, 0, r->source->sizes.n_audio_state };
  memset(bytes, 0, size);
  if (r->call < (int)AL_COUNT(numbers) && size == sizeof numbers[0])
    memcpy(bytes, &numbers[r->call], size);
  else if (r->call == (int)AL_COUNT(numbers) && size == sizeof filler_name - 1)
    memcpy(bytes, filler_name, size);
}

static void next_call(struct reading *r, const void *bytes, size_t size)
{
  if (r->call == 0 && size == sizeof r->n_dims)
    memcpy(&r->n_dims, bytes, size);
  bool is_last = r->call > 0 && r->call == 4 + r->n_dims;
  r->n_tensors += is_last;
  r->call = is_last ? 0 : r->call + 1;
}

/* libparakeet does not look at what comes back. */
static size_t on_read(void *context, void *bytes, size_t size)
{
  struct reading *r = context;
  bool in_tensors = r->source->position >= r->source->head.size;
  if (in_tensors && r->call == 0 && !r->has_ended)
    begin_tensor(r);
  if (r->is_filling)
    fill(r, bytes, size);
  else if (r->has_ended || read_source(r->source, bytes, size, &r->failure) != AL_OK)
    memset(bytes, 0, size);
  if (in_tensors && !r->has_ended)
    next_call(r, bytes, size);
  return size;
}

static bool on_eof(void *context)
{
  return ((const struct reading *)context)->has_ended;
}

static void on_close(void *) {}

static enum al_code explain(const struct reading *reading, struct al_err *err)
{
  if (reading->failure.code != AL_OK) {
    if (err != nullptr)
      *err = reading->failure;
    return reading->failure.code;
  }
  const char *why = al_llama_log_last_error();
  return al_fail(err, strstr(why, "alloc") != nullptr ? AL_OOM_RAM : AL_LOAD_FAILED, "%s",
                 why[0] != '\0' ? why : "libparakeet cannot load it");
}

enum al_code al_parakeet_load(struct al_parakeet_source *source, struct parakeet_context_params params,
                              al_load_progress_fn *progress, void *user, struct parakeet_context **context,
                              struct al_err *err)
{
  struct reading reading = { .source = source, .progress = progress, .user = user };
  struct parakeet_model_loader loader = { &reading, on_read, on_eof, on_close };
  al_llama_log_clear();
  struct parakeet_context *loaded = parakeet_init_with_params_no_state(&loader, params);
  if (loaded == nullptr || reading.failure.code != AL_OK) {
    parakeet_free(loaded);
    return explain(&reading, err);
  }
  if (progress != nullptr)
    (void)progress(user, 1.0F);
  *context = loaded;
  return AL_OK;
}
