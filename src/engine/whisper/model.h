/* The loaded model of the engine on libwhisper. Internal to the engine. */
#ifndef AL_ENGINE_WHISPER_MODEL_H
#define AL_ENGINE_WHISPER_MODEL_H

#include "codec/whisper_layout.h"
#include "engine/whisper/backend.h"
#include "engine/whisper/stream.h"

struct al_engine_model {
  struct whisper_context *context;
  struct whisper_state *state; /* nullptr: to be made */
  bool is_state_used; /* it has drawn random numbers, or its cache has grown: the next request takes a new one */
  struct al_whisper_stop stop;
  struct al_whisper_sizes sizes;
  bool suppresses_blank; /* the vocabulary has the token for it */
  int n_threads;
  uint64_t memory_bytes;
};

/* More is read ahead only to see whether there is more. */
constexpr size_t AL_WHISPER_PIECE_SAMPLES = (size_t)10 * 60 * WHISPER_SAMPLE_RATE;
constexpr int AL_WHISPER_BEST_OF = 5;   /* decoders at once when the temperature is above 0: OpenAI's, whisper-cli's */
constexpr int AL_WHISPER_MAX_BEAMS = 8; /* libwhisper's own */

/* measure.c: in the preflight child. The stream has been checked. */
enum al_code al_whisper_measure(const struct al_whisper_stream *stream, const struct al_load_options *options,
                                struct al_memory_estimate *estimate, struct al_err *err);

/* load.c */
enum al_code al_whisper_load_stream(struct al_whisper_stream *stream, struct whisper_context_params params,
                                    al_load_progress_fn *progress, void *user, struct whisper_context **context,
                                    struct al_err *err);

/* transcribe.c */
extern const struct al_transcribe_ops al_whisper_transcribe_ops;

#endif
