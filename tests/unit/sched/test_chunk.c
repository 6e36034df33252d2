#include "sched/chunk.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { BATCH = 512 };

/* A machine on which a prompt token takes so long, and a step without any `plain`. */
static size_t settle(int64_t token_ns, int64_t plain_ns)
{
  struct al_chunk chunk;
  al_chunk_init(&chunk, BATCH);
  for (int i = 0; i < 50; i++) {
    size_t n = al_chunk_limit(&chunk, true);
    al_chunk_learn(&chunk, 0, plain_ns);
    al_chunk_learn(&chunk, n, plain_ns + (int64_t)n * token_ns);
  }
  return al_chunk_limit(&chunk, true);
}

static void it_finds_the_size_for_the_target(void **)
{
  size_t size = settle(2'000'000, 10'000'000); /* 70 tokens take the 140 ms that are left */
  assert_true(size >= 50 && size <= 85);
}

static void a_fast_machine_takes_whole_batches(void **)
{
  assert_int_equal(settle(1'000, 1'000'000), BATCH);
}

static void a_slow_one_still_moves(void **)
{
  size_t size = settle(100'000'000, 10'000'000);
  assert_true(size >= 1 && size <= 32);
}

static void slow_steps_allow_slow_chunks(void **)
{
  /* three plain steps of 200 ms: 400 ms are left, 200 tokens */
  size_t size = settle(2'000'000, 200'000'000);
  assert_true(size >= 130 && size <= 250);
}

static void alone_a_prompt_gets_everything(void **)
{
  struct al_chunk chunk;
  al_chunk_init(&chunk, BATCH);
  al_chunk_learn(&chunk, 128, 5'000'000'000);
  assert_true(al_chunk_limit(&chunk, true) < 128);
  assert_int_equal(al_chunk_limit(&chunk, false), BATCH);
  al_chunk_init(&chunk, 32);
  assert_int_equal(al_chunk_limit(&chunk, true), 32);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_finds_the_size_for_the_target), cmocka_unit_test(a_fast_machine_takes_whole_batches),
    cmocka_unit_test(a_slow_one_still_moves),           cmocka_unit_test(slow_steps_allow_slow_chunks),
    cmocka_unit_test(alone_a_prompt_gets_everything),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
