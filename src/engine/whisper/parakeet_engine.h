/* The engine on libparakeet: speech to text from its ggml files. A build without the library has this engine too; it
 * says so when it is asked to load. */
#ifndef AL_ENGINE_WHISPER_PARAKEET_ENGINE_H
#define AL_ENGINE_WHISPER_PARAKEET_ENGINE_H

#include "engine/engine.h"

extern const struct al_engine al_engine_parakeet;

#endif
