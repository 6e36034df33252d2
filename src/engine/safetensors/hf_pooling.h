/* What sentence-transformers adds to a model's directory: modules.json names what happens to the outputs of a text's
 * tokens, and the pooling's own config.json how they become one vector. */
#ifndef AL_ENGINE_SAFETENSORS_HF_POOLING_H
#define AL_ENGINE_SAFETENSORS_HF_POOLING_H

#include "engine/engine.h"

/* *pooling stays as it is where nothing is stated. AL_UNSUPPORTED names a module or a pooling that libllama lacks. */
enum al_code al_hf_pooling_read(const char *directory, enum al_pooling *pooling, struct al_err *err);

#endif
