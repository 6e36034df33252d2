/* LlamaEngine: GGUF files through libllama. */
#ifndef AL_ENGINE_LLAMA_LLAMA_ENGINE_H
#define AL_ENGINE_LLAMA_LLAMA_ENGINE_H

#include "engine/engine.h"

extern const struct al_engine al_engine_llama;

#endif
