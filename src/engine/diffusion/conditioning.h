/* What the UNet is told: the prompt (and the negative one) as vectors of the text encoders. */
#ifndef AL_ENGINE_DIFFUSION_CONDITIONING_H
#define AL_ENGINE_DIFFUSION_CONDITIONING_H

#include "base/str.h"
#include "engine/diffusion/model.h"

struct al_conditioning {
  int64_t n_batch;  /* 2 with guidance: the negative prompt first */
  int64_t n_tokens; /* whole chunks of the encoder's positions */
  float *text;      /* owned: float[n_batch][n_tokens][cross_dim] */
  float *added;     /* owned: float[n_batch][size_input]; nullptr without size conditioning */
};

struct al_conditioning_input {
  struct al_str prompt, negative;
  bool guided;
  int width, height; /* of the picture */
};

/* AL_INVALID_REQUEST when a prompt has too many tokens. */
enum al_code al_conditioning_make(struct al_sd_model *model, const struct al_conditioning_input *in,
                                  struct al_conditioning *conditioning, const struct al_cancel *stop,
                                  struct al_err *err);
void al_conditioning_done(struct al_conditioning *conditioning); /* accepts a zeroed one */

/* Whether the prompt can be drawn; the part of al_conditioning_make that needs no computing. */
enum al_code al_conditioning_check(const struct al_sd_model *model, struct al_str prompt, struct al_err *err);

#endif
