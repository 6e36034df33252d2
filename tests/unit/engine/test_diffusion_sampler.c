/* Noise, schedules and samplers where a value is known; tests/oracle compares them with the formulas. */
#include "base/alloc.h"
#include "engine/diffusion/noise.h"
#include "engine/diffusion/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Random123's known answers for philox4x32, 10 rounds. */
static void philox_is_philox(void **)
{
  static const struct {
    uint32_t counter[4], key[2], words[4];
  } known[] = {
    { {}, {}, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
      { UINT32_MAX, UINT32_MAX },
      { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
      { 0xa4093822, 0x299f31d0 },
      { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
  };
  for (size_t i = 0; i < AL_COUNT(known); i++) {
    uint32_t words[4];
    al_philox(known[i].counter, known[i].key, words);
    assert_memory_equal(words, known[i].words, sizeof words);
  }
}

static void noise_depends_on_seed_and_call(void **)
{
  struct al_noise a = { .seed = 1 }, b = { .seed = 1 }, c = { .seed = UINT64_C(1) << 32 | 1 };
  float first[100], again[100], other[100], second[100];
  al_noise_normal(&a, first, 100);
  al_noise_normal(&b, again, 100);
  al_noise_normal(&c, other, 100);
  al_noise_normal(&a, second, 100);
  assert_memory_equal(first, again, sizeof first);
  assert_memory_not_equal(first, other, sizeof first);
  assert_memory_not_equal(first, second, sizeof first);
  static float many[100'000];
  al_noise_normal(&a, many, AL_COUNT(many));
  double mean = 0, power = 0;
  for (size_t i = 0; i < AL_COUNT(many); i++) {
    assert_true(isfinite(many[i]));
    mean += (double)many[i] / AL_COUNT(many);
    power += (double)many[i] * (double)many[i] / AL_COUNT(many);
  }
  assert_true(fabs(mean) < 0.01 && fabs(power - 1) < 0.02);
}

static struct al_sd_schedule_config sd = { .n_train_steps = 1000,
                                           .beta_start = 0.00085,
                                           .beta_end = 0.012,
                                           .betas = AL_SD_BETAS_SCALED_LINEAR,
                                           .steps_offset = 1,
                                           .shift = 1 };

static void plans_visit_the_known_times(void **)
{
  static struct al_plan plan;
  AL_CLEANUP(al_schedule_done) struct al_schedule schedule = {};
  assert_int_equal(al_schedule_init(&schedule, &sd, nullptr), AL_OK);
  al_sampler_lcm.plan(&schedule, &al_sampler_lcm, 4, &plan);
  static const double lcm[] = { 999, 759, 499, 259 };
  assert_memory_equal(plan.times, lcm, sizeof lcm);
  al_sampler_ddim.plan(&schedule, &al_sampler_ddim, 50, &plan);
  assert_float_equal(plan.times[0], 981, 0);
  assert_float_equal(plan.times[49], 1, 0);
  assert_float_equal(al_schedule_sigma(&schedule, 999), 14.6146, 1e-3); /* of every Stable Diffusion */
  assert_float_equal(al_schedule_sigma(&schedule, 0), 0.0292, 1e-3);
  al_sampler_dpmpp_2m_karras.plan(&schedule, &al_sampler_dpmpp_2m_karras, 20, &plan);
  assert_float_equal(plan.sigmas[0], 14.6146, 1e-3);
  assert_float_equal(plan.sigmas[19], 0.0292, 1e-3);
  assert_float_equal(plan.sigmas[20], 0, 0);
}

/* A model that always knows the answer: every sampler ends there. */
static void samplers_arrive(void **)
{
  enum { N = 8 };
  const double answer[N] = { 0.5, -1, 2, 0, 0.1, -0.3, 1.5, -2 };
  for (size_t k = 0; al_sampler_at(k) != nullptr; k++) {
    const struct al_sampler *sampler = al_sampler_at(k);
    assert_ptr_equal(al_sampler_find(sampler->name), sampler);
    bool flow = sampler->space == AL_SPACE_FLOW;
    struct al_sd_schedule_config config = sd;
    config.prediction = flow ? AL_SD_FLOW : AL_SD_EPSILON;
    config.final_alpha_one = true;
    assert_true(al_sampler_fits(sampler, config.prediction));
    assert_false(al_sampler_fits(sampler, flow ? AL_SD_V : AL_SD_FLOW));
    AL_CLEANUP(al_schedule_done) struct al_schedule schedule = {};
    assert_int_equal(al_schedule_init(&schedule, &config, nullptr), AL_OK);
    static struct al_sampling sampling;
    assert_int_equal(al_sampling_init(&sampling, sampler, &schedule, 10, N, nullptr), AL_OK);
    struct al_noise noise = { .seed = 3 };
    float start[N];
    double output[N], zeros[N] = {}, ones[N], signal[N], share[N];
    float none[N] = {}, unit[N];
    for (int i = 0; i < N; i++)
      unit[i] = (float)(ones[i] = 1);
    al_noise_normal(&noise, start, N);
    al_sampling_begin(&sampling, 0, answer, start);
    for (int at = 0; at < 10; at++) {
      al_sampling_noised(&sampling, at, ones, none, signal);
      al_sampling_noised(&sampling, at, zeros, unit, share);
      for (int i = 0; i < N; i++) /* the noise (or the velocity) that makes the answer right */
        output[i] = flow ? (sampling.x[i] - answer[i]) / share[i] : (sampling.x[i] - signal[i] * answer[i]) / share[i];
      al_sampling_denoise(&sampling, at, output);
      for (int i = 0; i < N; i++)
        assert_float_equal(sampling.clean[i], answer[i], 1e-9);
      al_noise_normal(&noise, sampling.noise, N);
      al_sampling_step(&sampling, at);
    }
    for (int i = 0; i < N; i++)
      assert_true(fabs(sampling.x[i] - answer[i]) < (sampler == &al_sampler_lcm ? 1e-2 : 1e-9));
    al_sampling_done(&sampling);
  }
  assert_null(al_sampler_find("no such"));
}

static void guidance_is_rescaled(void **)
{
  const float uncond[] = { 0, 1, 2, 3 }, cond[] = { 1, 3, -2, 4 };
  double plain[4], all[4], half[4];
  al_guidance_apply(&(struct al_guidance){ 2, 0 }, uncond, cond, 4, plain);
  assert_float_equal(plain[0], 2, 1e-12);
  assert_float_equal(plain[2], -6, 1e-12);
  al_guidance_apply(&(struct al_guidance){ 2, 1 }, uncond, cond, 4, all);
  al_guidance_apply(&(struct al_guidance){ 2, 0.5 }, uncond, cond, 4, half);
  double mean_all = (all[0] + all[1] + all[2] + all[3]) / 4, mean_cond = 1.5, a = 0, c = 0;
  for (int i = 0; i < 4; i++) {
    a += (all[i] - mean_all) * (all[i] - mean_all);
    c += ((double)cond[i] - mean_cond) * ((double)cond[i] - mean_cond);
    assert_float_equal(half[i], (plain[i] + all[i]) / 2, 1e-12);
  }
  assert_float_equal(a, c, 1e-9);
}

static void memory_may_run_out(void **)
{
  struct al_schedule schedule = {};
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_schedule_init(&schedule, &sd, nullptr), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  assert_int_equal(al_schedule_init(&schedule, &sd, nullptr), AL_OK);
  for (size_t n = 1; n <= 4; n++) {
    static struct al_sampling sampling;
    (void)al_alloc_fail_at(n);
    assert_int_equal(al_sampling_init(&sampling, &al_sampler_ddim, &schedule, 4, 100, nullptr), AL_OOM_RAM);
    (void)al_alloc_fail_at(0);
    al_sampling_done(&sampling);
  }
  al_schedule_done(&schedule);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(philox_is_philox),
    cmocka_unit_test(noise_depends_on_seed_and_call),
    cmocka_unit_test(plans_visit_the_known_times),
    cmocka_unit_test(samplers_arrive),
    cmocka_unit_test(guidance_is_rescaled),
    cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
