/* Samplers: how a drawing goes from noise to latents, step by step. Each is one const struct; the formulas are those of
 * the papers named in its file, everything in double. The caller runs the model:
 *   al_sampling_input -> model -> al_sampling_denoise -> (noise) -> al_sampling_step */
#ifndef AL_ENGINE_DIFFUSION_SAMPLER_H
#define AL_ENGINE_DIFFUSION_SAMPLER_H

#include "engine/diffusion/schedule.h"

/* What x is, for a clean picture c and noise e. */
enum al_sampler_space {
  AL_SPACE_SIGMA, /* c + sigma e */
  AL_SPACE_VARIANCE /* sqrt(alpha) c + sqrt(1 - alpha) e */,
  AL_SPACE_FLOW, /* (1 - sigma) c + sigma e */
};

struct al_sampling;

struct al_sampler {
  const char *name; /* "euler_a" */
  enum al_sampler_space space;
  bool wants_noise; /* fresh noise for every step but the last */
  bool karras;
  void (*plan)(const struct al_schedule *schedule, const struct al_sampler *sampler, int n, struct al_plan *plan);
  void (*step)(struct al_sampling *sampling, int at);
};

/* The sampler by its name; nullptr: none. index: all of them, nullptr past the last. */
const struct al_sampler *al_sampler_find(const char *name);
const struct al_sampler *al_sampler_at(size_t index);
/* Flow models and the others do not share samplers. */
bool al_sampler_fits(const struct al_sampler *sampler, enum al_sd_prediction prediction);

/* One drawing under way. Arrays are double[n] unless said otherwise. */
struct al_sampling {
  const struct al_sampler *sampler;   /* borrowed */
  const struct al_schedule *schedule; /* borrowed */
  struct al_plan plan;
  size_t n;
  int first;      /* the step it began with */
  double *x;      /* owned, as all below */
  double *clean;  /* what the model thinks the picture is, after al_sampling_denoise */
  double *before; /* that of the step before */
  float *noise;   /* float[n]: set before a step when the sampler wants it */
};

enum al_code al_sampling_init(struct al_sampling *sampling, const struct al_sampler *sampler,
                              const struct al_schedule *schedule, int n_steps, size_t n, struct al_err *err);
void al_sampling_done(struct al_sampling *sampling); /* accepts a zeroed one */

/* Begins at step `first` with noise over a clean picture (nullptr: none; then first is 0). */
void al_sampling_begin(struct al_sampling *sampling, int first, const double *clean, const float *noise);
/* What x would be at the start of step `at` for that picture and noise; at n: the picture. */
void al_sampling_noised(const struct al_sampling *sampling, int at, const double *clean, const float *noise,
                        double *out);
void al_sampling_input(const struct al_sampling *sampling, int at, float *input);
/* output: double[n], what the model said (noise, velocity, as the schedule's prediction says). */
void al_sampling_denoise(struct al_sampling *sampling, int at, const double *output);
void al_sampling_step(struct al_sampling *sampling, int at);

/* uncond + scale (cond - uncond), then scaled back towards cond's deviation by `rescale` of the way (Lin et al. 2023).
 */
struct al_guidance {
  double scale, rescale;
};
void al_guidance_apply(const struct al_guidance *guidance, const float *uncond, const float *cond, size_t n,
                       double *out);

/* The families of samplers, one file each. */
extern const struct al_sampler al_sampler_ddim, al_sampler_lcm, al_sampler_flow_euler;
extern const struct al_sampler al_sampler_euler, al_sampler_euler_karras, al_sampler_euler_a;
extern const struct al_sampler al_sampler_dpmpp_2m, al_sampler_dpmpp_2m_karras;

#endif
