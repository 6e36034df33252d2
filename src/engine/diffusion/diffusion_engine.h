/* DiffusionEngine: draws with Stable Diffusion models (1.x, 2.x, SDXL, LCM) on libggml. */
#ifndef AL_ENGINE_DIFFUSION_DIFFUSION_ENGINE_H
#define AL_ENGINE_DIFFUSION_DIFFUSION_ENGINE_H

#include "engine/engine.h"

extern const struct al_engine al_engine_diffusion;

#endif
