/* The whole chain: what is drawn, how often, from settings. The parts are held against llama.cpp in test_oracle.c. */
#include "base/alloc.h"
#include "sched/dry.h"
#include "sched/rng.h"
#include "sched/sampler.h"

#include <cmocka.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

constexpr int VOCAB = 12;
constexpr int DRAWS = 40'000;

/* p = 0.40 0.20 0.10 0.08 0.07 0.05 0.04 0.03 0.02 0.01 0 0, in a mixed order */
static const double probabilities[VOCAB] = { 0.05, 0.40, 0.02, 0.20, 0.10, 0.01, 0.08, 0.07, 0.04, 0.03, 0, 0 };

static void fill(float *logits)
{
  for (int i = 0; i < VOCAB; i++)
    logits[i] = probabilities[i] > 0 ? (float)log(probabilities[i]) + 3 : -INFINITY;
}

static struct al_sampler *sampler_of(const struct al_sampling *sampling)
{
  struct al_sampler_options options = { .sampling = *sampling, .n_vocab = VOCAB };
  struct al_sampler *sampler;
  options.sampling.has_seed = true;
  options.sampling.seed = 42;
  assert_int_equal(al_sampler_new(&options, &sampler, nullptr), AL_OK);
  return sampler;
}

static int32_t choose(struct al_sampler *sampler)
{
  float logits[VOCAB];
  int32_t token = -1;
  fill(logits);
  assert_int_equal(al_sampler_choose(sampler, logits, &token, nullptr), AL_OK);
  assert_int_in_range(token, 0, VOCAB - 1);
  return token;
}

/* Draws many times with a fixed seed and compares with the expected distribution by chi-square: 11 degrees of freedom
 * exceed 31.3 once in a thousand seeds, and this seed does not. */
static void assert_distribution(const struct al_sampling *sampling, const double *expected)
{
  struct al_sampler *sampler = sampler_of(sampling);
  int counts[VOCAB] = {};
  double chi_square = 0;
  for (int i = 0; i < DRAWS; i++)
    counts[choose(sampler)]++;
  for (int i = 0; i < VOCAB; i++) {
    double mean = expected[i] * DRAWS;
    if (mean <= 0)
      assert_int_equal(counts[i], 0);
    else
      chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
  }
  assert_true(chi_square < 31.3);
  al_sampler_free(sampler);
}

/* Keeps the tokens of probability at least `least`, raised to 1/temperature. */
static void expect(double *expected, double least, double temperature)
{
  double total = 0;
  for (int i = 0; i < VOCAB; i++) {
    bool kept = probabilities[i] > 0 && probabilities[i] >= least - 1e-9;
    expected[i] = kept ? pow(probabilities[i], 1 / temperature) : 0;
    total += expected[i];
  }
  for (int i = 0; i < VOCAB; i++)
    expected[i] /= total;
}

static void draws_follow_the_distribution(void **)
{
  double expected[VOCAB];
  struct al_sampling s = al_sampling_default();
  expect(expected, 0, 1);
  assert_distribution(&s, expected);
  s.temperature = 0.5f;
  expect(expected, 0, 0.5);
  assert_distribution(&s, expected);
  s.temperature = 2;
  s.top_k = 3;
  expect(expected, 0.10, 2);
  assert_distribution(&s, expected);
  s = al_sampling_default();
  s.top_p = 0.79f; /* 0.40 0.20 0.10 0.08 and 0.07 reach 0.85 */
  expect(expected, 0.07, 1);
  assert_distribution(&s, expected);
  s = al_sampling_default();
  s.min_p = 0.19f; /* 0.076 and more */
  expect(expected, 0.08, 1);
  assert_distribution(&s, expected);
  s.top_k = 6;
  s.top_p = 0.65f; /* of the six: 0.40 and 0.20 of 0.90 reach 0.667 */
  s.temperature = 0.8f;
  expect(expected, 0.20, 0.8);
  assert_distribution(&s, expected);
}

static void xtc_drops_the_top_choices_as_often_as_told(void **)
{
  double with[VOCAB], without[VOCAB], expected[VOCAB];
  struct al_sampling s = al_sampling_default();
  s.xtc_threshold = 0.09f;
  s.xtc_probability = 0.25f;
  expect(without, 0, 1);
  double total = 0;
  for (int i = 0; i < VOCAB; i++)
    total += with[i] = probabilities[i] > 0.11 ? 0 : probabilities[i]; /* 0.10, the least of the top, stays */
  for (int i = 0; i < VOCAB; i++)
    expected[i] = 0.25 * with[i] / total + 0.75 * without[i];
  assert_distribution(&s, expected);
}

static void greedy_takes_the_best_after_penalties(void **)
{
  struct al_sampling s = al_sampling_default();
  s.temperature = 0;
  s.xtc_probability = 1; /* has no say */
  struct al_sampler *sampler = sampler_of(&s);
  assert_int_equal(choose(sampler), 1);
  al_sampler_free(sampler);
  s.frequency_penalty = 0.4f;
  sampler = sampler_of(&s);
  assert_int_equal(al_sampler_accept(sampler, (const int32_t[]){ 1, 5, 1 }, 3, nullptr), AL_OK);
  assert_int_equal(choose(sampler), 3); /* ln 0.40 - 0.8 < ln 0.20 */
  al_sampler_free(sampler);
  s.penalty_last_n = 1;
  sampler = sampler_of(&s);
  assert_int_equal(al_sampler_accept(sampler, (const int32_t[]){ 1, 5, 1 }, 3, nullptr), AL_OK);
  assert_int_equal(choose(sampler), 1); /* only one of them is seen */
  al_sampler_free(sampler);
}

static void biases_force_and_forbid(void **)
{
  static const struct al_logit_bias bias[] = { { 1, -INFINITY }, { 5, 100 }, { 5, -100 }, { 99, 1 }, { -1, 1 } };
  struct al_sampling s = al_sampling_default();
  s.temperature = 0;
  s.logit_bias = bias;
  s.n_logit_bias = 5;
  struct al_sampler *sampler = sampler_of(&s);
  assert_int_equal(choose(sampler), 3);
  al_sampler_free(sampler);
  s.n_logit_bias = 2;
  s.temperature = 1;
  sampler = sampler_of(&s);
  for (int i = 0; i < 100; i++)
    assert_int_equal(choose(sampler), 5);
  al_sampler_free(sampler);
}

static void a_seed_decides_everything(void **)
{
  struct al_sampling s = al_sampling_default();
  s.top_p = 0.95f;
  struct al_sampler *a = sampler_of(&s), *b = sampler_of(&s);
  s.has_seed = false;
  struct al_sampler_options options = { .sampling = s, .n_vocab = VOCAB };
  struct al_sampler *random;
  assert_int_equal(al_sampler_new(&options, &random, nullptr), AL_OK);
  int n_different = 0;
  for (int i = 0; i < 200; i++) {
    int32_t token = choose(a);
    assert_int_equal(choose(b), token);
    n_different += choose(random) != token;
  }
  assert_true(n_different > 0);
  al_sampler_free(a);
  al_sampler_free(b);
  al_sampler_free(random);
}

static void hopeless_logits_are_an_error(void **)
{
  struct al_sampling s = al_sampling_default();
  struct al_sampler *sampler = sampler_of(&s);
  float logits[VOCAB];
  int32_t token = -7;
  struct al_err err = {};
  for (int i = 0; i < VOCAB; i++)
    logits[i] = i % 2 == 0 ? NAN : -INFINITY;
  assert_int_equal(al_sampler_choose(sampler, logits, &token, &err), AL_INTERNAL);
  assert_int_equal(token, -7);
  logits[3] = INFINITY;
  assert_int_equal(al_sampler_choose(sampler, logits, &token, &err), AL_OK);
  assert_int_equal(token, 3);
  al_sampler_free(sampler);
}

/* --- mirostat --------------------------------------------------------------------------------------------------- */

static void mirostat_keeps_the_surprise_near_tau(void **)
{
  constexpr int WORDS = 2000;
  constexpr int STEPS = 4000;
  static float zipf[WORDS], logits[WORDS];
  double total = 0, surprise = 0;
  for (int i = 0; i < WORDS; i++)
    total += exp((double)(zipf[i] = -logf((float)(i + 1))));
  for (int version = 1; version <= 2; version++) {
    struct al_sampler_options options = { .sampling = al_sampling_default(), .n_vocab = WORDS };
    options.sampling.mirostat = version;
    options.sampling.mirostat_tau = 4;
    options.sampling.has_seed = true;
    struct al_sampler *sampler;
    assert_int_equal(al_sampler_new(&options, &sampler, nullptr), AL_OK);
    surprise = 0;
    for (int i = 0; i < STEPS; i++) {
      int32_t token;
      memcpy(logits, zipf, sizeof logits);
      assert_int_equal(al_sampler_choose(sampler, logits, &token, nullptr), AL_OK);
      surprise += version == 2 ? -log2(exp((double)zipf[token]) / total) : 0;
      assert_int_in_range(token, 0, WORDS - 1);
    }
    al_sampler_free(sampler);
  }
  /* Version 2 corrects by the surprise within what it kept, so that over all words lies somewhat above tau. */
  assert_true(surprise / STEPS > 3.5 && surprise / STEPS < 6);
}

/* --- DRY -------------------------------------------------------------------------------------------------------- */

/* The definition, without cleverness: for every earlier position, how long a run ends before it that also ends the
 * text. */
static void dry_by_definition(const int32_t *text, int n, const struct al_sampling *s, const uint8_t *breakers,
                              float *logits)
{
  int longest[VOCAB] = {}, limit = 0;
  while (limit < n && ((breakers[text[n - 1 - limit] / 8] >> (text[n - 1 - limit] % 8)) & 1) == 0)
    limit++;
  for (int next = 1; next < n; next++) {
    int run = 0;
    while (run < next && run < limit && text[next - 1 - run] == text[n - 1 - run])
      run++;
    int32_t token = text[next];
    if (((breakers[token / 8] >> (token % 8)) & 1) == 0 && run > longest[token])
      longest[token] = run;
  }
  for (int i = 0; i < VOCAB; i++)
    if (longest[i] >= s->dry_allowed_length)
      logits[i] -= s->dry_multiplier * powf(s->dry_base, (float)(longest[i] - s->dry_allowed_length));
}

static void dry_equals_its_definition(void **)
{
  struct al_sampling s = al_sampling_default();
  s.dry_multiplier = 0.8f;
  uint8_t breakers[VOCAB / 8 + 1] = { 1 << 3 }; /* token 3 */
  struct al_rng rng;
  al_rng_init(&rng, 5);
  for (int round = 0; round < 500; round++) {
    int32_t text[60];
    int n = 2 + (int)(al_rng_next(&rng) % 58), n_words = 2 + round % 3;
    for (int i = 0; i < n; i++)
      text[i] = (int32_t)(al_rng_next(&rng) % (uint64_t)n_words) + (round % 2);
    struct al_history history;
    struct al_dry dry = { .breakers = breakers };
    float expected[VOCAB] = {}, logits[VOCAB] = {};
    s.dry_allowed_length = 1 + round % 4;
    al_history_init(&history, SIZE_MAX);
    assert_int_equal(al_history_add(&history, text, (size_t)n, nullptr), AL_OK);
    assert_int_equal(al_dry_apply(&dry, &s, &history, logits, VOCAB, nullptr), AL_OK);
    dry_by_definition(text, n, &s, breakers, expected);
    for (int i = 0; i < VOCAB; i++)
      assert_true(fabsf(logits[i] - expected[i]) <= 1e-5f * fabsf(expected[i]));
    al_history_done(&history);
    al_dry_done(&dry);
  }
}

static void the_history_keeps_the_last_ones(void **)
{
  struct al_history history;
  al_history_init(&history, 5);
  for (int32_t i = 0; i < 1000; i++)
    assert_int_equal(al_history_add(&history, &i, 1, nullptr), AL_OK);
  size_t count;
  const int32_t *last = al_history_last(&history, 3, &count);
  assert_int_equal(count, 3);
  assert_int_equal(last[0], 997);
  assert_int_equal(last[2], 999);
  assert_true(history.capacity <= 16);
  static int32_t many[5000];
  many[4999] = 7;
  assert_int_equal(al_history_add(&history, many, 5000, nullptr), AL_OK);
  last = al_history_last(&history, 5, &count);
  assert_int_equal(count, 5);
  assert_int_equal(last[4], 7);
  al_history_done(&history);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(draws_follow_the_distribution),
    cmocka_unit_test(xtc_drops_the_top_choices_as_often_as_told),
    cmocka_unit_test(greedy_takes_the_best_after_penalties),
    cmocka_unit_test(biases_force_and_forbid),
    cmocka_unit_test(a_seed_decides_everything),
    cmocka_unit_test(hopeless_logits_are_an_error),
    cmocka_unit_test(mirostat_keeps_the_surprise_near_tau),
    cmocka_unit_test(dry_equals_its_definition),
    cmocka_unit_test(the_history_keeps_the_last_ones),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
