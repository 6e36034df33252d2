#include "base/alloc.h"
#include "base/cancel.h"
#include "base/thread.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

static void keeps_the_first_reason(void **state)
{
  (void)state;
  struct al_cancel *cancel = al_cancel_new();
  assert_false(al_cancelled(cancel));
  al_cancel_fire(cancel, AL_TIMEOUT);
  al_cancel_fire(cancel, AL_CANCELLED);
  assert_int_equal(al_cancel_reason(cancel), AL_TIMEOUT);
  al_cancel_unref(cancel);
}

static void a_missing_token_never_fires(void **state)
{
  (void)state;
  al_cancel_fire(nullptr, AL_CANCELLED);
  assert_false(al_cancelled(nullptr));
  assert_null(al_cancel_ref(nullptr));
  al_cancel_unref(nullptr);
  (void)al_alloc_fail_at(1);
  assert_null(al_cancel_new());
  (void)al_alloc_fail_at(0);
}

static void fire_and_leave(void *argument)
{
  al_cancel_fire(argument, AL_CANCELLED);
  al_cancel_unref(argument);
}

static void is_shared_between_threads(void **state)
{
  (void)state;
  struct al_cancel *cancel = al_cancel_new();
  struct al_thread threads[4] = {};
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    assert_int_equal(al_thread_start(&threads[i], "fire", fire_and_leave, al_cancel_ref(cancel), nullptr), AL_OK);
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    al_thread_join(&threads[i]);
  assert_int_equal(al_cancel_reason(cancel), AL_CANCELLED);
  al_cancel_unref(cancel);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keeps_the_first_reason),
    cmocka_unit_test(a_missing_token_never_fires),
    cmocka_unit_test(is_shared_between_threads),
  };
  return cmocka_run_group_tests_name("base/cancel", tests, nullptr, nullptr);
}
