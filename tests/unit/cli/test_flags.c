#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cli/flags.h"

static const char *language, *out;
static bool words;

static enum al_code read(int *argc, char **argv, struct al_err *err)
{
  static const struct al_flag flags[] = { { "--language", &language, nullptr },
                                          { "-o", &out, nullptr },
                                          { "--words", nullptr, &words } };
  language = out = nullptr;
  words = false;
  return al_flags_read(flags, AL_COUNT(flags), argc, argv, err);
}

static void flags_and_files(void **state)
{
  (void)state;
  static char words_given[][16] = { "a", "--language", "de", "-", "-o", "-x", "--words", "b", "--", "--words", "-o" };
  char *argv[AL_COUNT(words_given) + 1] = {};
  for (size_t i = 0; i < AL_COUNT(words_given); i++)
    argv[i] = words_given[i];
  int argc = (int)AL_COUNT(words_given);
  assert_int_equal(read(&argc, argv, nullptr), AL_OK);
  assert_string_equal(language, "de");
  assert_string_equal(out, "-x");
  assert_true(words);
  assert_int_equal(argc, 5);
  static const char *const left[] = { "a", "-", "b", "--words", "-o" };
  for (size_t i = 0; i < AL_COUNT(left); i++)
    assert_string_equal(argv[i], left[i]);
  char empty[] = "--language=";
  char *equals[] = { empty, nullptr };
  argc = 1;
  assert_int_equal(read(&argc, equals, nullptr), AL_OK);
  assert_string_equal(language, "");
  assert_int_equal(argc, 0);
}

static void refusals(void **state)
{
  (void)state;
  static const struct {
    const char *argument, *message;
  } cases[] = {
    { "--nosuch", "there is no option --nosuch here" },
    { "--lang", "there is no option --lang here" },
    { "-x", "there is no option -x here" },
    { "-ofile", "there is no option -ofile here" },
    { "--language", "--language needs a value" },
    { "-o", "-o needs a value" },
    { "--words=yes", "--words takes no value" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    char argument[32];
    (void)snprintf(argument, sizeof argument, "%s", cases[i].argument);
    char *argv[] = { argument, nullptr };
    int argc = 1;
    struct al_err err = {};
    assert_int_equal(read(&argc, argv, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.message, cases[i].message);
  }
}

static void numbers(void **state)
{
  (void)state;
  double number = 0;
  assert_int_equal(al_flag_number("--speed", "0.25", &number, nullptr), AL_OK);
  assert_true(number > 0.2499 && number < 0.2501);
  static const char *const bad[] = { "", "x", "1x", "nan", "inf", "1,5" };
  for (size_t i = 0; i < AL_COUNT(bad); i++)
    assert_int_equal(al_flag_number("--speed", bad[i], &number, nullptr), AL_INVALID_REQUEST);
}

int main(void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test(flags_and_files), cmocka_unit_test(refusals),
                                      cmocka_unit_test(numbers) };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
