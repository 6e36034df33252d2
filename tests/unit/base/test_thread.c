#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <signal.h>
#include <string.h>

static struct al_mutex mutex;
static struct al_cond cond;
static char name[16];
static bool all_blocked;
static int counter;

static void look_around(void *argument)
{
  *(int *)argument = 42;
  (void)pthread_getname_np(pthread_self(), name, sizeof name);
  sigset_t blocked;
  (void)pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  all_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGUSR1) == 1 &&
                sigismember(&blocked, SIGSEGV) == 0 && sigismember(&blocked, SIGABRT) == 0;
}

static void starts_named_with_signals_blocked(void **state)
{
  (void)state;
  struct al_thread thread = {};
  int answer = 0;
  assert_int_equal(al_thread_start(&thread, "a-name-that-is-too-long", look_around, &answer, nullptr), AL_OK);
  al_thread_join(&thread);
  al_thread_join(&thread);
  assert_int_equal(answer, 42);
  assert_string_equal(name, "a-name-that-is-");
  assert_true(all_blocked);
  sigset_t ours;
  (void)pthread_sigmask(SIG_BLOCK, nullptr, &ours);
  assert_int_equal(sigismember(&ours, SIGTERM), 0);
}

static void a_failed_start_leaves_nothing_to_join(void **state)
{
  (void)state;
  struct al_thread thread = {};
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_thread_start(&thread, "x", look_around, nullptr, nullptr), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  assert_false(thread.running);
  al_thread_join(&thread);
}

static void waits_end_at_the_deadline(void **state)
{
  (void)state;
  AL_LOCKED(&mutex);
  static const int64_t past[] = { INT64_MIN, -1, 0, 1, 999'999'999 };
  for (size_t i = 0; i < AL_COUNT(past); i++)
    assert_false(al_cond_wait(&cond, &mutex, past[i]));
  int64_t deadline = al_deadline_in_ms(5);
  while (al_cond_wait(&cond, &mutex, deadline))
    continue;
  assert_true(al_now_ns() >= deadline);
}

static void count_up(void *argument)
{
  (void)argument;
  for (int i = 0; i < 1000; i++) {
    AL_LOCKED(&mutex);
    if (++counter == 4000)
      al_cond_broadcast(&cond);
  }
}

static void locks_and_wakes(void **state)
{
  (void)state;
  struct al_thread threads[4] = {};
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    assert_int_equal(al_thread_start(&threads[i], "count", count_up, nullptr, nullptr), AL_OK);
  {
    AL_LOCKED(&mutex);
    while (counter < 4000)
      (void)al_cond_wait(&cond, &mutex, AL_NO_DEADLINE);
  }
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    al_thread_join(&threads[i]);
  assert_int_equal(counter, 4000);
}

static void deadlines_do_not_overflow(void **state)
{
  (void)state;
  assert_int_equal(al_deadline_in_ms(INT64_MAX), AL_NO_DEADLINE);
  assert_int_equal(al_deadline_in_ms(INT64_MAX / AL_NS_PER_MS), AL_NO_DEADLINE);
  assert_int_equal(al_deadline_in_ms(INT64_MIN), 0);
  int64_t before = al_now_ns();
  assert_true(al_deadline_in_ms(1000) >= before + 1000 * AL_NS_PER_MS);
  assert_true(al_wall_ms() / 1000 - al_wall_s() <= 1 && al_wall_s() > 1'700'000'000);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(starts_named_with_signals_blocked), cmocka_unit_test(a_failed_start_leaves_nothing_to_join),
    cmocka_unit_test(waits_end_at_the_deadline),         cmocka_unit_test(locks_and_wakes),
    cmocka_unit_test(deadlines_do_not_overflow),
  };
  al_mutex_init(&mutex);
  al_cond_init(&cond);
  int failed = cmocka_run_group_tests_name("base/thread", tests, nullptr, nullptr);
  al_cond_done(&cond);
  al_mutex_done(&mutex);
  return failed;
}
