#include "codec/utf8.h"

#include "base/alloc.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

static void decodes_and_encodes_every_character(void **state)
{
  (void)state;
  for (uint32_t c = 0; c <= 0x10ffff; c++) {
    if (c >= 0xd800 && c < 0xe000)
      continue;
    char bytes[4];
    size_t n = al_utf8_encode(c, bytes);
    uint32_t back;
    assert_int_equal(al_utf8_decode(al_str_n(bytes, n), &back), n);
    assert_int_equal(back, c);
    for (size_t cut = 1; cut < n; cut++)
      assert_int_equal(al_utf8_incomplete_tail(al_str_n(bytes, cut)), cut);
    assert_int_equal(al_utf8_incomplete_tail(al_str_n(bytes, n)), 0);
  }
}

static void encodes_what_is_no_character_as_replacement(void **state)
{
  (void)state;
  static const uint32_t bad[] = { 0xd800, 0xdfff, 0x110000, UINT32_MAX };
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    char bytes[4];
    assert_int_equal(al_utf8_encode(bad[i], bytes), 3);
    assert_memory_equal(bytes, "\xef\xbf\xbd", 3);
  }
}

/* Expectations are those of Python's bytes.decode("utf-8", "replace"). */
static void cuts_malformed_text_into_maximal_parts(void **state)
{
  (void)state;
  static const struct {
    const char *bad, *good;
  } cases[] = {
    { "\x80", "?" },
    { "\xc0\x80", "??" },
    { "\xc1\xbf", "??" },
    { "\xc2", "?" },
    { "\xc2"
      "A",
      "?A" },
    { "\xe0\x80\x80", "???" },
    { "\xe0\xa0", "?" },
    { "\xe2\x82"
      "A",
      "?A" },
    { "\xe2\x82\xe2\x82\xac", "?\xe2\x82\xac" },
    { "\xed\xa0\x80", "???" },
    { "\xed\x9f", "?" },
    { "\xf0\x80\x80\x80", "????" },
    { "\xf0\x9f\x98", "?" },
    { "\xf0\x9f\x98"
      "b",
      "?b" },
    { "\xf4\x90\x80\x80", "????" },
    { "\xf5\x80\x80\x80", "????" },
    { "\xff\xfe", "??" },
    { "ok \xf0\x9f\x98\x80 ok", "ok \xf0\x9f\x98\x80 ok" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf got = {}, expected = {};
    al_utf8_sanitize(al_str(cases[i].bad), &got);
    for (const char *p = cases[i].good; *p != '\0'; p++)
      al_buf_add(&expected, *p == '?' ? "\xef\xbf\xbd" : p, *p == '?' ? 3 : 1);
    assert_string_equal(got.data, expected.data);
    assert_true(al_utf8_valid(al_buf_view(&got)));
    assert_int_equal(al_utf8_valid(al_str(cases[i].bad)), strchr(cases[i].good, '?') == nullptr);
  }
}

static void knows_incomplete_tails(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    size_t tail;
  } cases[] = {
    { "", 0 },         { "a", 0 },        { "a\xc3", 1 },        { "a\xc3\xa9", 0 },
    { "\xe2", 1 },     { "\xe2\x82", 2 }, { "\xf0\x9f\x98", 3 }, { "\xe2\x82\xac\xf0\x9f", 2 },
    { "\xe0\x80", 0 }, { "\xff", 0 },     { "\x80\x80\x80", 0 }, { "\xed\xa0", 0 },
    { "\xf4\x90", 0 }, { "\xf5", 0 },     { "\xc3\xa9\x80", 0 },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++)
    assert_int_equal(al_utf8_incomplete_tail(al_str(cases[i].text)), cases[i].tail);
}

static void check_nfc(const char *text, const char *expected)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  assert_int_equal(al_utf8_nfc(al_str(text), &out, nullptr), AL_OK);
  assert_string_equal(al_buf_view(&out).data, expected);
}

static void normalises(void **state)
{
  (void)state;
  check_nfc("", "");
  check_nfc("plain \xc3\xa9", "plain \xc3\xa9");
  check_nfc("e\xcc\x81", "\xc3\xa9");
  check_nfc("\xe2\x84\xab", "\xc3\x85");                             /* angstrom sign */
  check_nfc("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"); /* hangul */
  check_nfc("q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87");               /* marks change places */
  check_nfc("\xe0\xa4\x95\xe0\xa4\xbc", "\xe0\xa4\x95\xe0\xa4\xbc"); /* composition exclusion */
  check_nfc("\xef\xac\x81", "\xef\xac\x81");                         /* no compatibility forms */
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  assert_int_equal(al_utf8_nfc(al_str("e\xcc\x81\xff"), &out, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(al_utf8_nfc(al_str("\xff"), &out, nullptr), AL_INVALID_REQUEST);
}

/* 200,000 marks that all stand in the wrong order: a quadratic sort would not come back. */
static void sorts_endless_marks(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf text = {}, out = {};
  al_buf_char(&text, 'q');
  for (int i = 0; i < 200'000; i++)
    al_buf_str(&text, i < 100'000 ? "\xcc\x87" : "\xcc\xa3");
  assert_int_equal(al_utf8_nfc(al_buf_view(&text), &out, nullptr), AL_OK);
  assert_int_equal(out.size, text.size);
  assert_memory_equal(out.data, "q\xcc\xa3", 3);
  assert_memory_equal(out.data + out.size - 2, "\xcc\x87", 2);
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  char text[201] = "q";
  for (size_t i = 1; i < 199; i += 2)
    memcpy(text + i, i % 4 == 1 ? "\xcc\x87" : "\xcc\xa3", 2);
  enum al_code code = AL_OOM_RAM;
  for (size_t at = 1; code == AL_OOM_RAM && at < 100; at++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    (void)al_alloc_fail_at(at);
    code = al_utf8_nfc(al_str(text), &out, nullptr);
    (void)al_alloc_fail_at(0);
  }
  assert_int_equal(code, AL_OK);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(decodes_and_encodes_every_character),
    cmocka_unit_test(encodes_what_is_no_character_as_replacement),
    cmocka_unit_test(cuts_malformed_text_into_maximal_parts),
    cmocka_unit_test(knows_incomplete_tails),
    cmocka_unit_test(normalises),
    cmocka_unit_test(sorts_endless_marks),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("codec/utf8", tests, nullptr, nullptr);
}
