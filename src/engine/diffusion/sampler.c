#include "engine/diffusion/sampler.h"

#include "base/alloc.h"
#include "base/str.h"

#include <math.h>

static const struct al_sampler *const samplers[] = {
  &al_sampler_euler,           &al_sampler_euler_karras, &al_sampler_euler_a, &al_sampler_dpmpp_2m,
  &al_sampler_dpmpp_2m_karras, &al_sampler_ddim,         &al_sampler_lcm,     &al_sampler_flow_euler,
};

const struct al_sampler *al_sampler_at(size_t index)
{
  return index < AL_COUNT(samplers) ? samplers[index] : nullptr;
}

const struct al_sampler *al_sampler_find(const char *name)
{
  for (size_t i = 0; i < AL_COUNT(samplers); i++)
    if (al_streq(samplers[i]->name, name))
      return samplers[i];
  return nullptr;
}

bool al_sampler_fits(const struct al_sampler *sampler, enum al_sd_prediction prediction)
{
  return (sampler->space == AL_SPACE_FLOW) == (prediction == AL_SD_FLOW);
}

enum al_code al_sampling_init(struct al_sampling *sampling, const struct al_sampler *sampler,
                              const struct al_schedule *schedule, int n_steps, size_t n, struct al_err *err)
{
  *sampling = (struct al_sampling){ .sampler = sampler, .schedule = schedule, .n = n };
  sampling->x = al_calloc(n, sizeof(double));
  sampling->clean = al_calloc(n, sizeof(double));
  sampling->before = al_calloc(n, sizeof(double));
  sampling->noise = al_calloc(n, sizeof(float));
  if (sampling->x == nullptr || sampling->clean == nullptr || sampling->before == nullptr || sampling->noise == nullptr)
    return al_fail_oom(err, n * sizeof(double));
  sampler->plan(schedule, sampler, n_steps, &sampling->plan);
  return AL_OK;
}

void al_sampling_done(struct al_sampling *sampling)
{
  al_free(sampling->x);
  al_free(sampling->clean);
  al_free(sampling->before);
  al_free(sampling->noise);
  *sampling = (struct al_sampling){};
}

/* Signal and noise at the start of step `at`: x = signal * clean + noise * e. */
static void shares(const struct al_sampling *sampling, int at, double *signal, double *noise)
{
  double sigma = sampling->plan.sigmas[at];
  *signal = 1;
  *noise = sigma;
  if (sampling->sampler->space == AL_SPACE_FLOW)
    *signal = 1 - sigma;
  if (sampling->sampler->space != AL_SPACE_VARIANCE)
    return;
  double alpha = at < sampling->plan.n ? al_schedule_alpha(sampling->schedule, sampling->plan.times[at]) : 1;
  *signal = sqrt(alpha);
  *noise = sqrt(1 - alpha);
}

void al_sampling_noised(const struct al_sampling *sampling, int at, const double *clean, const float *noise,
                        double *out)
{
  double signal, share;
  shares(sampling, at, &signal, &share);
  for (size_t i = 0; i < sampling->n; i++)
    out[i] = signal * clean[i] + share * (double)noise[i];
}

void al_sampling_begin(struct al_sampling *sampling, int first, const double *clean, const float *noise)
{
  sampling->first = first;
  if (clean != nullptr) {
    al_sampling_noised(sampling, first, clean, noise, sampling->x);
    return;
  }
  for (size_t i = 0; i < sampling->n; i++)
    sampling->x[i] = sampling->plan.first_sigma * (double)noise[i];
}

void al_sampling_input(const struct al_sampling *sampling, int at, float *input)
{
  double sigma = sampling->plan.sigmas[at];
  double scale = sampling->sampler->space == AL_SPACE_SIGMA ? 1 / sqrt(sigma * sigma + 1) : 1;
  for (size_t i = 0; i < sampling->n; i++)
    input[i] = (float)(sampling->x[i] * scale);
}

void al_sampling_denoise(struct al_sampling *sampling, int at, const double *output)
{
  double signal, noise;
  shares(sampling, at, &signal, &noise);
  enum al_sd_prediction prediction = sampling->schedule->config.prediction;
  double of_x = 1 / signal, of_output = -noise / signal; /* the model said e */
  if (prediction == AL_SD_V) {                           /* it said sqrt(alpha) e - sqrt(1 - alpha) c */
    double power = signal * signal + noise * noise;
    of_x = signal / power;
    of_output = -noise / sqrt(power);
  }
  if (prediction == AL_SD_FLOW) { /* it said e - c */
    of_x = 1;
    of_output = -noise;
  }
  double *spare = sampling->before;
  sampling->before = sampling->clean;
  sampling->clean = spare;
  for (size_t i = 0; i < sampling->n; i++)
    sampling->clean[i] = of_x * sampling->x[i] + of_output * output[i];
}

void al_sampling_step(struct al_sampling *sampling, int at)
{
  sampling->sampler->step(sampling, at);
}

static double deviation(const double *values, size_t n)
{
  double mean = 0, sum = 0;
  for (size_t i = 0; i < n; i++)
    mean += values[i] / (double)n;
  for (size_t i = 0; i < n; i++)
    sum += (values[i] - mean) * (values[i] - mean);
  return sqrt(sum / (double)n);
}

void al_guidance_apply(const struct al_guidance *guidance, const float *uncond, const float *cond, size_t n,
                       double *out)
{
  double was = 0;
  if (guidance->rescale > 0) {
    for (size_t i = 0; i < n; i++)
      out[i] = (double)cond[i];
    was = deviation(out, n);
  }
  for (size_t i = 0; i < n; i++)
    out[i] = (double)uncond[i] + guidance->scale * ((double)cond[i] - (double)uncond[i]);
  double is = guidance->rescale > 0 ? deviation(out, n) : 0;
  double factor = is > 0 ? guidance->rescale * was / is + 1 - guidance->rescale : 1;
  for (size_t i = 0; i < n; i++)
    out[i] *= factor;
}
