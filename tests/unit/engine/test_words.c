/* How text is cut into words; what is wanted was made by the tokenizers library with the models' own expressions. */
#include "engine/llama/words.h"

#include "base/buf.h"
#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct al_word_rule o200k = { .contractions = true, .most_digits = 3 };
static const struct al_word_rule tekken = { .contractions = false, .most_digits = 1 };

/* Cuts the text that `want` is without its bars, and compares. */
static void check(const struct al_word_rule *rule, const char *want)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_CLEANUP(al_buf_done) struct al_buf found = {};
  for (const char *c = want; *c != '\0'; c++)
    if (*c != '|')
      al_buf_char(&text, *c);
  struct al_str rest = al_buf_view(&text);
  while (rest.size > 0) {
    size_t size = al_word_size(rule, rest);
    assert_true(size > 0 && size <= rest.size);
    if (found.size > 0)
      al_buf_char(&found, '|');
    al_buf_add(&found, rest.data, size);
    rest = al_str_n(rest.data + size, rest.size - size);
  }
  al_buf_char(&found, '\0');
  assert_string_equal(found.data, want);
}

static void cuts_as_o200k(void **state)
{
  (void)state;
  static const char *const wanted[] = {
    "Hello| world",
    " two| | spaces|  \n\n| x",
    "Camel|Case|HTTPServer's",
    "don't| I'M| we'RE| x'Ll",
    "123|45| |3|.|14",
    "a\xcc\x81"
    "b| \xcc\x81"
    "c| e\xcc\x81|E\xcc\x81"
    "e",
    "\xe4\xbd\xa0\xe5\xa5\xbd"
    "A\xe4\xbd\xa0|BC",
    "foo|/bar|//|baz|/\n/| ok",
    "\xc7\x85"
    "a\xca\xb0| \xc2\xaa|B",
    "x|\xc2\xa0y|\xe3\x80\x80z",
    "ABC\xe4\xbd\xa0",
    "9|\xcc\x81"
    "a",
    "\xc5\xbf's| x'\xc5\xbf|y",
    "!\xcc\x81|?\r\n\n",
    "A|1|b|2",
    "\t|\tindent|\n",
  };
  for (size_t i = 0; i < AL_COUNT(wanted); i++)
    check(&o200k, wanted[i]);
}

static void cuts_as_tekken(void **state)
{
  (void)state;
  static const char *const wanted[] = {
    "Hello| world",
    " two| | spaces|  \n\n| x",
    "Camel|Case|HTTPServer|'s",
    "don|'t| I|'M| we|'RE| x|'Ll",
    "1|2|3|4|5| |3|.|1|4",
    "a\xcc\x81"
    "b| \xcc\x81"
    "c| e\xcc\x81|E\xcc\x81"
    "e",
    "\xe4\xbd\xa0\xe5\xa5\xbd"
    "A\xe4\xbd\xa0|BC",
    "foo|/bar|//|baz|/\n/| ok",
    "\xc7\x85"
    "a\xca\xb0| \xc2\xaa|B",
    "x|\xc2\xa0y|\xe3\x80\x80z",
    "ABC\xe4\xbd\xa0",
    "9|\xcc\x81"
    "a",
    "\xc5\xbf|'s| x|'\xc5\xbfy",
    "!\xcc\x81|?\r\n\n",
    "A|1|b|2",
    "\t|\tindent|\n",
  };
  for (size_t i = 0; i < AL_COUNT(wanted); i++)
    check(&tekken, wanted[i]);
}

/* No byte is lost, and each call moves on. */
static void takes_any_bytes(void **state)
{
  (void)state;
  uint32_t random = 1;
  for (int round = 0; round < 2000; round++) {
    char bytes[24];
    for (size_t i = 0; i < sizeof bytes; i++) {
      random = random * 1664525 + 1013904223;
      bytes[i] = (char)(random >> 20);
    }
    struct al_str rest = al_str_n(bytes, sizeof bytes);
    while (rest.size > 0) {
      size_t size = al_word_size(round % 2 == 0 ? &o200k : &tekken, rest);
      assert_true(size > 0 && size <= rest.size);
      rest = al_str_n(rest.data + size, rest.size - size);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(cuts_as_o200k),
    cmocka_unit_test(cuts_as_tekken),
    cmocka_unit_test(takes_any_bytes),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
