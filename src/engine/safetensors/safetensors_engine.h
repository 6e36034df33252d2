/* SafetensorsEngine: Hugging Face directories, as virtual GGUFs through libllama. */
#ifndef AL_ENGINE_SAFETENSORS_SAFETENSORS_ENGINE_H
#define AL_ENGINE_SAFETENSORS_SAFETENSORS_ENGINE_H

#include "engine/engine.h"

extern const struct al_engine al_engine_safetensors;

#endif
