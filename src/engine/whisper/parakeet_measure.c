/* What a load will need. The weights follow from the model's sizes; the buffers of its computations are measured:
 * libparakeet takes a model without weights, and a single layer shows them, because layers take turns in the same
 * buffers. */
#include "engine/llama/backend.h"
#include "engine/whisper/feed.h"
#include "engine/whisper/parakeet_model.h"

#include "base/alloc.h"

constexpr uint64_t VOCABULARY_BYTES = 4 << 20; /* two trees of strings */
constexpr uint64_t COPIES_OF_SAMPLES = 16;     /* what grows with the length, ours and libparakeet's, as measured */
constexpr uint64_t COPIES_OF_MEL = 2;

static void add_zeros(struct al_buf *out, size_t size)
{
  char *room = al_buf_room(out, size);
  if (room == nullptr)
    return;
  memset(room, 0, size);
  al_buf_grew(out, size);
}

/* Up to an empty vocabulary. */
static enum al_code write_hollow(const struct al_parakeet_sizes *sizes, struct al_buf *out, struct al_err *err)
{
  struct al_parakeet_sizes one = *sizes;
  one.n_audio_layer = 1;
  const int32_t magic = (int32_t)AL_GGML_MAGIC;
  const int32_t filters[] = { sizes->n_mels, sizes->n_fft / 2 + 1 };
  al_buf_add(out, &magic, sizeof magic);
  al_buf_add(out, &one, sizeof one);
  al_buf_add(out, filters, sizeof filters);
  add_zeros(out, (size_t)filters[0] * (size_t)filters[1] * sizeof(float));
  add_zeros(out, sizeof(int32_t) + (size_t)sizes->n_tdt_durations * sizeof(int32_t) + sizeof(int32_t));
  return al_buf_check(out, err);
}

static enum al_code measure_buffers(const struct al_parakeet_sizes *sizes, struct parakeet_context_params params,
                                    uint64_t *bytes, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  AL_TRY(write_hollow(sizes, &file, err));
  struct al_hollow hollow = { (const uint8_t *)file.data, file.size };
  struct parakeet_model_loader loader = { &hollow, al_hollow_read, al_hollow_eof, al_feed_close };
  al_llama_log_clear();
  struct parakeet_context *context = parakeet_init_with_params_no_state(&loader, params);
  al_llama_log_watch(al_hollow_log_line, bytes);
  struct parakeet_state *state = context != nullptr ? parakeet_init_state(context) : nullptr;
  al_llama_log_watch(nullptr, nullptr);
  bool works = state != nullptr;
  parakeet_free_state(state);
  parakeet_free(context);
  if (!works)
    return al_fail(err, AL_LOAD_FAILED, "libparakeet makes no model of these sizes: %s", al_llama_log_last_error());
  return AL_OK;
}

static uint64_t request_bytes(const struct al_parakeet_sizes *s)
{
  uint64_t samples = al_parakeet_piece_samples(s) * sizeof(float);
  uint64_t mel = (uint64_t)s->n_audio_ctx * (uint64_t)s->n_mels * sizeof(float);
  return COPIES_OF_SAMPLES * samples + COPIES_OF_MEL * mel;
}

enum al_code al_parakeet_measure(const struct al_parakeet_sizes *sizes, struct parakeet_context_params params,
                                 struct al_memory_estimate *estimate, struct al_err *err)
{
  uint64_t buffers = 0;
  AL_TRY(measure_buffers(sizes, params, &buffers, err));
  uint64_t weights = al_parakeet_weights_bytes(sizes);
  struct al_memory_estimate result = { .n_ctx = sizes->n_audio_ctx,
                                       .weights_ram_bytes = VOCABULARY_BYTES,
                                       .compute_ram_bytes = request_bytes(sizes) };
  if (params.use_gpu) {
    result.n_gpu_layers = sizes->n_audio_layer;
    result.vram_bytes = weights + buffers;
  } else {
    result.weights_ram_bytes += weights;
    result.compute_ram_bytes += buffers;
  }
  *estimate = result;
  return AL_OK;
}
