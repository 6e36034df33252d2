/* The loaded model of the engine on libparakeet. Internal to the engine. */
#ifndef AL_ENGINE_WHISPER_PARAKEET_MODEL_H
#define AL_ENGINE_WHISPER_PARAKEET_MODEL_H

#include "base/buf.h"
#include "codec/parakeet_file.h"
#include "engine/engine.h"
#include "engine/whisper/backend.h"

#include <parakeet.h>

struct al_engine_model {
  struct parakeet_context *context;
  struct parakeet_state *state;
  struct al_whisper_stop stop;
  struct al_parakeet_sizes sizes;
  int n_threads;
  uint64_t memory_bytes;
};

/* A checked file. One owner, one thread. */
struct al_parakeet_source {
  int fd;
  uint64_t size_bytes, position;
  struct al_parakeet_sizes sizes;
  struct al_buf head; /* the bytes before the weights, as they were checked */
};

/* parakeet_load.c. AL_MODEL_CORRUPT or AL_UNSUPPORTED, naming the file. On failure *source is still to be closed. */
enum al_code al_parakeet_source_open(const char *path, struct al_parakeet_source *source, struct al_err *err);
void al_parakeet_source_close(struct al_parakeet_source *source); /* accepts one zeroed but for fd -1 */
enum al_code al_parakeet_backend_start(struct al_err *err);
struct parakeet_context_params al_parakeet_context_params(int n_gpu_layers);
enum al_code al_parakeet_load(struct al_parakeet_source *source, struct parakeet_context_params params,
                              al_load_progress_fn *progress, void *user, struct parakeet_context **context,
                              struct al_err *err);

/* parakeet_measure.c: in the preflight child. */
enum al_code al_parakeet_measure(const struct al_parakeet_sizes *sizes, struct parakeet_context_params params,
                                 struct al_memory_estimate *estimate, struct al_err *err);

/* What is heard at once. */
static inline size_t al_parakeet_piece_samples(const struct al_parakeet_sizes *sizes)
{
  return (size_t)(sizes->n_audio_ctx - 1) * PARAKEET_HOP_LENGTH;
}

/* parakeet_transcribe.c */
extern const struct al_transcribe_ops al_parakeet_transcribe_ops;

#endif
