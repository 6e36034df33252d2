/* A drawing under way, between the files of this folder that draw. */
#ifndef AL_ENGINE_DIFFUSION_DRAW_JOB_H
#define AL_ENGINE_DIFFUSION_DRAW_JOB_H

#include "engine/diffusion/conditioning.h"
#include "engine/diffusion/draw.h"
#include "engine/diffusion/sampler.h"

struct al_draw_job {
  struct al_sd_model *model;
  struct al_draw_request request; /* with every default filled in */
  const struct al_draw_sink *sink;
  const struct al_cancel *stop;
  int64_t width, height; /* of the latents */
  size_t n_latents;      /* floats of one picture's */
  struct al_schedule schedule;
  struct al_conditioning conditioning;
  double *original; /* owned: latents of the picture to begin with; nullptr: none */
  float *mask;      /* owned: float[height][width], 1 is drawn anew; nullptr: everything is */
  float *masked;    /* owned: an inpainting model's second picture (without what is drawn anew), as latents */
  float *input;     /* owned: float[n_batch][in_channels][height][width] */
  float *output;    /* owned: float[n_batch][latents] */
  double *guided;   /* owned: double[n_latents] */
};

/* Fills in what a request leaves open. */
void al_sd_draw_defaults(const struct al_sd_model *model, struct al_draw_request *request);

/* The picture's latents, or those of the picture without its masked part. */
enum al_code al_draw_encode(const struct al_draw_job *job, bool without_masked, float *latents, struct al_err *err);
/* mask in latents: the nearest pixel of the request's. */
void al_draw_shrink_mask(const struct al_draw_job *job, float *mask);
/* Latents to RGB8 (al_free). shrink: every so many-th latent alone. AL_INTERNAL when the model's values overflowed. */
enum al_code al_draw_decode(const struct al_draw_job *job, const double *latents, int shrink, uint8_t **rgb,
                            struct al_err *err);
/* What the mask leaves alone keeps its pixels. */
void al_draw_keep_unmasked(const struct al_draw_job *job, uint8_t *rgb);

#endif
