#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <stdatomic.h>

static int items[5000];

static void is_first_in_first_out_and_bounded(void **state)
{
  (void)state;
  struct al_queue *queue = al_queue_new(3);
  for (int round = 0; round < 10; round++) {
    assert_true(al_queue_push(queue, &items[0]) && al_queue_push(queue, &items[1]) && al_queue_push(queue, &items[2]));
    assert_false(al_queue_push(queue, &items[3]));
    assert_int_equal(al_queue_count(queue), 3);
    assert_ptr_equal(al_queue_pop(queue, 0), &items[0]);
    assert_ptr_equal(al_queue_pop(queue, AL_NO_DEADLINE), &items[1]);
    assert_ptr_equal(al_queue_pop(queue, -5), &items[2]);
    assert_null(al_queue_pop(queue, 0));
  }
  al_queue_free(queue);
}

static void pops_end_at_the_deadline(void **state)
{
  (void)state;
  struct al_queue *queue = al_queue_new(1);
  int64_t deadline = al_deadline_in_ms(5);
  assert_null(al_queue_pop(queue, deadline));
  assert_true(al_now_ns() >= deadline);
  assert_null(al_queue_pop(queue, 1));
  assert_null(al_queue_pop(queue, -1));
  al_queue_free(queue);
}

static void drains_after_close(void **state)
{
  (void)state;
  struct al_queue *queue = al_queue_new(2);
  assert_true(al_queue_push(queue, &items[0]));
  al_queue_close(queue);
  assert_false(al_queue_push(queue, &items[1]));
  assert_ptr_equal(al_queue_pop(queue, AL_NO_DEADLINE), &items[0]);
  assert_null(al_queue_pop(queue, AL_NO_DEADLINE));
  al_queue_free(queue);
}

static void wakes_a_waiting_pop(void **state)
{
  (void)state;
  struct al_queue *queue = al_queue_new(2);
  al_queue_wake(queue);
  assert_null(al_queue_pop(queue, AL_NO_DEADLINE));
  al_queue_free(queue);
}

static void refuses_absurd_capacities(void **state)
{
  (void)state;
  assert_null(al_queue_new(SIZE_MAX / 8));
  assert_null(al_queue_new(SIZE_MAX));
  (void)al_alloc_fail_at(1);
  assert_null(al_queue_new(1));
  (void)al_alloc_fail_at(0);
  struct al_queue *none = al_queue_new(0);
  assert_false(al_queue_push(none, items));
  al_queue_free(none);
  al_queue_free(nullptr);
}

static atomic_size_t n_popped;

static void consume(void *argument)
{
  int *item;
  while ((item = al_queue_pop(argument, AL_NO_DEADLINE)) != nullptr) {
    (void)__atomic_fetch_add(item, 1, __ATOMIC_RELAXED);
    (void)atomic_fetch_add(&n_popped, 1);
  }
}

static void hands_every_item_over_once(void **state)
{
  (void)state;
  struct al_queue *queue = al_queue_new(AL_COUNT(items));
  struct al_thread threads[4] = {};
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    assert_int_equal(al_thread_start(&threads[i], "consumer", consume, queue, nullptr), AL_OK);
  for (size_t i = 0; i < AL_COUNT(items); i++)
    assert_true(al_queue_push(queue, &items[i]));
  al_queue_close(queue);
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    al_thread_join(&threads[i]);
  assert_int_equal(atomic_load(&n_popped), AL_COUNT(items));
  for (size_t i = 0; i < AL_COUNT(items); i++)
    assert_int_equal(items[i], 1);
  al_queue_free(queue);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(is_first_in_first_out_and_bounded),
    cmocka_unit_test(pops_end_at_the_deadline),
    cmocka_unit_test(drains_after_close),
    cmocka_unit_test(wakes_a_waiting_pop),
    cmocka_unit_test(refuses_absurd_capacities),
    cmocka_unit_test(hands_every_item_over_once),
  };
  return cmocka_run_group_tests_name("base/queue", tests, nullptr, nullptr);
}
