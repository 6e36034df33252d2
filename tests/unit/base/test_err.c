#include "base/err.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <string.h>

static void every_code_has_a_name(void **state)
{
  (void)state;
  for (int i = 0; i < AL_CODE_COUNT; i++)
    assert_string_not_equal(al_code_name((enum al_code)i), "UNKNOWN");
  assert_string_equal(al_code_name(AL_MODEL_CORRUPT), "MODEL_CORRUPT");
  assert_string_equal(al_code_name(AL_CODE_COUNT), "UNKNOWN");
  assert_string_equal(al_code_name((enum al_code) - 1), "UNKNOWN");
}

static void sets_message_param_and_reason(void **state)
{
  (void)state;
  struct al_err err = {};
  assert_int_equal(al_fail_param(&err, "messages[2].role", "bad %s", "role"), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "messages[2].role");
  assert_string_equal(err.message, "bad role");
  assert_int_equal(al_fail_reason(&err, AL_NOT_FOUND, "model_not_found"), AL_NOT_FOUND);
  assert_string_equal(err.reason, "model_not_found");
  assert_int_equal(al_fail(&err, AL_TIMEOUT, "late"), AL_TIMEOUT);
  assert_true(err.reason == nullptr && err.param[0] == '\0' && err.code == AL_TIMEOUT);
  assert_int_equal(al_fail_oom(&err, 77), AL_OOM_RAM);
  assert_non_null(strstr(err.message, "77 bytes"));
}

static void wraps_with_context(void **state)
{
  (void)state;
  struct al_err err = {};
  (void)al_fail(&err, AL_MODEL_CORRUPT, "inner");
  assert_int_equal(al_wrap(&err, "while %s", "loading"), AL_MODEL_CORRUPT);
  assert_string_equal(err.message, "while loading: inner");
}

static void cuts_what_does_not_fit(void **state)
{
  (void)state;
  static char longest[2000];
  memset(longest, 'a', sizeof longest - 1);
  struct al_err err = {};
  assert_int_equal(al_fail_param(&err, longest, "%s", longest), AL_INVALID_REQUEST);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  assert_int_equal(strlen(err.param), sizeof err.param - 1);
  (void)al_fail(&err, AL_TIMEOUT, "inner");
  assert_int_equal(al_wrap(&err, "%.510s", longest), AL_TIMEOUT);
  assert_int_equal(strlen(err.message), 510);
  (void)al_fail(&err, AL_TIMEOUT, "inner");
  assert_int_equal(al_wrap(&err, "%.507s", longest), AL_TIMEOUT);
  assert_string_equal(err.message + 507, ": in");
}

/* Context is often built from the message that is there. */
static void takes_its_own_text_as_argument(void **state)
{
  (void)state;
  struct al_err err = {};
  (void)al_fail_param(&err, "field", "first");
  (void)al_fail(&err, AL_LOAD_FAILED, "again: %s (%s)", err.message, err.param);
  assert_string_equal(err.message, "again: first (field)");
  (void)al_fail_param(&err, "field", "x");
  (void)al_fail_param(&err, err.param, "in %s", err.param);
  assert_string_equal(err.param, "field");
  assert_string_equal(err.message, "in field");
  (void)al_wrap(&err, "<%s>", err.message);
  assert_string_equal(err.message, "<in field>: in field");
}

static void works_without_an_error_object(void **state)
{
  (void)state;
  assert_int_equal(al_fail(nullptr, AL_TIMEOUT, "x"), AL_TIMEOUT);
  assert_int_equal(al_fail_param(nullptr, "a", "x"), AL_INVALID_REQUEST);
  assert_int_equal(al_fail_reason(nullptr, AL_CANCELLED, "x"), AL_CANCELLED);
  assert_int_equal(al_wrap(nullptr, "x"), AL_INTERNAL);
  assert_int_equal(al_fail_oom(nullptr, 1), AL_OOM_RAM);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_code_has_a_name),
    cmocka_unit_test(sets_message_param_and_reason),
    cmocka_unit_test(wraps_with_context),
    cmocka_unit_test(cuts_what_does_not_fit),
    cmocka_unit_test(takes_its_own_text_as_argument),
    cmocka_unit_test(works_without_an_error_object),
  };
  return cmocka_run_group_tests_name("base/err", tests, nullptr, nullptr);
}
