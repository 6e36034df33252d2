/* Euler's method for flow matching (Lipman et al. 2022; the shift of Esser et al. 2024): a straight way from noise. */
#include "engine/diffusion/sampler.h"

static double shifted(double sigma, double shift)
{
  return shift * sigma / (1 + (shift - 1) * sigma);
}

static void plan(const struct al_schedule *schedule, const struct al_sampler *, int n, struct al_plan *plan)
{
  double shift = schedule->config.shift;
  double n_train = schedule->config.n_train_steps;
  double least = shifted(1 / n_train, shift); /* as Diffusers has it: the range is shifted, then each sigma again */
  *plan = (struct al_plan){ .n = n, .first_sigma = 1 };
  for (int i = 0; i < n; i++) {
    double sigma = n > 1 ? 1 + (least - 1) * i / (n - 1) : 1;
    plan->sigmas[i] = shifted(sigma, shift);
    plan->times[i] = plan->sigmas[i] * n_train;
  }
}

static void step(struct al_sampling *sampling, int at)
{
  double from = sampling->plan.sigmas[at], to = sampling->plan.sigmas[at + 1];
  for (size_t i = 0; i < sampling->n; i++)
    sampling->x[i] += (sampling->x[i] - sampling->clean[i]) / from * (to - from);
}

const struct al_sampler al_sampler_flow_euler = {
  .name = "flow_euler", .space = AL_SPACE_FLOW, .plan = plan, .step = step
};
