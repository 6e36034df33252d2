#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
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

struct told {
  struct al_cancel_watch watch;
  int n;
};

static void note(void *user)
{
  struct told *told = user;
  told->n++;
}

static void tells_those_who_watch_once(void **state)
{
  (void)state;
  struct al_cancel *cancel = al_cancel_new();
  struct told told[3] = {};
  for (int i = 0; i < 3; i++) {
    told[i].watch = (struct al_cancel_watch){ .fired = note, .user = &told[i] };
    assert_true(al_cancel_watch(cancel, &told[i].watch));
  }
  al_cancel_unwatch(cancel, &told[1].watch);
  al_cancel_unwatch(cancel, &told[1].watch); /* it does not watch any more */
  al_cancel_fire(cancel, AL_TIMEOUT);
  al_cancel_fire(cancel, AL_CANCELLED);
  assert_int_equal(told[0].n, 1);
  assert_int_equal(told[1].n, 0);
  assert_int_equal(told[2].n, 1);
  assert_false(al_cancel_watch(cancel, &told[1].watch)); /* too late */
  for (int i = 0; i < 3; i++)
    al_cancel_unwatch(cancel, &told[i].watch);
  assert_int_equal(told[1].n, 0);
  assert_true(al_cancel_watch(nullptr, &told[1].watch));
  al_cancel_unwatch(nullptr, &told[1].watch);
  al_cancel_unref(cancel);
}

static void drop_reference(void *user)
{
  al_cancel_unref(user);
}

static void whoever_is_told_may_drop_the_last_reference(void **state)
{
  (void)state;
  struct al_cancel *cancel = al_cancel_new();
  struct al_cancel_watch watch = { .fired = drop_reference, .user = cancel };
  assert_true(al_cancel_watch(cancel, &watch));
  al_cancel_fire(cancel, AL_CANCELLED);
}

struct meeting {
  struct al_cancel *cancel;
  struct al_mutex mutex;
  struct al_cond changed;
  bool inside, released, left;
};

static void linger(void *user)
{
  struct meeting *meeting = user;
  AL_LOCKED(&meeting->mutex);
  meeting->inside = true;
  al_cond_broadcast(&meeting->changed);
  while (!meeting->released)
    (void)al_cond_wait(&meeting->changed, &meeting->mutex, AL_NO_DEADLINE);
  meeting->left = true;
}

static void fire_meeting(void *argument)
{
  al_cancel_fire(((struct meeting *)argument)->cancel, AL_CANCELLED);
}

static void release_meeting(void *argument)
{
  struct meeting *meeting = argument;
  AL_LOCKED(&meeting->mutex);
  meeting->released = true;
  al_cond_broadcast(&meeting->changed);
}

static void unwatch_waits_for_who_is_being_told(void **state)
{
  (void)state;
  struct meeting meeting = { .cancel = al_cancel_new() };
  struct al_cancel_watch watch = { .fired = linger, .user = &meeting };
  struct al_thread firing = {}, releasing = {};
  al_mutex_init(&meeting.mutex);
  al_cond_init(&meeting.changed);
  assert_true(al_cancel_watch(meeting.cancel, &watch));
  assert_int_equal(al_thread_start(&firing, "fire", fire_meeting, &meeting, nullptr), AL_OK);
  al_mutex_lock(&meeting.mutex);
  while (!meeting.inside)
    (void)al_cond_wait(&meeting.changed, &meeting.mutex, AL_NO_DEADLINE);
  al_mutex_unlock(&meeting.mutex);
  assert_int_equal(al_thread_start(&releasing, "release", release_meeting, &meeting, nullptr), AL_OK);
  al_cancel_unwatch(meeting.cancel, &watch);
  assert_true(meeting.left);
  al_thread_join(&firing);
  al_thread_join(&releasing);
  al_cond_done(&meeting.changed);
  al_mutex_done(&meeting.mutex);
  al_cancel_unref(meeting.cancel);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keeps_the_first_reason),
    cmocka_unit_test(a_missing_token_never_fires),
    cmocka_unit_test(is_shared_between_threads),
    cmocka_unit_test(tells_those_who_watch_once),
    cmocka_unit_test(whoever_is_told_may_drop_the_last_reference),
    cmocka_unit_test(unwatch_waits_for_who_is_being_told),
  };
  return cmocka_run_group_tests_name("base/cancel", tests, nullptr, nullptr);
}
