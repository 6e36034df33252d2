/* Euler's method on the probability flow, and with fresh noise at every step ("ancestral"): Karras et al. 2022,
 * "Elucidating the design space of diffusion-based generative models", in the form of k-diffusion. */
#include "engine/diffusion/sampler.h"

#include <math.h>

static void plan(const struct al_schedule *schedule, const struct al_sampler *sampler, int n, struct al_plan *plan)
{
  al_plan_times(schedule, &(struct al_spacing){}, n, plan);
  if (sampler->karras) {
    al_plan_karras(plan, plan->sigmas[0], plan->sigmas[n - 1]);
    for (int i = 0; i < n; i++)
      plan->times[i] = al_schedule_time(schedule, plan->sigmas[i]);
  }
  /* With leading steps the first is not the last one of training: the noise has some signal's variance in it. */
  double sigma = plan->sigmas[0];
  plan->first_sigma = schedule->config.spacing == AL_SD_LEADING ? sqrt(sigma * sigma + 1) : sigma;
}

static void move(struct al_sampling *sampling, double from, double to)
{
  for (size_t i = 0; i < sampling->n; i++)
    sampling->x[i] += (sampling->x[i] - sampling->clean[i]) / from * (to - from);
}

static void step(struct al_sampling *sampling, int at)
{
  move(sampling, sampling->plan.sigmas[at], sampling->plan.sigmas[at + 1]);
}

static void step_ancestral(struct al_sampling *sampling, int at)
{
  double from = sampling->plan.sigmas[at], to = sampling->plan.sigmas[at + 1];
  double up = sqrt(to * to * (from * from - to * to) / (from * from));
  double down = sqrt(to * to - up * up);
  move(sampling, from, down);
  for (size_t i = 0; i < sampling->n && up > 0; i++)
    sampling->x[i] += up * (double)sampling->noise[i];
}

const struct al_sampler al_sampler_euler = { .name = "euler", .plan = plan, .step = step };
const struct al_sampler al_sampler_euler_karras = {
  .name = "euler_karras", .karras = true, .plan = plan, .step = step
};
const struct al_sampler al_sampler_euler_a = {
  .name = "euler_a", .wants_noise = true, .plan = plan, .step = step_ancestral
};
