/* A copy of the model in tests/data/diffusion that a test may damage; kit_* of safetensors_kit.h work on its files
 * ("unet/config.json"). */
#ifndef TESTS_ENGINE_DIFFUSION_KIT_H
#define TESTS_ENGINE_DIFFUSION_KIT_H

#include "engine/diffusion/model.h"
#include "safetensors_kit.h"

void diffusion_kit_copy(struct kit *kit, const char *data);
void diffusion_kit_remove(struct kit *kit); /* for AL_CLEANUP */
/* Replaces the only occurrence by something of the same size; bytes may be anything. */
void diffusion_kit_patch(const struct kit *kit, const char *name, const char *from, const char *to);

/* Opens the model; fails the test when it cannot. load: reads the weights too. */
struct al_sd_model *diffusion_kit_open(const char *directory, const char *quant, bool load);

#endif
