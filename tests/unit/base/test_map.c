#include "base/alloc.h"
#include "base/map.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <stdio.h>

static int values[4];

static void sets_gets_and_removes(void **state)
{
  (void)state;
  AL_CLEANUP(al_map_free_p) struct al_map *map = al_map_new(10);
  assert_null(al_map_get(map, al_str("a")));
  assert_null(al_map_remove(map, al_str("a")));
  assert_int_equal(al_map_set(map, al_str("a"), &values[0], nullptr), AL_OK);
  assert_int_equal(al_map_set(map, al_str_n("a\0b", 3), &values[1], nullptr), AL_OK);
  assert_int_equal(al_map_set(map, (struct al_str){}, &values[2], nullptr), AL_OK);
  assert_int_equal(al_map_count(map), 3);
  assert_ptr_equal(al_map_get(map, al_str_n("a\0b", 3)), &values[1]);
  assert_ptr_equal(al_map_get(map, al_str("")), &values[2]);
  assert_int_equal(al_map_set(map, al_str("a"), &values[3], nullptr), AL_OK);
  assert_int_equal(al_map_count(map), 3);
  assert_ptr_equal(al_map_remove(map, al_str("a")), &values[3]);
  assert_false(al_map_has(map, al_str("a")));
  assert_int_equal(al_map_count(map), 2);
}

static void holds_to_its_cap(void **state)
{
  (void)state;
  AL_CLEANUP(al_map_free_p) struct al_map *map = al_map_new(2);
  assert_int_equal(al_map_set(map, al_str("a"), values, nullptr), AL_OK);
  assert_int_equal(al_map_set(map, al_str("b"), values, nullptr), AL_OK);
  assert_int_equal(al_map_set(map, al_str("c"), values, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(al_map_set(map, al_str("a"), values, nullptr), AL_OK);
  assert_non_null(al_map_remove(map, al_str("a")));
  assert_int_equal(al_map_set(map, al_str("c"), values, nullptr), AL_OK);
}

/* A long life of removals and insertions beside a plain array that knows the truth. */
static void agrees_with_a_plain_array(void **state)
{
  (void)state;
  enum { N = 500 };
  static char there[N];
  AL_CLEANUP(al_map_free_p) struct al_map *map = al_map_new(N);
  uint32_t random = 12345;
  size_t count = 0;
  for (int step = 0; step < 50'000; step++) {
    random = random * 1664525 + 1013904223;
    size_t i = (random >> 8) % N;
    char key[16];
    (void)snprintf(key, sizeof key, "key-%zu", i);
    if ((random >> 30) == 0) {
      assert_ptr_equal(al_map_remove(map, al_str(key)), there[i] ? &there[i] : nullptr);
      count -= there[i] != 0;
      there[i] = 0;
    } else {
      assert_int_equal(al_map_set(map, al_str(key), &there[i], nullptr), AL_OK);
      count += there[i] == 0;
      there[i] = 1;
    }
    assert_int_equal(al_map_count(map), count);
  }
  for (size_t i = 0; i < N; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key-%zu", i);
    assert_int_equal(al_map_has(map, al_str(key)), there[i]);
  }
}

static void walks_in_insertion_order(void **state)
{
  (void)state;
  AL_CLEANUP(al_map_free_p) struct al_map *map = al_map_new(100);
  for (char c = 'a'; c <= 'z'; c++)
    assert_int_equal(al_map_set(map, al_str_n(&c, 1), values, nullptr), AL_OK);
  for (char c = 'b'; c <= 'y'; c++)
    assert_non_null(al_map_remove(map, al_str_n(&c, 1)));
  assert_int_equal(al_map_set(map, al_str("b"), values, nullptr), AL_OK);
  size_t at = 0;
  struct al_str key;
  void *value;
  assert_true(al_map_next(map, &at, &key, &value) && al_str_is(key, "a"));
  assert_true(al_map_next(map, &at, &key, &value) && al_str_is(key, "z"));
  assert_true(al_map_next(map, &at, &key, &value) && al_str_is(key, "b"));
  assert_false(al_map_next(map, &at, &key, &value));
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  for (size_t at = 1; at < 80; at++) {
    AL_CLEANUP(al_map_free_p) struct al_map *map = nullptr;
    (void)al_alloc_fail_at(at);
    map = al_map_new(100);
    size_t n_set = 0;
    for (int i = 0; map != nullptr && i < 50; i++) {
      char key[16];
      (void)snprintf(key, sizeof key, "%d", i);
      n_set += al_map_set(map, al_str(key), values, nullptr) == AL_OK;
    }
    (void)al_alloc_fail_at(0);
    if (map != nullptr)
      assert_int_equal(al_map_count(map), n_set);
    assert_true(map == nullptr || n_set >= 49);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sets_gets_and_removes),        cmocka_unit_test(holds_to_its_cap),
    cmocka_unit_test(agrees_with_a_plain_array),    cmocka_unit_test(walks_in_insertion_order),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("base/map", tests, nullptr, nullptr);
}
