/* Hands a checked stream to libwhisper. */
#include "engine/whisper/model.h"

#include "engine/llama/backend.h"
#include "engine/whisper/feed.h"

static enum al_code read_stream(void *source, void *bytes, size_t size, struct al_err *err)
{
  return al_whisper_stream_read(source, bytes, size, err);
}

enum al_code al_whisper_load_stream(struct al_whisper_stream *stream, struct whisper_context_params params,
                                    al_load_progress_fn *progress, void *user, struct whisper_context **context,
                                    struct al_err *err)
{
  struct al_feed feed = {
    .read = read_stream,
    .source = stream,
    .head_bytes = stream->head.size,
    .size_bytes = stream->size_bytes,
    .n_tensors = al_whisper_n_tensors(&stream->sizes),
    .filler = "encoder.ln_post.bias",
    .filler_extent = stream->sizes.n_audio_state,
    .progress = progress,
    .user = user,
  };
  struct whisper_model_loader loader = { &feed, al_feed_read, al_feed_eof, al_feed_close };
  al_llama_log_clear();
  struct whisper_context *loaded = whisper_init_with_params_no_state(&loader, params);
  enum al_code code = al_feed_end(&feed, loaded != nullptr, "libwhisper", err);
  if (code != AL_OK) {
    whisper_free(loaded);
    return code;
  }
  *context = loaded;
  return AL_OK;
}
