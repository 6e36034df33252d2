/* The variational autoencoder between pictures and latents (Diffusers' AutoencoderKL): a picture becomes latents an
 * eighth of its size, and comes back. Tensors belong to the weights. */
#ifndef AL_ENGINE_DIFFUSION_VAE_H
#define AL_ENGINE_DIFFUSION_VAE_H

#include "engine/diffusion/config.h"
#include "engine/diffusion/layers.h"

struct al_sd_vae_attention {
  struct al_sd_norm norm;
  struct al_sd_linear q, k, v, out;
};

struct al_sd_vae_side { /* encoder or decoder */
  struct al_sd_linear conv_in, conv_out;
  struct al_sd_norm norm_out;
  struct al_sd_resnet mid1, mid2;
  struct al_sd_vae_attention attention;
  struct al_sd_resnet levels[AL_SD_MAX_LEVELS][AL_SD_MAX_LAYERS + 1];
  struct al_sd_linear resize[AL_SD_MAX_LEVELS]; /* not in the last level */
  struct al_sd_linear quant;                    /* quant_conv, post_quant_conv; may be without weight */
};

struct al_sd_vae {
  struct al_sd_vae_config config;
  struct al_sd_vae_side encoder, decoder;
  size_t n_weights;
};

void al_sd_vae_want(struct al_sd_vae *vae, const struct al_sd_vae_config *config, struct al_sd_weights *weights);
int al_sd_vae_factor(const struct al_sd_vae_config *config); /* pixels a latent, a side: 8 */

/* One call of either side. Pictures are -1..1, [3][height][width]; latents are as the VAE has them, not yet scaled. */
struct al_sd_vae_job {
  const struct al_sd_vae *vae;
  bool decodes;
  int64_t width, height; /* of the input */
  const float *in;
  float *out; /* encoding: [2 * latent_channels][height / 8][width / 8], means and log variances */
};

/* An al_sd_build_fn; user: struct al_sd_vae_job. */
void al_sd_vae_build(struct al_sd_graph *graph, void *user);

struct al_sd_tiling {
  int64_t tile;    /* latents a side; 0: always the whole picture */
  int64_t overlap; /* of neighbours, faded into each other */
};

/* Runs the job, in overlapping tiles where it is larger than one: memory stays that of a tile. */
enum al_code al_sd_vae_run(struct al_sd_compute *compute, const struct al_sd_vae_job *job,
                           const struct al_sd_tiling *tiling, const struct al_cancel *stop, struct al_err *err);

#endif
