#include "codec/unicode.h"

#include <utf8proc.h>

constexpr uint32_t LAST = 0x10ffff;

static bool is_space(uint32_t c)
{
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static enum al_unicode_kind kind_of_ascii(uint32_t c)
{
  if (c >= 'a' && c <= 'z')
    return AL_UNICODE_LOWER;
  if (c >= 'A' && c <= 'Z')
    return AL_UNICODE_UPPER;
  return c >= '0' && c <= '9' ? AL_UNICODE_NUMBER : AL_UNICODE_OTHER;
}

enum al_unicode_kind al_unicode_kind_of(uint32_t code_point)
{
  if (is_space(code_point))
    return AL_UNICODE_SPACE;
  if (code_point < 0x80)
    return kind_of_ascii(code_point);
  if (code_point > LAST)
    return AL_UNICODE_OTHER;
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
  if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT)
    return AL_UNICODE_UPPER;
  if (category == UTF8PROC_CATEGORY_LL)
    return AL_UNICODE_LOWER;
  if (category == UTF8PROC_CATEGORY_LM || category == UTF8PROC_CATEGORY_LO)
    return AL_UNICODE_LETTER;
  if (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME)
    return AL_UNICODE_MARK;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
    return AL_UNICODE_NUMBER;
  return AL_UNICODE_OTHER;
}

bool al_unicode_is_punctuation(uint32_t code_point)
{
  if (code_point > LAST)
    return false;
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool al_unicode_is_control(uint32_t code_point)
{
  if (code_point > LAST)
    return false;
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
}

uint32_t al_unicode_lower(uint32_t code_point)
{
  return code_point > LAST ? code_point : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
}

int al_unicode_fold(uint32_t code_point, uint32_t out[AL_UNICODE_MAX_FOLD])
{
  utf8proc_int32_t parts[AL_UNICODE_MAX_FOLD];
  int boundary = 0;
  utf8proc_ssize_t n = code_point > LAST ? -1
                                         : utf8proc_decompose_char((utf8proc_int32_t)code_point, parts,
                                                                   AL_UNICODE_MAX_FOLD, UTF8PROC_DECOMPOSE, &boundary);
  if (n < 0 || n > AL_UNICODE_MAX_FOLD) {
    out[0] = code_point;
    return 1;
  }
  int kept = 0;
  for (utf8proc_ssize_t i = 0; i < n; i++)
    if (utf8proc_category(parts[i]) != UTF8PROC_CATEGORY_MN)
      out[kept++] = (uint32_t)utf8proc_tolower(parts[i]);
  return kept;
}
