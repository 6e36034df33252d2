/* DPM-Solver++ (2M), the multistep solver of second order of Lu et al. 2022, "DPM-Solver++: fast solver for guided
 * sampling of diffusion probabilistic models", in logarithms of sigma; the last step is of first order. */
#include "engine/diffusion/sampler.h"

#include <math.h>
#include <string.h>

static void plan(const struct al_schedule *schedule, const struct al_sampler *sampler, int n, struct al_plan *plan)
{
  al_plan_times(schedule, &(struct al_spacing){ .whole = true, .one_more = true }, n, plan);
  if (sampler->karras) {
    al_plan_karras(plan, al_schedule_sigma(schedule, schedule->config.n_train_steps - 1),
                   al_schedule_sigma(schedule, 0));
    for (int i = 0; i < n; i++)
      plan->times[i] = nearbyint(al_schedule_time(schedule, plan->sigmas[i]));
  }
  double sigma = plan->sigmas[0];
  plan->first_sigma = sqrt(sigma * sigma + 1);
}

static void step(struct al_sampling *sampling, int at)
{
  const double *sigmas = sampling->plan.sigmas;
  double from = sigmas[at], to = sigmas[at + 1];
  if (to <= 0) { /* e^-h is 0 */
    memcpy(sampling->x, sampling->clean, sampling->n * sizeof *sampling->x);
    return;
  }
  double h = log(from / to);
  double of_before = 0;
  if (at > sampling->first)
    of_before = -h / (2 * log(sigmas[at - 1] / from));
  double decay = to / from, gain = -expm1(-h);
  for (size_t i = 0; i < sampling->n; i++)
    sampling->x[i] =
        decay * sampling->x[i] + gain * ((1 - of_before) * sampling->clean[i] + of_before * sampling->before[i]);
}

const struct al_sampler al_sampler_dpmpp_2m = { .name = "dpmpp_2m", .plan = plan, .step = step };
const struct al_sampler al_sampler_dpmpp_2m_karras = {
  .name = "dpmpp_2m_karras", .karras = true, .plan = plan, .step = step
};
