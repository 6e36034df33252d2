/* DDIM without noise (Song et al. 2020, "Denoising diffusion implicit models", eta 0), and the multistep consistency
 * sampling of latent consistency models (Luo et al. 2023), which jumps to the end and adds noise anew. */
#include "engine/diffusion/sampler.h"

#include <math.h>

static void plan(const struct al_schedule *schedule, const struct al_sampler *, int n, struct al_plan *plan)
{
  al_plan_times(schedule, &(struct al_spacing){ .whole = true }, n, plan);
  plan->first_sigma = 1;
}

static void step(struct al_sampling *sampling, int at)
{
  const struct al_schedule *schedule = sampling->schedule;
  double time = sampling->plan.times[at];
  double alpha = al_schedule_alpha(schedule, time);
  int stride = schedule->config.n_train_steps / sampling->plan.n;
  double next = al_schedule_alpha(schedule, time - stride);
  double of_noise = sqrt((1 - next) / (1 - alpha));
  for (size_t i = 0; i < sampling->n; i++) {
    double noise = sampling->x[i] - sqrt(alpha) * sampling->clean[i];
    sampling->x[i] = sqrt(next) * sampling->clean[i] + of_noise * noise;
  }
}

/* The times are taken evenly from the 50 that the model was distilled on (all of them for more steps). */
static void plan_lcm(const struct al_schedule *schedule, const struct al_sampler *, int n, struct al_plan *plan)
{
  int n_train = schedule->config.n_train_steps;
  int n_known = n > 50 ? n : 50;
  n_known = n_known < n_train ? n_known : n_train;
  int stride = n_train / n_known;
  *plan = (struct al_plan){ .n = n, .first_sigma = 1 };
  for (int i = 0; i < n; i++) {
    int index = (int)((double)i * n_known / n); /* counted from the last */
    plan->times[i] = fmax((double)(n_known - index) * stride - 1, 0);
  }
}

static void step_lcm(struct al_sampling *sampling, int at)
{
  constexpr double SIGMA_DATA = 0.5;
  constexpr double TIME_SCALE = 10;
  double scaled = sampling->plan.times[at] * TIME_SCALE;
  double power = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
  double skip = SIGMA_DATA * SIGMA_DATA / power, out = scaled / sqrt(power);
  bool last = at + 1 == sampling->plan.n;
  double next = last ? 1 : al_schedule_alpha(sampling->schedule, sampling->plan.times[at + 1]);
  for (size_t i = 0; i < sampling->n; i++) {
    double clean = out * sampling->clean[i] + skip * sampling->x[i];
    sampling->x[i] = sqrt(next) * clean + sqrt(1 - next) * (double)sampling->noise[i];
  }
}

const struct al_sampler al_sampler_ddim = { .name = "ddim", .space = AL_SPACE_VARIANCE, .plan = plan, .step = step };
const struct al_sampler al_sampler_lcm = {
  .name = "lcm", .space = AL_SPACE_VARIANCE, .wants_noise = true, .plan = plan_lcm, .step = step_lcm
};
