#include "base/alloc.h"
#include "base/buf.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

static void appends_and_stays_terminated(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf buf = {};
  assert_string_equal(al_buf_view(&buf).data, "");
  al_buf_str(&buf, "ab");
  al_buf_char(&buf, 'c');
  al_buf_add(&buf, "\0d", 2);
  al_buf_printf(&buf, "%d%s", 42, "");
  al_buf_add(&buf, nullptr, 0);
  assert_int_equal(buf.size, 7);
  assert_memory_equal(buf.data, "abc\0d42", 8);
  assert_int_equal(al_buf_check(&buf, nullptr), AL_OK);
}

static void failure_sticks_at_the_cap(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf buf = {};
  al_buf_init(&buf, 5);
  al_buf_str(&buf, "12345");
  assert_int_equal(al_buf_check(&buf, nullptr), AL_OK);
  al_buf_char(&buf, '6');
  assert_string_equal(buf.data, "12345");
  struct al_err err = {};
  assert_int_equal(al_buf_check(&buf, &err), AL_OOM_RAM);
  al_buf_consume(&buf, 3);
  al_buf_char(&buf, 'x');
  assert_string_equal(buf.data, "45");
  assert_null(al_buf_take(&buf, nullptr));
  al_buf_clear(&buf);
  al_buf_printf(&buf, "%s", "abcde");
  assert_int_equal(al_buf_check(&buf, nullptr), AL_OK);
  al_buf_printf(&buf, "%s", "f");
  assert_int_equal(al_buf_check(&buf, nullptr), AL_OOM_RAM);
  assert_null(al_buf_room(&buf, 0));
}

static void refuses_absurd_sizes(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf buf = {};
  al_buf_char(&buf, 'a');
  assert_null(al_buf_room(&buf, SIZE_MAX));
  al_buf_clear(&buf);
  assert_null(al_buf_room(&buf, AL_BUF_DEFAULT_CAP + 1));
  assert_int_equal(al_buf_check(&buf, nullptr), AL_OOM_RAM);
}

static void consumes_from_the_front(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf buf = {};
  al_buf_consume(&buf, 5);
  al_buf_str(&buf, "hello");
  al_buf_consume(&buf, 2);
  assert_string_equal(buf.data, "llo");
  al_buf_consume(&buf, 99);
  assert_int_equal(buf.size, 0);
  assert_string_equal(buf.data, "");
}

static void gives_its_bytes_away(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf buf = {};
  al_buf_str(&buf, "text");
  size_t size = 0;
  AL_CLEANUP(al_free_p) char *taken = al_buf_take(&buf, &size);
  assert_string_equal(taken, "text");
  assert_true(size == 4 && buf.size == 0 && buf.data == nullptr);
  AL_CLEANUP(al_free_p) char *empty = al_buf_take(&buf, &size);
  assert_string_equal(empty, "");
  assert_int_equal(size, 0);
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf buf = {};
  (void)al_alloc_fail_at(1);
  al_buf_str(&buf, "a");
  (void)al_alloc_fail_at(0);
  al_buf_str(&buf, "b");
  assert_true(buf.failed && buf.size == 0);
  assert_string_equal(al_buf_view(&buf).data, "");
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(appends_and_stays_terminated), cmocka_unit_test(failure_sticks_at_the_cap),
    cmocka_unit_test(refuses_absurd_sizes),         cmocka_unit_test(consumes_from_the_front),
    cmocka_unit_test(gives_its_bytes_away),         cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("base/buf", tests, nullptr, nullptr);
}
