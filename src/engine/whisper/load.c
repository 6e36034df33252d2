/* Hands a checked stream to libwhisper. */
#include "engine/whisper/model.h"

#include "engine/llama/backend.h"

/* libwhisper loses the memory of a model whose load fails half-way. So a load that is to end early is led to its end
 * with the smallest tensor over and over, whose weights are zeros, and the model is freed as a whole one is. */
static const char filler_name[] = "encoder.ln_post.bias";

struct reading {
  struct al_whisper_stream *stream;
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

static int last_call(const struct reading *r)
{
  return 4 + r->n_dims;
}

static bool wants_to_go_on(struct reading *r)
{
  float done = (float)((double)r->stream->position / (double)r->stream->size_bytes);
  if (r->failure.code == AL_OK && r->progress != nullptr && !r->progress(r->user, done))
    (void)al_fail(&r->failure, AL_CANCELLED, "the load was cancelled");
  return r->failure.code == AL_OK;
}

static void begin_tensor(struct reading *r)
{
  r->has_ended = r->n_tensors == al_whisper_n_tensors(&r->stream->sizes);
  r->is_filling = !r->has_ended && !wants_to_go_on(r);
}

/* Data begin with zeros. */
static void fill(struct reading *r, void *bytes, size_t size)
{
  const int32_t numbers[] = { 1, sizeof filler_name - 1, 0, r->stream->sizes.n_audio_state };
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
  bool is_last = r->call > 0 && r->call == last_call(r);
  r->n_tensors += is_last;
  r->call = is_last ? 0 : r->call + 1;
}

/* libwhisper does not look at what comes back. */
static size_t on_read(void *context, void *bytes, size_t size)
{
  struct reading *r = context;
  bool in_tensors = r->stream->position >= r->stream->head.size;
  if (in_tensors && r->call == 0 && !r->has_ended)
    begin_tensor(r);
  if (r->is_filling)
    fill(r, bytes, size);
  else if (r->has_ended || al_whisper_stream_read(r->stream, bytes, size, &r->failure) != AL_OK)
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
                 why[0] != '\0' ? why : "libwhisper cannot load it");
}

enum al_code al_whisper_load_stream(struct al_whisper_stream *stream, struct whisper_context_params params,
                                    al_load_progress_fn *progress, void *user, struct whisper_context **context,
                                    struct al_err *err)
{
  struct reading reading = { .stream = stream, .progress = progress, .user = user };
  struct whisper_model_loader loader = { &reading, on_read, on_eof, on_close };
  al_llama_log_clear();
  struct whisper_context *loaded = whisper_init_with_params_no_state(&loader, params);
  if (loaded == nullptr || reading.failure.code != AL_OK) {
    whisper_free(loaded);
    return explain(&reading, err);
  }
  if (progress != nullptr)
    (void)progress(user, 1.0F);
  *context = loaded;
  return AL_OK;
}
