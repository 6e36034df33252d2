/* What may be asked of a model, and what it does when nothing is asked. */
#include "engine/diffusion/conditioning.h"
#include "engine/diffusion/draw.h"
#include "engine/diffusion/draw_job.h"
#include "engine/diffusion/sampler.h"

#include <stdio.h>

constexpr int LEAST_SIDE_LATENTS = 2;
constexpr int MOST_SIDE = 4096;
constexpr int64_t MOST_PIXELS = (int64_t)4096 * 4096;
constexpr int MOST_IMAGES = 64;
constexpr int DEFAULT_STEPS = 25;
constexpr double DEFAULT_GUIDANCE = 7.5;
constexpr double MOST_GUIDANCE = 100;

static bool is_lcm(const struct al_sd_model *model)
{
  return model->config.unet.cond_dim > 0 || al_streq(model->config.schedule.sampler, "lcm");
}

/* The names of those that fit; flow models and the others each have theirs. */
static const char *const *sampler_names(const struct al_sd_model *model)
{
  static const char *const flow[] = { "flow_euler", nullptr };
  static const char *const others[] = { "euler",           "euler_karras", "euler_a", "dpmpp_2m",
                                        "dpmpp_2m_karras", "ddim",         "lcm",     nullptr };
  return model->config.schedule.prediction == AL_SD_FLOW ? flow : others;
}

static const char *default_sampler(const struct al_sd_model *model)
{
  const struct al_sd_schedule_config *schedule = &model->config.schedule;
  if (schedule->karras && al_streq(schedule->sampler, "euler"))
    return "euler_karras";
  if (schedule->karras && al_streq(schedule->sampler, "dpmpp_2m"))
    return "dpmpp_2m_karras";
  return schedule->sampler;
}

void al_sd_draw_info(const struct al_sd_model *model, struct al_draw_info *info)
{
  int factor = al_sd_vae_factor(&model->config.vae);
  int side = model->config.unet.sample_size * factor;
  *info = (struct al_draw_info){
    .size_multiple = factor,
    .least_side = LEAST_SIDE_LATENTS * factor,
    .most_side = MOST_SIDE,
    .most_pixels = MOST_PIXELS,
    .width = side < MOST_SIDE ? side : MOST_SIDE,
    .height = side < MOST_SIDE ? side : MOST_SIDE,
    .n_steps = is_lcm(model) ? 4 : DEFAULT_STEPS,
    .guidance = is_lcm(model) && model->config.unet.cond_dim == 0 ? 1 : DEFAULT_GUIDANCE,
    .memory_bytes = al_sd_weights_held_bytes(model->weights),
    .has_negative = model->config.unet.cond_dim == 0,
    .sampler = default_sampler(model),
    .samplers = sampler_names(model),
  };
}

void al_sd_draw_defaults(const struct al_sd_model *model, struct al_draw_request *request)
{
  struct al_draw_info info;
  al_sd_draw_info(model, &info);
  request->width = request->width > 0 ? request->width : info.width;
  request->height = request->height > 0 ? request->height : info.height;
  request->n_images = request->n_images > 0 ? request->n_images : 1;
  request->n_steps = request->n_steps > 0 ? request->n_steps : info.n_steps;
  request->guidance = request->guidance >= 0 ? request->guidance : info.guidance;
  if (request->sampler == nullptr || request->sampler[0] == '\0')
    request->sampler = info.sampler;
  request->strength = request->image != nullptr ? request->strength : 1;
}

static enum al_code check_side(const struct al_draw_info *info, const char *name, int side, struct al_err *err)
{
  if (side % info->size_multiple != 0)
    return al_fail_param(err, name, "%s is %d; this model draws multiples of %d", name, side, info->size_multiple);
  if (side < info->least_side || side > info->most_side)
    return al_fail_param(err, name, "%s is %d; this model draws from %d to %d", name, side, info->least_side,
                         info->most_side);
  return AL_OK;
}

static enum al_code check_range(const char *name, double value, double least, double most, struct al_err *err)
{
  return value >= least && value <= most
             ? AL_OK
             : al_fail_param(err, name, "%s is %g; it must be from %g to %g", name, value, least, most);
}

static enum al_code check_pictures(const struct al_sd_model *model, const struct al_draw_request *request,
                                   struct al_err *err)
{
  bool needs_both = model->config.unet.in_channels != model->config.vae.latent_channels;
  if (request->mask != nullptr && request->image == nullptr)
    return al_fail_param(err, "mask", "a mask comes with the picture that it belongs to");
  if (needs_both && (request->mask == nullptr || request->image == nullptr))
    return al_fail_param(err, "image", "this model fills in parts of pictures: it needs an image and a mask");
  if (request->image == nullptr)
    return AL_OK;
  if (request->image->width != request->width || request->image->height != request->height)
    return al_fail_param(err, "image", "the image is %d x %d, but %d x %d are to be drawn", request->image->width,
                         request->image->height, request->width, request->height);
  return check_range("strength", request->strength, 0.01, 1, err);
}

static enum al_code check_prompt(const struct al_sd_model *model, const char *name, struct al_str prompt,
                                 struct al_err *err)
{
  struct al_err cause = {};
  enum al_code code = al_conditioning_check(model, prompt, &cause);
  if (code == AL_INVALID_REQUEST)
    return al_fail_param(err, name, "%s", cause.message);
  if (code != AL_OK && err != nullptr)
    *err = cause;
  return code;
}

enum al_code al_sd_draw_check(const struct al_sd_model *model, const struct al_draw_request *request,
                              struct al_err *err)
{
  struct al_draw_info info;
  struct al_draw_request whole = *request;
  al_sd_draw_info(model, &info);
  al_sd_draw_defaults(model, &whole);
  AL_TRY(check_side(&info, "width", whole.width, err));
  AL_TRY(check_side(&info, "height", whole.height, err));
  AL_TRY(check_range("n", whole.n_images, 1, MOST_IMAGES, err));
  AL_TRY(check_range("steps", whole.n_steps, 1,
                     model->config.schedule.n_train_steps < AL_SD_MAX_STEPS ? model->config.schedule.n_train_steps
                                                                            : AL_SD_MAX_STEPS,
                     err));
  AL_TRY(check_range("guidance", whole.guidance, 0, MOST_GUIDANCE, err));
  AL_TRY(check_range("guidance_rescale", whole.guidance_rescale, 0, 1, err));
  const struct al_sampler *sampler = al_sampler_find(whole.sampler);
  if (sampler == nullptr || !al_sampler_fits(sampler, model->config.schedule.prediction))
    return al_fail_param(err, "sampler", "\"%.40s\" is no sampler for this model", whole.sampler);
  if (!info.has_negative && whole.negative_prompt.size > 0)
    return al_fail_param(err, "negative_prompt", "this model takes no negative prompt");
  AL_TRY(check_pictures(model, &whole, err));
  AL_TRY(check_prompt(model, "prompt", whole.prompt, err));
  return check_prompt(model, "negative_prompt", whole.negative_prompt, err);
}
