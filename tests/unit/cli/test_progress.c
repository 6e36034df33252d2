#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/progress.h"

#include <string.h>

static const struct {
  size_t width;
  struct al_progress_state state;
  const char *line;
} cases[] = {
  { 79, { "a.wav", 30, 60, 3 }, "a.wav [###############...............]  50% 0:30 of 1:00  10x  0:03 left" },
  { 79, { "a.wav", 0, 60, 0 }, "a.wav [..............................]   0% 0:00 of 1:00" },
  { 79, { "a.wav", 60, 60, 40 }, "a.wav [##############################] 100% 1:00 of 1:00  1.5x" },
  { 79,
    { "a.wav", 75, 60, 50 },
    "a.wav [##############################] 100% 1:15 of 1:00  1.5x" }, /* it claimed less */
  { 79, { "a.wav", 3723, 7200, 0 }, "a.wav [###############...............]  51% 1:02:03 of 2:00:00" },
  { 79, { "a.wav", 12, 0, 10 }, "a.wav 0:12  1.2x" }, /* nobody knows how long */
  { 79, { "\x1b[2Ja", 12, 0, 0 }, "?[2Ja 0:12" },
  { 79, { "abcdefghijklmnopqrstuvwxyz", 12, 0, 0 }, "abcdefghijklmnopqrstuvwx 0:12" },
  { 40, { "a.wav", 30, 60, 3 }, "a.wav  50% 0:30 of 1:00  10x  0:03 left" }, /* no room for the bar */
  { 34, { "a.wav", 30, 60, 3 }, "50% 0:30 of 1:00  10x  0:03 left" },
  { 10, { "a.wav", 30, 60, 3 }, "50% 0:30 o" },
  { 79, { "a.wav", -1, 60, 1 }, "a.wav [..............................]   0% 0:00 of 1:00" },
  { 79, { "", 1e300, 1e301, 1e-300 }, nullptr }, /* whatever it says, it fits */
};

static void lines(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char line[256];
    al_progress_format(line, sizeof line, cases[i].width, &cases[i].state);
    assert_true(strlen(line) <= cases[i].width);
    if (cases[i].line != nullptr)
      assert_string_equal(line, cases[i].line);
  }
}

/* Characters of several bytes are not cut apart. */
static void long_names(void **state)
{
  (void)state;
  char line[256];
  const struct al_progress_state long_name = { "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü", 12, 0, 0 };
  al_progress_format(line, sizeof line, 79, &long_name);
  assert_string_equal(line, "äöüäöüäöüäöüäöüäöüäöüäöü 0:12");
}

int main(void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(long_names) };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
