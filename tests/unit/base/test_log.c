#include "base/log.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

static char line[4096];

/* What the call between the two wrote to standard error. */
static int saved = -1, caught = -1;

static void begin_catch(void)
{
  saved = dup(STDERR_FILENO);
  caught = memfd_create("log", 0);
  assert_int_equal(dup2(caught, STDERR_FILENO), STDERR_FILENO);
}

static void end_catch(void)
{
  assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
  ssize_t n = pread(caught, line, sizeof line - 1, 0);
  line[n > 0 ? n : 0] = '\0';
  (void)close(saved);
  (void)close(caught);
}

static void writes_json_lines(void **state)
{
  (void)state;
  al_log_setup(AL_LOG_INFO, true);
  begin_catch();
  al_log(AL_LOG_WARN, "event", AL_S("s", "a\"b\\\n\x7f\xff\xc3\xa9"), AL_I("i", -5), AL_F("f", 0.25), AL_F("n", NAN),
         AL_S("none", nullptr));
  end_catch();
  assert_memory_equal(line, "{\"time\":\"20", 11);
  assert_string_equal(strstr(line, "Z\",") + 3,
                      "\"level\":\"warn\",\"event\":\"event\",\"s\":\"a\\\"b\\\\\\u000a\\u007f\xef\xbf\xbd\xc3\xa9\","
                      "\"i\":-5,\"f\":0.25,\"n\":null,\"none\":\"\"}\n");
}

static void writes_text_lines(void **state)
{
  (void)state;
  al_log_setup(AL_LOG_DEBUG, false);
  begin_catch();
  al_log(AL_LOG_DEBUG, "event", AL_S("s", "two\nlines"), AL_I("i", 7));
  end_catch();
  assert_string_equal(strstr(line, "Z ") + 2, "debug event s=\"two\\u000alines\" i=7\n");
}

static void leaves_out_lower_levels(void **state)
{
  (void)state;
  al_log_setup(AL_LOG_ERROR, false);
  begin_catch();
  al_log(AL_LOG_WARN, "event", AL_I("i", 7));
  end_catch();
  assert_string_equal(line, "");
  assert_true(al_log_enabled(AL_LOG_ERROR) && !al_log_enabled(AL_LOG_WARN));
}

static void logs_errors(void **state)
{
  (void)state;
  al_log_setup(AL_LOG_INFO, false);
  struct al_err err = {};
  (void)al_fail(&err, AL_TIMEOUT, "too late");
  begin_catch();
  al_log_err(AL_LOG_ERROR, "failed", &err);
  end_catch();
  assert_non_null(strstr(line, " error failed code=\"TIMEOUT\" message=\"too late\"\n"));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(writes_json_lines),
    cmocka_unit_test(writes_text_lines),
    cmocka_unit_test(leaves_out_lower_levels),
    cmocka_unit_test(logs_errors),
  };
  return cmocka_run_group_tests_name("base/log", tests, nullptr, nullptr);
}
