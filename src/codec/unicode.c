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
