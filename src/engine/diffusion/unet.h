/* The UNet of Stable Diffusion 1.x, 2.x and SDXL (Diffusers' UNet2DConditionModel): noisy latents and a text in, the
 * noise (or the velocity) out. The structs are plain and large; their tensors belong to the weights. */
#ifndef AL_ENGINE_DIFFUSION_UNET_H
#define AL_ENGINE_DIFFUSION_UNET_H

#include "engine/diffusion/config.h"
#include "engine/diffusion/layers.h"

struct al_sd_cross { /* an attention, of the pixels to themselves or to the text */
  struct al_sd_norm norm;
  struct al_sd_linear q, k, v, out;
};

struct al_sd_transformer_block {
  struct al_sd_cross self, text;
  struct al_sd_norm norm;
  struct al_sd_linear up, down; /* of the MLP, gated */
};

struct al_sd_transformer {
  struct al_sd_norm norm;
  struct al_sd_linear in, out;
  struct al_sd_transformer_block blocks[AL_SD_MAX_DEPTH];
  int depth, n_heads;
};

struct al_sd_unet_level {
  struct al_sd_resnet resnets[AL_SD_MAX_LAYERS + 1];
  struct al_sd_transformer attentions[AL_SD_MAX_LAYERS + 1];
  bool has_attention;
  struct al_sd_linear resize; /* the convolution at the end of the level; not in the last */
};

struct al_sd_unet {
  struct al_sd_unet_config config;
  struct al_sd_linear time1, time2, time_cond, add1, add2;
  struct al_sd_linear conv_in, conv_out;
  struct al_sd_norm norm_out;
  struct al_sd_unet_level down[AL_SD_MAX_LEVELS], up[AL_SD_MAX_LEVELS];
  struct al_sd_resnet mid1, mid2;
  struct al_sd_transformer mid;
};

void al_sd_unet_want(struct al_sd_unet *unet, const struct al_sd_unet_config *config, struct al_sd_weights *weights);

struct al_sd_unet_input { /* float, borrowed */
  int64_t width, height;  /* of the latents */
  int64_t n_batch;
  int64_t n_tokens;     /* of the text */
  const float *latents; /* [n_batch][in_channels][height][width] */
  float timestep;
  const float *text;  /* [n_batch][n_tokens][cross_dim] */
  const float *added; /* SDXL: [n_batch][size_input], pooled text and embedded sizes; otherwise nullptr */
  double guidance;    /* LCM's embedded guidance, where the model has one */
  float *out;         /* [n_batch][out_channels][height][width] */
  const struct al_sd_unet *unet;
  float embedded_time[AL_SD_MAX_CHANNELS], embedded_cond[AL_SD_MAX_CHANNELS]; /* al_sd_unet_build's own */
};

/* An al_sd_build_fn; user: struct al_sd_unet_input. */
void al_sd_unet_build(struct al_sd_graph *graph, void *user);

/* cos, then sin of value at dim / 2 frequencies. */
void al_sd_embed_number(double value, int dim, float *out);

#endif
