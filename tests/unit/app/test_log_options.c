#include "app/log_options.h"

#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#include <stdio.h>

static enum al_code use(const char *level, struct al_err *err)
{
  static struct al_config config;
  (void)snprintf(config.log_level, sizeof config.log_level, "%s", level);
  return al_log_options(&config, err);
}

static void the_level_is_the_least_that_is_logged(void **state)
{
  (void)state;
  static const char *const names[] = { "debug", "info", "warn", "error" };
  for (int least = 0; least < 4; least++) {
    assert_int_equal(use(names[least], nullptr), AL_OK);
    for (int level = AL_LOG_DEBUG; level <= AL_LOG_ERROR; level++)
      assert_int_equal(al_log_enabled((enum al_log_level)level), level >= least);
  }
}

static void other_words_are_refused(void **state)
{
  (void)state;
  static const char *const words[] = { "", "INFO", "warning", "2" };
  assert_int_equal(use("error", nullptr), AL_OK);
  for (size_t i = 0; i < AL_COUNT(words); i++) {
    struct al_err err = {};
    assert_int_equal(use(words[i], &err), AL_INVALID_REQUEST);
    assert_string_equal(err.param, "log-level");
    assert_false(al_log_enabled(AL_LOG_WARN)); /* as it was */
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_level_is_the_least_that_is_logged),
    cmocka_unit_test(other_words_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
