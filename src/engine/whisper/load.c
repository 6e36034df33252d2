/* Hands a checked stream to libwhisper. */
#include "engine/whisper/model.h"

#include "engine/llama/backend.h"

struct reading {
  struct al_whisper_stream *stream;
  al_load_progress_fn *progress;
  void *user;
  bool has_ended;
  struct al_err failure;
};

static enum al_code read_some(struct reading *reading, void *bytes, size_t size)
{
  struct al_whisper_stream *stream = reading->stream;
  float done = (float)((double)stream->position / (double)stream->size_bytes);
  if (reading->progress != nullptr && stream->position >= stream->head.size && !reading->progress(reading->user, done))
    return al_fail(&reading->failure, AL_CANCELLED, "the load was cancelled");
  return al_whisper_stream_read(stream, bytes, size, &reading->failure);
}

/* libwhisper does not look at what comes back. Behind the end, and after a failure, it gets zeros and then the end. */
static size_t on_read(void *context, void *bytes, size_t size)
{
  struct reading *reading = context;
  uint64_t left = reading->stream->size_bytes - reading->stream->position;
  reading->has_ended = reading->has_ended || left == 0;
  if (reading->failure.code == AL_OK && !reading->has_ended && read_some(reading, bytes, size) == AL_OK)
    return size;
  memset(bytes, 0, size);
  return 0;
}

static bool on_eof(void *context)
{
  const struct reading *reading = context;
  return reading->has_ended || reading->failure.code != AL_OK;
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
