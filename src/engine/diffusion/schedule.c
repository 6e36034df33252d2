#include "engine/diffusion/schedule.h"

#include "base/alloc.h"

#include <math.h>

static double beta(const struct al_sd_schedule_config *config, int step)
{
  double t = config->n_train_steps > 1 ? (double)step / (config->n_train_steps - 1) : 0;
  if (config->betas == AL_SD_BETAS_LINEAR)
    return config->beta_start + (config->beta_end - config->beta_start) * t;
  double root = sqrt(config->beta_start) + (sqrt(config->beta_end) - sqrt(config->beta_start)) * t;
  return root * root;
}

/* Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed": the last step is pure noise. Not
 * quite, or its sigma would be infinite. */
static void rescale(double *alphas, int n)
{
  double first = sqrt(alphas[0]), last = sqrt(alphas[n - 1]);
  for (int i = 0; i < n; i++) {
    double root = (sqrt(alphas[i]) - last) * first / (first - last);
    alphas[i] = root * root;
  }
  alphas[n - 1] = 0x1p-24;
}

enum al_code al_schedule_init(struct al_schedule *schedule, const struct al_sd_schedule_config *config,
                              struct al_err *err)
{
  int n = config->n_train_steps;
  double *alphas = al_calloc((size_t)n, sizeof *alphas);
  if (alphas == nullptr)
    return al_fail_oom(err, (size_t)n * sizeof *alphas);
  double product = 1;
  for (int i = 0; i < n; i++)
    alphas[i] = product *= 1 - beta(config, i);
  if (config->zero_terminal_snr && n > 1)
    rescale(alphas, n);
  *schedule = (struct al_schedule){ *config, alphas, config->final_alpha_one ? 1 : alphas[0] };
  return AL_OK;
}

void al_schedule_done(struct al_schedule *schedule)
{
  al_free(schedule->alphas);
  *schedule = (struct al_schedule){};
}

double al_schedule_alpha(const struct al_schedule *schedule, double timestep)
{
  int n = schedule->config.n_train_steps;
  return timestep < 0 ? schedule->final_alpha : schedule->alphas[timestep < n ? (int)timestep : n - 1];
}

static double sigma_of_step(const struct al_schedule *schedule, int step)
{
  return sqrt((1 - schedule->alphas[step]) / schedule->alphas[step]);
}

double al_schedule_sigma(const struct al_schedule *schedule, double timestep)
{
  int last = schedule->config.n_train_steps - 1;
  double t = fmin(fmax(timestep, 0), last);
  int low = (int)t;
  int high = low < last ? low + 1 : last;
  return sigma_of_step(schedule, low) + (sigma_of_step(schedule, high) - sigma_of_step(schedule, low)) * (t - low);
}

double al_schedule_time(const struct al_schedule *schedule, double sigma)
{
  int last = schedule->config.n_train_steps - 1;
  int low = 0;
  while (low + 2 <= last && sigma_of_step(schedule, low + 1) <= sigma)
    low++;
  if (last == 0)
    return 0;
  double a = log(sigma_of_step(schedule, low)), b = log(sigma_of_step(schedule, low + 1));
  double w = fmin(fmax((log(fmax(sigma, 1e-10)) - a) / (b - a), 0), 1);
  return low + w;
}

static double time_at(const struct al_schedule *schedule, const struct al_spacing *spacing, int n, int i)
{
  const struct al_sd_schedule_config *config = &schedule->config;
  int n_train = config->n_train_steps;
  int parts = n + spacing->one_more;
  int back = parts - 1 - i; /* counted from the end */
  int stride = n_train / parts;
  double time = 0;
  switch (config->spacing) {
  case AL_SD_LEADING: time = (double)back * stride + config->steps_offset; break;
  case AL_SD_TRAILING: time = nearbyint(n_train - i * ((double)n_train / n)) - 1; break;
  case AL_SD_LINSPACE: time = parts > 1 ? (double)back * (n_train - 1) / (parts - 1) : 0; break;
  }
  time = spacing->whole ? nearbyint(time) : time;
  return fmin(fmax(time, 0), n_train - 1);
}

void al_plan_times(const struct al_schedule *schedule, const struct al_spacing *spacing, int n, struct al_plan *plan)
{
  plan->n = n;
  for (int i = 0; i < n; i++) {
    plan->times[i] = time_at(schedule, spacing, n, i);
    plan->sigmas[i] = al_schedule_sigma(schedule, plan->times[i]);
  }
  plan->sigmas[n] = 0;
}

void al_plan_karras(struct al_plan *plan, double greatest, double least)
{
  constexpr double RHO = 7;
  double a = pow(greatest, 1 / RHO), b = pow(least, 1 / RHO);
  for (int i = 0; i < plan->n; i++)
    plan->sigmas[i] = pow(a + (plan->n > 1 ? (double)i / (plan->n - 1) : 0) * (b - a), RHO);
  plan->sigmas[plan->n] = 0;
}
