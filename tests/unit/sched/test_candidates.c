#include "sched/candidates.h"

#include "base/alloc.h"
#include "sched/rng.h"

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { N = 5000 };

static float logits[N];

static void fill(uint64_t seed, float spread)
{
  struct al_rng rng;
  al_rng_init(&rng, seed);
  for (int i = 0; i < N; i++)
    logits[i] = floorf((float)al_rng_unit(&rng) * spread * 64) / 64; /* with ties */
}

static int better(const void *a, const void *b)
{
  const struct al_candidate *x = a, *y = b;
  if (x->logit > y->logit)
    return -1;
  if (x->logit < y->logit)
    return 1;
  return x->token < y->token ? -1 : x->token > y->token;
}

static void sorted(struct al_candidate *all)
{
  for (int i = 0; i < N; i++)
    all[i] = (struct al_candidate){ logits[i], i };
  qsort(all, N, sizeof *all, better);
}

static void the_generator_is_xoshiro256ss(void **)
{
  /* The reference implementation's first outputs for the state 1, 2, 3, 4. */
  static const uint64_t expected[] = { 11520, 0, 1509978240, 1215971899390074240 };
  struct al_rng rng = { .state = { 1, 2, 3, 4 } };
  for (size_t i = 0; i < AL_COUNT(expected); i++)
    assert_true(al_rng_next(&rng) == expected[i]);
}

static void selection_equals_sorting(void **)
{
  static const size_t counts[] = { 1, 2, 40, 64, 1000, 1024, 1025, 4999, 5000, 6000, 0 };
  static struct al_candidate all[N];
  struct al_candidates list = {};
  for (uint64_t seed = 1; seed < 4; seed++) {
    fill(seed, 20);
    sorted(all);
    for (size_t i = 0; i < AL_COUNT(counts); i++) {
      assert_int_equal(al_candidates_top_k(&list, logits, N, counts[i], nullptr), AL_OK);
      size_t expected = counts[i] == 0 || counts[i] > N ? N : counts[i];
      assert_int_equal(list.count, expected);
      assert_memory_equal(list.items, all, expected * sizeof *all);
    }
  }
  al_candidates_done(&list);
}

static void the_head_for_top_p_covers_p(void **)
{
  static const float spreads[] = { 0.1f, 5, 20, 100 };
  struct al_candidates list = {};
  for (size_t i = 0; i < AL_COUNT(spreads); i++) {
    fill(7, spreads[i]);
    double whole = 0, head = 0;
    for (int t = 0; t < N; t++)
      whole += exp((double)(logits[t] - al_logits_max(logits, N)));
    assert_int_equal(al_candidates_for_top_p(&list, logits, N, 0.9, nullptr), AL_OK);
    for (size_t t = 0; t < list.count; t++)
      head += al_candidate_weight(&list, t);
    assert_true(head >= 0.9 * whole);
    assert_true(fabs(list.mass - whole) < 1e-5 * whole);
  }
  al_candidates_done(&list);
}

static void the_largest_is_found_everywhere(void **)
{
  fill(3, 5);
  for (size_t n = 1; n < 70; n++) {
    for (size_t at = 0; at < n; at++) {
      float before = logits[at];
      logits[at] = 100;
      assert_int_equal(al_logits_argmax(logits, n), at);
      assert_true(al_logits_max(logits, n) >= 100);
      logits[at] = before;
    }
  }
  logits[10] = logits[20] = 50;
  assert_int_equal(al_logits_argmax(logits, N), 10);
}

static void odd_values_are_repaired(void **)
{
  float few[] = { NAN, INFINITY, -INFINITY, 1, -NAN };
  assert_true(al_logits_repair(few, AL_COUNT(few)));
  assert_true(isinf(few[0]) && few[0] < 0 && isinf(few[4]) && isinf(few[2]));
  assert_true(few[1] >= FLT_MAX && !isinf(few[1]) && few[3] >= 1 && few[3] <= 1);
  float none[] = { NAN, -INFINITY };
  assert_false(al_logits_repair(none, AL_COUNT(none)));
}

static void the_exponential_is_exact_enough(void **)
{
  static float few[2000], weights[2000];
  for (int i = 0; i < 2000; i++)
    few[i] = -(float)i * 0.05f;
  double total = al_logits_exp_sum(few, 2000, 0, 1, weights), expected = 0;
  for (int i = 0; i < 2000; i++) {
    double exact = (double)few[i] < -87 ? 0 : exp((double)few[i]);
    expected += exact;
    assert_true(fabs((double)weights[i] - exact) <= 4e-7 * exact);
  }
  assert_true(fabs(total - expected) < 1e-5);
}

static void no_memory_is_an_error(void **)
{
  struct al_candidates list = {};
  fill(1, 5);
  for (size_t n = 1; n < 3; n++) {
    struct al_err err = {};
    (void)al_alloc_fail_at(n);
    assert_int_equal(al_candidates_top_k(&list, logits, N, 0, &err), AL_OOM_RAM);
    (void)al_alloc_fail_at(0);
    al_candidates_done(&list);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_generator_is_xoshiro256ss), cmocka_unit_test(selection_equals_sorting),
    cmocka_unit_test(the_head_for_top_p_covers_p),   cmocka_unit_test(the_largest_is_found_everywhere),
    cmocka_unit_test(odd_values_are_repaired),       cmocka_unit_test(the_exponential_is_exact_enough),
    cmocka_unit_test(no_memory_is_an_error),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
