#include "base/alloc.h"
#include "base/arena.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

static void gives_zeroed_aligned_memory(void **state)
{
  (void)state;
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(1 << 20);
  for (size_t i = 1; i < 300; i++) {
    unsigned char *bytes = al_arena_alloc(arena, i);
    assert_non_null(bytes);
    assert_int_equal((uintptr_t)bytes % alignof(max_align_t), 0);
    for (size_t j = 0; j < i; j++)
      assert_int_equal(bytes[j], 0);
    memset(bytes, 0xff, i);
  }
  assert_true(al_arena_used_bytes(arena) >= 300 * 299 / 2);
}

static void holds_to_its_cap(void **state)
{
  (void)state;
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(1024);
  assert_non_null(al_arena_alloc(arena, 1000));
  assert_null(al_arena_alloc(arena, 32));
  assert_non_null(al_arena_alloc(arena, 16));
  assert_null(al_arena_alloc(arena, 1));
  assert_null(al_arena_alloc(arena, SIZE_MAX));
  assert_null(al_arena_array(arena, SIZE_MAX / 2, 4));
  assert_null(al_arena_strndup(arena, "x", SIZE_MAX));
  assert_int_equal(al_arena_used_bytes(arena), 1024);
}

static void takes_blocks_larger_than_its_own(void **state)
{
  (void)state;
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(SIZE_MAX);
  char *large = al_arena_alloc(arena, 100'000);
  char *text = al_arena_strndup(arena, "hello", 4);
  assert_true(large != nullptr && large[99'999] == 0);
  assert_string_equal(text, "hell");
  assert_string_equal(al_arena_strndup(arena, nullptr, 0), "");
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  (void)al_alloc_fail_at(1);
  assert_null(al_arena_new(10));
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(1000);
  (void)al_alloc_fail_at(1);
  assert_null(al_arena_alloc(arena, 10));
  (void)al_alloc_fail_at(0);
  assert_int_equal(al_arena_used_bytes(arena), 0);
  assert_non_null(al_arena_alloc(arena, 10));
  al_arena_free(nullptr);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gives_zeroed_aligned_memory),
    cmocka_unit_test(holds_to_its_cap),
    cmocka_unit_test(takes_blocks_larger_than_its_own),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("base/arena", tests, nullptr, nullptr);
}
