/* How much noise there is at each of the steps that a model was trained with, and which of them a drawing visits.
 * Conventions are those of the models' own configuration files (Diffusers' schedulers); everything in double. */
#ifndef AL_ENGINE_DIFFUSION_SCHEDULE_H
#define AL_ENGINE_DIFFUSION_SCHEDULE_H

#include "engine/diffusion/config.h"

constexpr int AL_SD_MAX_STEPS = 1000; /* of a drawing */

struct al_schedule {
  struct al_sd_schedule_config config;
  double *alphas; /* double[n_train_steps]: cumulative products; signal^2 at a step */
  double final_alpha;
};

enum al_code al_schedule_init(struct al_schedule *schedule, const struct al_sd_schedule_config *config,
                              struct al_err *err);
void al_schedule_done(struct al_schedule *schedule);

double al_schedule_alpha(const struct al_schedule *schedule, double timestep); /* of the step it lies in */
/* Noise over signal at any time, linear between steps. */
double al_schedule_sigma(const struct al_schedule *schedule, double timestep);
/* The time at which that much noise was seen in training: linear in the logarithm. */
double al_schedule_time(const struct al_schedule *schedule, double sigma);

/* A drawing's steps. */
struct al_plan {
  int n;
  double times[AL_SD_MAX_STEPS];
  double sigmas[AL_SD_MAX_STEPS + 1]; /* for samplers that go by them; the last is 0 */
  double first_sigma;                 /* what the noise that a drawing begins with is multiplied by */
};

/* The n times from the last to the first, in the schedule's spacing. whole: rounded to steps. one_more: the times are
 * the first n of n + 1 (as DPM++ spaces them). */
struct al_spacing {
  bool whole, one_more;
};
void al_plan_times(const struct al_schedule *schedule, const struct al_spacing *spacing, int n, struct al_plan *plan);

/* Spaces sigmas as in Karras et al. 2022 (rho 7) between the greatest and the least. */
void al_plan_karras(struct al_plan *plan, double greatest, double least);

#endif
