/* The samplers on a toy model for tests in Python. On stdin, one drawing a line:
 *   SAMPLER N_STEPS SPACING OFFSET PREDICTION FINAL_ONE ZERO_SNR SHIFT FIRST N
 * (words of the configuration as numbers of their enums). On stdout: times, sigmas, what it began with, and x after
 * each step, a line each. The model says sin(0.7 x + 0.3 + time / 1000); noise k is sin(1 + 3 k + i), clean cos(i). */
#include "base/alloc.h"
#include "base/str.h"
#include "engine/diffusion/noise.h"
#include "engine/diffusion/sampler.h"

#include <math.h>
#include <stdio.h>

static void print(const double *values, size_t n)
{
  for (size_t i = 0; i < n; i++)
    printf(i + 1 < n ? "%.17g " : "%.17g\n", values[i]);
}

static void fill_noise(float *noise, size_t n, int k)
{
  for (size_t i = 0; i < n; i++)
    noise[i] = (float)sin(1 + 3 * k + (double)i);
}

static void draw(struct al_sampling *sampling, int first, float *input, double *work)
{
  size_t n = sampling->n;
  fill_noise(sampling->noise, n, 0);
  for (size_t i = 0; i < n; i++)
    work[i] = cos((double)i);
  al_sampling_begin(sampling, first, first > 0 ? work : nullptr, sampling->noise);
  print(sampling->x, n);
  for (int at = first; at < sampling->plan.n; at++) {
    al_sampling_input(sampling, at, input);
    for (size_t i = 0; i < n; i++)
      work[i] = sin(0.7 * (double)input[i] + 0.3 + sampling->plan.times[at] / 1000);
    al_sampling_denoise(sampling, at, work);
    fill_noise(sampling->noise, n, at + 1);
    al_sampling_step(sampling, at);
    print(sampling->x, n);
  }
}

static enum al_code run(const char *line, struct al_err *err)
{
  char name[32];
  int n_steps, spacing, offset, prediction, final_one, zero_snr, first;
  double shift;
  size_t n;
  if (sscanf(line, "%31s %d %d %d %d %d %d %lf %d %zu", name, &n_steps, &spacing, &offset, &prediction, &final_one,
             &zero_snr, &shift, &first, &n) != 10 ||
      n_steps < 1 || n_steps > AL_SD_MAX_STEPS || n > 1000 || al_sampler_find(name) == nullptr)
    return al_fail(err, AL_INVALID_REQUEST, "bad line");
  struct al_sd_schedule_config config = { .n_train_steps = 1000,
                                          .beta_start = 0.00085,
                                          .beta_end = 0.012,
                                          .betas = AL_SD_BETAS_SCALED_LINEAR,
                                          .prediction = (enum al_sd_prediction)prediction,
                                          .spacing = (enum al_sd_spacing)spacing,
                                          .steps_offset = offset,
                                          .final_alpha_one = final_one != 0,
                                          .zero_terminal_snr = zero_snr != 0,
                                          .shift = shift };
  AL_CLEANUP(al_schedule_done) struct al_schedule schedule = {};
  AL_TRY(al_schedule_init(&schedule, &config, err));
  static struct al_sampling sampling;
  AL_TRY(al_sampling_init(&sampling, al_sampler_find(name), &schedule, n_steps, n, err));
  AL_CLEANUP(al_free_p) float *input = al_calloc(n, sizeof *input);
  AL_CLEANUP(al_free_p) double *work = al_calloc(n, sizeof *work);
  print(sampling.plan.times, (size_t)n_steps);
  print(sampling.plan.sigmas, (size_t)n_steps + 1);
  draw(&sampling, first, input, work);
  al_sampling_done(&sampling);
  return AL_OK;
}

/* "noise SEED CALLS N": the numbers of the last call. */
static void noise(const char *line)
{
  struct al_noise source = {};
  unsigned long long seed = 0;
  int calls = 1;
  size_t n = 0;
  static float numbers[100'000];
  if (sscanf(line, "%llu %d %zu", &seed, &calls, &n) != 3 || n > AL_COUNT(numbers))
    return;
  source.seed = seed;
  for (int i = 0; i < calls; i++)
    al_noise_normal(&source, numbers, n);
  for (size_t i = 0; i < n; i++)
    printf(i + 1 < n ? "%.9g " : "%.9g\n", (double)numbers[i]);
}

int main(void)
{
  char line[256];
  while (fgets(line, sizeof line, stdin) != nullptr) {
    struct al_err err = {};
    if (al_str_starts(al_str(line), al_str("noise ")))
      noise(line + 6);
    else if (run(line, &err) != AL_OK)
      printf("error %s\n", err.message);
    (void)fflush(stdout);
  }
  return 0;
}
