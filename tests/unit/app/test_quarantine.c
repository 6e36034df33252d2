#include "app/quarantine.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

constexpr int64_t MINUTE_NS = INT64_C(60) * 1'000'000'000;

static void third_crash_in_the_window_quarantines_that_model_alone(void **state)
{
  (void)state;
  struct al_quarantine quarantine = {};
  assert_false(al_quarantine_blame(&quarantine, "bad", 1 * MINUTE_NS));
  assert_false(al_quarantine_blame(&quarantine, "good", 1 * MINUTE_NS));
  assert_false(al_quarantine_blame(&quarantine, "bad", 2 * MINUTE_NS));
  assert_true(al_quarantine_blame(&quarantine, "bad", 3 * MINUTE_NS));
  assert_false(al_quarantine_blame(&quarantine, "bad", 4 * MINUTE_NS)); /* it is there already */
  const char *ids[4];
  assert_int_equal(al_quarantine_ids(&quarantine, ids, 4), 1);
  assert_string_equal(ids[0], "bad");
}

static void crashes_far_apart_are_forgiven(void **state)
{
  (void)state;
  struct al_quarantine quarantine = {};
  for (int i = 1; i < 50; i++)
    assert_false(al_quarantine_blame(&quarantine, "slow", i * 6 * MINUTE_NS));
}

static void is_bounded(void **state)
{
  (void)state;
  static struct al_quarantine quarantine;
  for (int i = 0; i < 1000; i++) {
    char id[600];
    (void)snprintf(id, sizeof id, "%0500d", i);
    (void)al_quarantine_blame(&quarantine, id, MINUTE_NS);
  }
  assert_true(quarantine.n_entries <= AL_QUARANTINE_MAX_MODELS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(third_crash_in_the_window_quarantines_that_model_alone),
    cmocka_unit_test(crashes_far_apart_are_forgiven),
    cmocka_unit_test(is_bounded),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
