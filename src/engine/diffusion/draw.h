/* Drawing with a Stable Diffusion model: from a text, from a picture, or into a part of one. One thread at a time. */
#ifndef AL_ENGINE_DIFFUSION_DRAW_H
#define AL_ENGINE_DIFFUSION_DRAW_H

#include "engine/diffusion/model.h"
#include "engine/draw.h"

void al_sd_draw_info(const struct al_sd_model *model, struct al_draw_info *info);
/* AL_INVALID_REQUEST names the field. Needs no weights. */
enum al_code al_sd_draw_check(const struct al_sd_model *model, const struct al_draw_request *request,
                              struct al_err *err);
/* The model is loaded. */
enum al_code al_sd_draw(struct al_sd_model *model, const struct al_draw_request *request,
                        const struct al_draw_sink *sink, const struct al_cancel *stop, struct al_err *err);

#endif
