#include "codec/unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_folds(uint32_t from, const uint32_t *to, int n)
{
  uint32_t out[AL_UNICODE_MAX_FOLD];
  assert_int_equal(al_unicode_fold(from, out), n);
  for (int i = 0; i < n; i++)
    assert_int_equal(out[i], to[i]);
}

static void folds_case_and_accents(void **)
{
  assert_folds('A', (uint32_t[]){ 'a' }, 1);
  assert_folds('7', (uint32_t[]){ '7' }, 1);
  assert_folds(0xc9, (uint32_t[]){ 'e' }, 1);                      /* É */
  assert_folds(0x1eac, (uint32_t[]){ 'a' }, 1);                    /* two accents */
  assert_folds(0x301, nullptr, 0);                                 /* an accent alone */
  assert_folds(0x130, (uint32_t[]){ 'i' }, 1);                     /* İ */
  assert_folds(0xdf, (uint32_t[]){ 0xdf }, 1);                     /* ß stays */
  assert_folds(0xfb01, (uint32_t[]){ 0xfb01 }, 1);                 /* a ligature has no canonical decomposition */
  assert_folds(0xd55c, (uint32_t[]){ 0x1112, 0x1161, 0x11ab }, 3); /* 한 */
  assert_folds(0x9cb, (uint32_t[]){ 0x9c7, 0x9be }, 2);            /* Bengali, spacing marks stay */
  assert_folds(0x110000, (uint32_t[]){ 0x110000 }, 1);
  assert_folds(UINT32_MAX, (uint32_t[]){ UINT32_MAX }, 1);
}

/* No code point gives more than there is room for, or what is no code point. */
static void folds_all_there_is(void **)
{
  for (uint32_t c = 0; c <= 0x10ffff; c++) {
    uint32_t out[AL_UNICODE_MAX_FOLD];
    int n = al_unicode_fold(c, out);
    assert_true(n >= 0 && n <= 4);
    for (int i = 0; i < n; i++)
      assert_true(out[i] <= 0x10ffff);
  }
}

static void tells_signs_and_controls(void **)
{
  assert_true(al_unicode_is_punctuation('!') && al_unicode_is_punctuation(0x3002) && al_unicode_is_punctuation(0x2014));
  assert_false(al_unicode_is_punctuation('+') || al_unicode_is_punctuation('a') ||
               al_unicode_is_punctuation(UINT32_MAX));
  assert_true(al_unicode_is_control(0) && al_unicode_is_control(0x200b) && al_unicode_is_control(0xe000));
  assert_false(al_unicode_is_control('a') || al_unicode_is_control(0x20) || al_unicode_is_control(0x110000));
}

static void tells_kinds(void **)
{
  assert_int_equal(al_unicode_kind_of('Q'), AL_UNICODE_UPPER);
  assert_int_equal(al_unicode_kind_of(0xe9), AL_UNICODE_LOWER);
  assert_int_equal(al_unicode_kind_of(0x4e00), AL_UNICODE_LETTER);
  assert_int_equal(al_unicode_kind_of(0x301), AL_UNICODE_MARK);
  assert_int_equal(al_unicode_kind_of(0x664), AL_UNICODE_NUMBER);
  assert_int_equal(al_unicode_kind_of(0x3000), AL_UNICODE_SPACE);
  assert_int_equal(al_unicode_kind_of(UINT32_MAX), AL_UNICODE_OTHER);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(folds_case_and_accents),
    cmocka_unit_test(folds_all_there_is),
    cmocka_unit_test(tells_signs_and_controls),
    cmocka_unit_test(tells_kinds),
  };
  return cmocka_run_group_tests_name("codec/unicode", tests, nullptr, nullptr);
}
