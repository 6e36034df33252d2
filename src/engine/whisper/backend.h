/* What libwhisper shares with the process: ggml's backends and log, the choice of a GPU, and the means to stop a
 * computation. Thread-safe. */
#ifndef AL_ENGINE_WHISPER_BACKEND_H
#define AL_ENGINE_WHISPER_BACKEND_H

#include "base/cancel.h"
#include "engine/engine.h"

#include <stdatomic.h>
#include <whisper.h>

/* Loads ggml's backends, once, and sends libwhisper's log where ggml's goes. */
enum al_code al_whisper_backend_start(struct al_err *err);

/* With the GPU that n_gpu_layers asks for, if there is one. */
struct whisper_context_params al_whisper_context_params(int n_gpu_layers);

/* What makes a computation end early. It lives as long as the state that was made with it. */
struct al_whisper_stop {
  const struct al_cancel *_Atomic cancel; /* of the request that runs; borrowed, nullptr: none */
  atomic_bool refused;                    /* the sink wants no more */
};
bool al_whisper_stopped(const struct al_whisper_stop *stop);

/* What this thread makes of CPU backends from now on ends its computations once `stop` says so; nullptr: no more. */
void al_whisper_stop_new_backends(struct al_whisper_stop *stop);

/* A state whose computations on the CPU end within a fraction of a second once `stop` says so, also in the middle of
 * the encoder. nullptr when memory is short. Free with whisper_free_state. */
struct whisper_state *al_whisper_state_new(struct whisper_context *context, struct al_whisper_stop *stop);

#endif
