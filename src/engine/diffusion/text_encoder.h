/* CLIP's text encoder (transformers' CLIPTextModel and CLIPTextModelWithProjection; OpenCLIP's is the same network). */
#ifndef AL_ENGINE_DIFFUSION_TEXT_ENCODER_H
#define AL_ENGINE_DIFFUSION_TEXT_ENCODER_H

#include "engine/diffusion/config.h"
#include "engine/diffusion/layers.h"

struct al_sd_text_layer {
  struct al_sd_norm norm1, norm2;
  struct al_sd_linear q, k, v, out, up, down;
};

struct al_sd_text {
  struct al_sd_text_config config;
  struct ggml_tensor *tokens, *positions;
  struct al_sd_text_layer layers[AL_SD_MAX_TEXT_LAYERS];
  struct al_sd_norm norm;
  struct al_sd_linear projection;
  size_t n_weights;
};

void al_sd_text_want(struct al_sd_text *text, const struct al_sd_text_config *config, enum al_sd_part part,
                     struct al_sd_weights *weights);

struct al_sd_text_job {
  const struct al_sd_text *text;
  const int32_t *tokens; /* [n_batch][n_positions]; each below n_vocab */
  int64_t n_batch;
  bool penultimate;    /* rows of the last layer but one, without the final norm; otherwise of the last with it */
  float *rows;         /* [n_batch][n_positions][width] */
  const int32_t *ends; /* [n_batch]: index of the end token in all tokens together; for `pooled` */
  float *pooled;       /* [n_batch][projection]; nullptr: not wanted */
};

/* An al_sd_build_fn; user: struct al_sd_text_job. */
void al_sd_text_build(struct al_sd_graph *graph, void *user);

#endif
