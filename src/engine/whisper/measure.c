/* What a load will need. The weights and caches follow from the model's sizes; the buffers of its computations are
 * measured: libwhisper takes a model without weights, and a single layer of each kind shows them, because layers
 * take turns in the same buffers. The sizes stand in libwhisper's log alone. */
#include "engine/whisper/mel.h"
#include "engine/whisper/model.h"

#include "engine/llama/backend.h"
#include "engine/whisper/feed.h"

#include "base/alloc.h"

constexpr uint64_t CACHE_PAD = 256;
constexpr uint64_t HALF = 2;                    /* bytes of a number in a cache */
constexpr uint64_t VOCABULARY_BYTES = 12 << 20; /* two trees of strings */
constexpr uint64_t PER_SECOND_FRAMES = 100;     /* of mel spectrogram */
constexpr uint64_t COPIES_OF_SAMPLES = 3;       /* ours, the padded one, their energy for the words */

static uint64_t padded(int32_t n)
{
  return ((uint64_t)n + CACHE_PAD - 1) / CACHE_PAD * CACHE_PAD;
}

/* Keys and values. The decoder's own cache grows with the first fallback, to that of two decoders more. */
static uint64_t cache_bytes(const struct al_whisper_sizes *s)
{
  uint64_t width = 2 * HALF * (uint64_t)s->n_text_state;
  uint64_t self = width * (uint64_t)s->n_text_layer * padded(s->n_text_ctx) * (AL_WHISPER_BEST_OF + 2);
  uint64_t cross = width * (uint64_t)s->n_text_layer * padded(s->n_audio_ctx);
  return self + cross + width * padded(s->n_audio_ctx);
}

/* What a request takes for ten minutes of audio and a prompt of full length. */
static uint64_t request_bytes(const struct al_whisper_sizes *s)
{
  uint64_t samples = AL_WHISPER_PIECE_SAMPLES * sizeof(float);
  uint64_t seconds = AL_WHISPER_PIECE_SAMPLES / WHISPER_SAMPLE_RATE + WHISPER_CHUNK_SIZE;
  uint64_t mel = seconds * PER_SECOND_FRAMES * (uint64_t)s->n_mels * sizeof(float);
  uint64_t logits =
      (uint64_t)s->n_vocab * sizeof(float) * ((uint64_t)s->n_text_ctx / 2 + UINT64_C(5) * AL_WHISPER_BEST_OF);
  return COPIES_OF_SAMPLES * samples + mel + logits;
}

static void add_u32(struct al_buf *out, int32_t value)
{
  al_buf_add(out, &value, sizeof value);
}

static enum al_code write_hollow(const struct al_whisper_sizes *s, struct al_buf *out, struct al_err *err)
{
  const int32_t numbers[] = { (int32_t)AL_GGML_MAGIC,
                              s->n_vocab,
                              s->n_audio_ctx,
                              s->n_audio_state,
                              s->n_audio_head,
                              1,
                              s->n_text_ctx,
                              s->n_text_state,
                              s->n_text_head,
                              1,
                              s->n_mels,
                              s->ftype,
                              s->n_mels,
                              AL_WHISPER_N_BINS };
  for (size_t i = 0; i < AL_COUNT(numbers); i++)
    add_u32(out, numbers[i]);
  size_t n = (size_t)s->n_mels * AL_WHISPER_N_BINS;
  AL_CLEANUP(al_free_p) float *filters = al_calloc(n, sizeof *filters);
  if (filters == nullptr)
    return al_fail_oom(err, n * sizeof *filters);
  al_buf_add(out, filters, n * sizeof *filters);
  add_u32(out, 0);
  return al_buf_check(out, err);
}

static enum al_code measure_buffers(const struct al_whisper_sizes *sizes, struct whisper_context_params params,
                                    uint64_t *bytes, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  AL_TRY(write_hollow(sizes, &file, err));
  struct al_hollow hollow = { (const uint8_t *)file.data, file.size };
  struct whisper_model_loader loader = { &hollow, al_hollow_read, al_hollow_eof, al_feed_close };
  al_llama_log_clear();
  struct whisper_context *context = whisper_init_with_params_no_state(&loader, params);
  al_llama_log_watch(al_hollow_log_line, bytes);
  struct whisper_state *state = context != nullptr ? whisper_init_state(context) : nullptr;
  al_llama_log_watch(nullptr, nullptr);
  bool works = state != nullptr;
  if (works)
    whisper_free_state(state);
  whisper_free(context);
  if (!works)
    return al_fail(err, AL_LOAD_FAILED, "libwhisper makes no model of these sizes: %s", al_llama_log_last_error());
  return AL_OK;
}

enum al_code al_whisper_measure(const struct al_whisper_stream *stream, const struct al_load_options *options,
                                struct al_memory_estimate *estimate, struct al_err *err)
{
  struct whisper_context_params params = al_whisper_context_params(options->n_gpu_layers);
  uint64_t buffers = 0;
  AL_TRY(measure_buffers(&stream->sizes, params, &buffers, err));
  uint64_t weights = al_whisper_weights_bytes(&stream->sizes);
  uint64_t cache = cache_bytes(&stream->sizes);
  struct al_memory_estimate result = { .n_ctx = stream->sizes.n_text_ctx,
                                       .weights_ram_bytes = VOCABULARY_BYTES,
                                       .compute_ram_bytes = request_bytes(&stream->sizes) };
  if (params.use_gpu) {
    result.n_gpu_layers = stream->sizes.n_audio_layer + stream->sizes.n_text_layer;
    result.vram_bytes = weights + cache + buffers;
  } else {
    result.weights_ram_bytes += weights;
    result.kv_ram_bytes = cache;
    result.compute_ram_bytes += buffers;
  }
  *estimate = result;
  return AL_OK;
}
