#include "codec/base64.h"

#include "base/alloc.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

/* The vectors of RFC 4648, section 10, and every byte value. */
static void encodes_the_rfc_vectors(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xfb\xff\xfe", "+//+" },
  };
  for (size_t i = 0; i < AL_COUNT(pairs); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    al_buf_str(&out, ">");
    al_base64_encode(&out, al_str(pairs[i][0]));
    assert_int_equal(out.size, strlen(pairs[i][1]) + 1);
    assert_string_equal(out.data + 1, pairs[i][1]);
  }
}

static void keeps_nul_bytes(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  al_base64_encode(&out, al_str_n("\0\0\0\0", 4));
  assert_string_equal(out.data, "AAAAAA==");
}

static void says_when_memory_ran_out(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  (void)al_alloc_fail_at(1);
  al_base64_encode(&out, al_str("x"));
  (void)al_alloc_fail_at(0);
  assert_true(out.failed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(encodes_the_rfc_vectors),
    cmocka_unit_test(keeps_nul_bytes),
    cmocka_unit_test(says_when_memory_ran_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
