/* Between pictures and latents. */
#include "base/alloc.h"
#include "engine/diffusion/draw_job.h"

#include <math.h>

constexpr uint8_t MASK_LIMIT = 128;

/* RGB8 as [3][height][width] in -1..1; what the mask covers becomes the middle grey. */
static void to_planes(const struct al_draw_job *job, bool without_masked, float *planes)
{
  size_t n = (size_t)job->request.width * (size_t)job->request.height;
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++) {
      bool hidden = without_masked && job->request.mask[i] >= MASK_LIMIT;
      planes[c * n + i] = hidden ? 0.0F : (float)job->request.image->rgb[3 * i + c] / 127.5F - 1.0F;
    }
}

enum al_code al_draw_encode(const struct al_draw_job *job, bool without_masked, float *latents, struct al_err *err)
{
  const struct al_sd_vae *vae = &job->model->vae;
  size_t n_pixels = (size_t)job->request.width * (size_t)job->request.height;
  AL_CLEANUP(al_free_p) float *planes = al_alloc(3 * n_pixels * sizeof *planes);
  AL_CLEANUP(al_free_p) float *moments = al_alloc(2 * job->n_latents * sizeof *moments);
  if (planes == nullptr || moments == nullptr)
    return al_fail_oom(err, 3 * n_pixels * sizeof *planes);
  to_planes(job, without_masked, planes);
  struct al_sd_vae_job encode = {
    .vae = vae, .width = job->request.width, .height = job->request.height, .in = planes, .out = moments
  };
  AL_TRY(al_sd_vae_run(job->model->compute, &encode, &job->model->tiling, job->stop, err));
  for (size_t i = 0; i < job->n_latents; i++) /* the means, which stand first */
    latents[i] = (moments[i] - vae->config.shift) * vae->config.scaling;
  return AL_OK;
}

void al_draw_shrink_mask(const struct al_draw_job *job, float *mask)
{
  int64_t factor = al_sd_vae_factor(&job->model->config.vae);
  for (int64_t y = 0; y < job->height; y++)
    for (int64_t x = 0; x < job->width; x++)
      mask[y * job->width + x] =
          job->request.mask[y * factor * job->request.width + x * factor] >= MASK_LIMIT ? 1.0F : 0.0F;
}

static enum al_code to_rgb(const float *planes, size_t n, uint8_t *rgb, struct al_err *err)
{
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++) {
      float value = planes[c * n + i];
      if (!isfinite(value))
        return al_fail(err, AL_INTERNAL, "the model's values overflowed; load it with quant=f32");
      rgb[3 * i + c] = (uint8_t)(fminf(fmaxf(value * 127.5F + 127.5F, 0), 255) + 0.5F);
    }
  return AL_OK;
}

enum al_code al_draw_decode(const struct al_draw_job *job, const double *latents, int shrink, uint8_t **rgb,
                            struct al_err *err)
{
  const struct al_sd_vae *vae = &job->model->vae;
  int64_t width = (job->width + shrink - 1) / shrink, height = (job->height + shrink - 1) / shrink;
  int64_t channels = vae->config.latent_channels, factor = al_sd_vae_factor(&vae->config);
  size_t n_pixels = (size_t)(width * height * factor * factor);
  AL_CLEANUP(al_free_p) float *in = al_alloc((size_t)(width * height * channels) * sizeof *in);
  AL_CLEANUP(al_free_p) float *planes = al_alloc(3 * n_pixels * sizeof *planes);
  AL_CLEANUP(al_free_p) uint8_t *made = al_alloc(3 * n_pixels);
  if (in == nullptr || planes == nullptr || made == nullptr)
    return al_fail_oom(err, 3 * n_pixels * sizeof *planes);
  float *to = in;
  for (int64_t c = 0; c < channels; c++)
    for (int64_t y = 0; y < height; y++)
      for (int64_t x = 0; x < width; x++)
        *to++ = (float)latents[(c * job->height + y * shrink) * job->width + x * shrink] / vae->config.scaling +
                vae->config.shift;
  struct al_sd_vae_job decode = {
    .vae = vae, .decodes = true, .width = width, .height = height, .in = in, .out = planes
  };
  AL_TRY(al_sd_vae_run(job->model->compute, &decode, &job->model->tiling, job->stop, err));
  AL_TRY(to_rgb(planes, n_pixels, made, err));
  *rgb = AL_TAKE(made);
  return AL_OK;
}

void al_draw_keep_unmasked(const struct al_draw_job *job, uint8_t *rgb)
{
  size_t n = (size_t)job->request.width * (size_t)job->request.height;
  for (size_t i = 0; i < n; i++)
    if (job->request.mask[i] < MASK_LIMIT)
      memcpy(rgb + 3 * i, job->request.image->rgb + 3 * i, 3);
}
