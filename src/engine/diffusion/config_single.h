/* What a single checkpoint is, which has no config file: its tensors' names and shapes tell the family and the sizes;
 * what they cannot tell (heads, noise schedule, the VAE's scale) is the family's, in a table. */
#ifndef AL_ENGINE_DIFFUSION_CONFIG_SINGLE_H
#define AL_ENGINE_DIFFUSION_CONFIG_SINGLE_H

#include "engine/diffusion/config.h"
#include "engine/diffusion/files.h"

/* AL_UNSUPPORTED when it is none of the families known. */
enum al_code al_sd_config_guess(const struct al_sd_files *files, struct al_sd_config *config, struct al_err *err);

#endif
