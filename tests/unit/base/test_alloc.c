#include "base/alloc.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <string.h>

static void fails_the_nth_allocation_once(void **state)
{
  (void)state;
  (void)al_alloc_fail_at(2);
  void *first = al_alloc(1), *second = al_calloc(1, 1), *third = al_alloc(1);
  assert_true(first != nullptr && second == nullptr && third != nullptr);
  assert_int_equal(al_alloc_fail_at(0), 3);
  al_free(first);
  al_free(third);
  assert_int_equal(al_alloc_fail_at(0), 0);
}

static void refuses_overflow(void **state)
{
  (void)state;
  assert_null(al_calloc(SIZE_MAX / 2, 3));
  assert_null(al_strndup("x", SIZE_MAX));
  void *array = nullptr;
  size_t capacity = 0;
  assert_int_equal(al_grow(&array, &capacity, SIZE_MAX, 1, nullptr), AL_OOM_RAM);
  assert_int_equal(al_grow(&array, &capacity, SIZE_MAX / 4, 8, nullptr), AL_OOM_RAM);
  assert_true(array == nullptr && capacity == 0);
}

static void allocates_nothing_as_something(void **state)
{
  (void)state;
  void *a = al_alloc(0), *b = al_calloc(0, 0), *c = al_realloc(nullptr, 0);
  assert_true(a != nullptr && b != nullptr && c != nullptr);
  al_free(a);
  al_free(b);
  al_free(c);
  al_free(nullptr);
}

static void copies_text(void **state)
{
  (void)state;
  char *a = al_strdup("abc"), *b = al_strndup("a\0c", 3), *c = al_strndup(nullptr, 0);
  assert_string_equal(a, "abc");
  assert_memory_equal(b, "a\0c", 4);
  assert_string_equal(c, "");
  al_free(a);
  al_free(b);
  al_free(c);
}

static void grows_by_doubling_and_keeps_on_failure(void **state)
{
  (void)state;
  AL_CLEANUP(al_free_p) int *numbers = nullptr;
  size_t capacity = 0;
  for (int i = 0; i < 100; i++) {
    void *array = numbers;
    assert_int_equal(al_grow(&array, &capacity, (size_t)i + 1, sizeof *numbers, nullptr), AL_OK);
    numbers = array;
    numbers[i] = i;
  }
  assert_int_equal(capacity, 128);
  void *array = numbers;
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_grow(&array, &capacity, 129, sizeof *numbers, nullptr), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  assert_true(array == numbers && capacity == 128 && numbers[99] == 99);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fails_the_nth_allocation_once),          cmocka_unit_test(refuses_overflow),
    cmocka_unit_test(allocates_nothing_as_something),         cmocka_unit_test(copies_text),
    cmocka_unit_test(grows_by_doubling_and_keeps_on_failure),
  };
  return cmocka_run_group_tests_name("base/alloc", tests, nullptr, nullptr);
}
