#include "engine/diffusion/draw.h"

#include "base/alloc.h"
#include "engine/diffusion/draw_job.h"
#include "engine/diffusion/noise.h"

constexpr int64_t PREVIEW_LATENTS = 24; /* a side, at most */

static void job_done(struct al_draw_job *job)
{
  al_schedule_done(&job->schedule);
  al_conditioning_done(&job->conditioning);
  al_free(job->original);
  al_free(job->mask);
  al_free(job->masked);
  al_free(job->input);
  al_free(job->output);
  al_free(job->guided);
}

static bool is_inpainter(const struct al_draw_job *job)
{
  return job->model->config.unet.in_channels != job->model->config.vae.latent_channels;
}

static enum al_code allocate(struct al_draw_job *job, struct al_err *err)
{
  size_t n_pixels = (size_t)(job->width * job->height);
  size_t n_batch = (size_t)job->conditioning.n_batch;
  job->input = al_calloc(n_batch * n_pixels * (size_t)job->model->config.unet.in_channels, sizeof *job->input);
  job->output = al_calloc(n_batch * job->n_latents, sizeof *job->output);
  job->guided = al_calloc(job->n_latents, sizeof *job->guided);
  bool whole = job->input != nullptr && job->output != nullptr && job->guided != nullptr;
  if (job->request.image != nullptr)
    whole = (job->original = al_calloc(job->n_latents, sizeof *job->original)) != nullptr && whole;
  if (job->request.mask != nullptr)
    whole = (job->mask = al_calloc(n_pixels, sizeof *job->mask)) != nullptr && whole;
  if (is_inpainter(job))
    whole = (job->masked = al_calloc(job->n_latents, sizeof *job->masked)) != nullptr && whole;
  return whole ? AL_OK : al_fail_oom(err, job->n_latents * sizeof(double));
}

static enum al_code encode_pictures(struct al_draw_job *job, struct al_err *err)
{
  if (job->mask != nullptr)
    al_draw_shrink_mask(job, job->mask);
  if (job->masked != nullptr)
    AL_TRY(al_draw_encode(job, true, job->masked, err));
  if (job->original == nullptr)
    return AL_OK;
  AL_TRY(al_draw_encode(job, false, job->output, err));
  for (size_t i = 0; i < job->n_latents; i++)
    job->original[i] = (double)job->output[i];
  return AL_OK;
}

static enum al_code prepare(struct al_draw_job *job, struct al_err *err)
{
  const struct al_sd_config *config = &job->model->config;
  int factor = al_sd_vae_factor(&config->vae);
  job->width = job->request.width / factor;
  job->height = job->request.height / factor;
  job->n_latents = (size_t)(job->width * job->height * config->vae.latent_channels);
  struct al_conditioning_input in = {
    .prompt = job->request.prompt,
    .negative = job->request.negative_prompt,
    .guided = job->request.guidance > 1 && config->unet.cond_dim == 0,
    .width = job->request.width,
    .height = job->request.height,
  };
  AL_TRY(al_schedule_init(&job->schedule, &config->schedule, err));
  AL_TRY(al_conditioning_make(job->model, &in, &job->conditioning, job->stop, err));
  AL_TRY(allocate(job, err));
  return encode_pictures(job, err);
}

/* One batch entry's channels: latents, and for an inpainter mask and masked picture behind them. */
static void fill_input(const struct al_draw_job *job, const struct al_sampling *sampling, int at)
{
  size_t n_pixels = (size_t)(job->width * job->height);
  size_t n_entry = n_pixels * (size_t)job->model->config.unet.in_channels;
  float *entry = job->input;
  al_sampling_input(sampling, at, entry);
  if (is_inpainter(job)) {
    memcpy(entry + job->n_latents, job->mask, n_pixels * sizeof *entry);
    memcpy(entry + job->n_latents + n_pixels, job->masked, job->n_latents * sizeof *entry);
  }
  for (int64_t b = 1; b < job->conditioning.n_batch; b++)
    memcpy(entry + (size_t)b * n_entry, entry, n_entry * sizeof *entry);
}

/* Asks the model what it sees in x; job->guided is its answer. */
static enum al_code ask(const struct al_draw_job *job, const struct al_sampling *sampling, int at, struct al_err *err)
{
  AL_CLEANUP(al_free_p) struct al_sd_unet_input *in = al_calloc(1, sizeof *in);
  if (in == nullptr)
    return al_fail_oom(err, sizeof *in);
  fill_input(job, sampling, at);
  in->width = job->width;
  in->height = job->height;
  in->n_batch = job->conditioning.n_batch;
  in->n_tokens = job->conditioning.n_tokens;
  in->latents = job->input;
  in->timestep = (float)sampling->plan.times[at];
  in->text = job->conditioning.text;
  in->added = job->conditioning.added;
  in->guidance = job->request.guidance;
  in->out = job->output;
  in->unet = &job->model->unet;
  struct al_sd_run run = { al_sd_unet_build, in, job->model->n_unet_weights };
  AL_TRY(al_sd_compute_run(job->model->compute, &run, job->stop, err));
  struct al_guidance guidance = { job->request.guidance, job->request.guidance_rescale };
  const float *cond = job->output + (job->conditioning.n_batch > 1 ? job->n_latents : 0);
  if (job->conditioning.n_batch == 1)
    guidance = (struct al_guidance){ .scale = 1 };
  al_guidance_apply(&guidance, job->output, cond, job->n_latents, job->guided);
  return AL_OK;
}

/* Outside the mask the original, with the noise that belongs to the next step; an inpainter sees it anyway. */
static void keep_original(const struct al_draw_job *job, struct al_sampling *sampling, int next, const float *noise)
{
  if (job->mask == nullptr || is_inpainter(job))
    return;
  size_t n_pixels = (size_t)(job->width * job->height);
  al_sampling_noised(sampling, next, job->original, noise, job->guided);
  for (size_t i = 0; i < job->n_latents; i++)
    if (job->mask[i % n_pixels] < 0.5F)
      sampling->x[i] = job->guided[i];
}

static enum al_code stopped(struct al_err *err)
{
  return al_fail(err, AL_CANCELLED, "the drawing was stopped");
}

static enum al_code tell(const struct al_draw_job *job, const struct al_sampling *sampling, int image, int at,
                         struct al_err *err)
{
  const struct al_draw_sink *sink = job->sink;
  int done = at + 1 - sampling->first, n = sampling->plan.n - sampling->first;
  if (sink->progress != nullptr && !sink->progress(sink->user, image, done, n))
    return stopped(err);
  int every = job->request.preview_every;
  if (every <= 0 || sink->preview == nullptr || done % every != 0 || done == n)
    return AL_OK;
  int64_t longest = job->width > job->height ? job->width : job->height;
  int shrink = (int)((longest + PREVIEW_LATENTS - 1) / PREVIEW_LATENTS);
  int factor = al_sd_vae_factor(&job->model->config.vae);
  AL_CLEANUP(al_free_p) uint8_t *rgb = nullptr;
  AL_TRY(al_draw_decode(job, sampling->clean, shrink, &rgb, err));
  struct al_picture small = { (int)((job->width + shrink - 1) / shrink) * factor,
                              (int)((job->height + shrink - 1) / shrink) * factor, rgb };
  return sink->preview(sink->user, image, done, &small) ? AL_OK : stopped(err);
}

static enum al_code sample(const struct al_draw_job *job, struct al_sampling *sampling, int image, struct al_err *err)
{
  struct al_noise source = { .seed = job->request.seed + (uint64_t)image };
  AL_CLEANUP(al_free_p) float *noise = al_alloc(job->n_latents * sizeof *noise);
  if (noise == nullptr)
    return al_fail_oom(err, job->n_latents * sizeof *noise);
  al_noise_normal(&source, noise, job->n_latents);
  int n = sampling->plan.n;
  int used = job->original != nullptr ? (int)(n * job->request.strength) : n;
  int first = n - (used > 0 ? used : 1);
  /* With all the steps there is nothing left of the picture but in the noise's place. */
  al_sampling_begin(sampling, first, first > 0 || !is_inpainter(job) ? job->original : nullptr, noise);
  for (int at = first; at < n; at++) {
    if (al_cancelled(job->stop))
      return al_fail(err, al_cancel_reason(job->stop), "the drawing was stopped");
    AL_TRY(ask(job, sampling, at, err));
    al_sampling_denoise(sampling, at, job->guided);
    if (sampling->sampler->wants_noise && at + 1 < n)
      al_noise_normal(&source, sampling->noise, job->n_latents);
    al_sampling_step(sampling, at);
    keep_original(job, sampling, at + 1, noise);
    AL_TRY(tell(job, sampling, image, at, err));
  }
  return AL_OK;
}

static enum al_code draw_one(const struct al_draw_job *job, int image, struct al_err *err)
{
  const struct al_sampler *sampler = al_sampler_find(job->request.sampler);
  AL_CLEANUP(al_free_p) struct al_sampling *sampling = al_calloc(1, sizeof *sampling);
  AL_CLEANUP(al_free_p) uint8_t *rgb = nullptr;
  if (sampling == nullptr)
    return al_fail_oom(err, sizeof *sampling);
  enum al_code code = al_sampling_init(sampling, sampler, &job->schedule, job->request.n_steps, job->n_latents, err);
  if (code == AL_OK)
    code = sample(job, sampling, image, err);
  if (code == AL_OK)
    code = al_draw_decode(job, sampling->x, 1, &rgb, err);
  al_sampling_done(sampling);
  if (code != AL_OK)
    return code;
  if (job->request.mask != nullptr)
    al_draw_keep_unmasked(job, rgb);
  struct al_picture picture = { job->request.width, job->request.height, rgb };
  return job->sink->picture(job->sink->user, image, &picture) ? AL_OK : stopped(err);
}

enum al_code al_sd_draw(struct al_sd_model *model, const struct al_draw_request *request,
                        const struct al_draw_sink *sink, const struct al_cancel *stop, struct al_err *err)
{
  AL_TRY(al_sd_draw_check(model, request, err));
  AL_CLEANUP(job_done) struct al_draw_job job = { .model = model, .request = *request, .sink = sink, .stop = stop };
  al_sd_draw_defaults(model, &job.request);
  AL_TRY(prepare(&job, err));
  for (int image = 0; image < job.request.n_images; image++)
    AL_TRY(draw_one(&job, image, err));
  return AL_OK;
}
