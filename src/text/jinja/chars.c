#include "text/jinja/chars.h"

#include "codec/utf8.h"

#include <wctype.h>

static bool is_continuation(char byte)
{
  return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t al_jj_char_count(struct al_str text)
{
  size_t n = 0;
  for (size_t i = 0; i < text.size; i++)
    n += !is_continuation(text.data[i]);
  return n;
}

size_t al_jj_char_size(struct al_str text)
{
  if (text.size == 0)
    return 0;
  size_t size = 1;
  while (size < text.size && is_continuation(text.data[size]))
    size++;
  return size;
}

size_t al_jj_char_offset(struct al_str text, size_t n_chars)
{
  size_t at = 0;
  for (; n_chars > 0 && at < text.size; n_chars--)
    at += al_jj_char_size(al_jj_from(text, at));
  return at;
}

bool al_jj_is_space(uint32_t c)
{
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t al_jj_leading_space(struct al_str text)
{
  size_t at = 0;
  while (at < text.size) {
    uint32_t c;
    size_t size = al_utf8_decode(al_jj_from(text, at), &c);
    if (!al_jj_is_space(c))
      break;
    at += size;
  }
  return at;
}

size_t al_jj_trailing_space(struct al_str text)
{
  size_t end = text.size;
  while (end > 0) {
    size_t start = end - 1;
    while (start > 0 && is_continuation(text.data[start]))
      start--;
    uint32_t c;
    (void)al_utf8_decode(al_str_n(text.data + start, end - start), &c);
    if (!al_jj_is_space(c))
      break;
    end = start;
  }
  return text.size - end;
}

/* Format characters, which Python does not print and C's classes do not know. */
static bool is_format(uint32_t c)
{
  return c == 0xad || (c >= 0x600 && c <= 0x605) || c == 0x61c || c == 0x6dd || c == 0x70f || c == 0x180e ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

bool al_jj_is_printable(uint32_t c, locale_t ctype)
{
  if (c < 0x80)
    return c >= 0x20 && c < 0x7f;
  if (c < 0xa0 || al_jj_is_space(c) || is_format(c) || (c >= 0xe000 && c <= 0xf8ff) || c >= 0xf0000)
    return false;
  return iswprint_l((wint_t)c, ctype) != 0;
}

static void add_char(struct al_buf *out, uint32_t c)
{
  char bytes[4];
  al_buf_add(out, bytes, al_utf8_encode(c, bytes));
}

static uint32_t char_in_case(uint32_t c, enum al_jj_case to, locale_t ctype)
{
  if (to == AL_JJ_UPPER || (to == AL_JJ_SWAP && iswlower_l((wint_t)c, ctype)))
    return (uint32_t)towupper_l((wint_t)c, ctype);
  return (uint32_t)towlower_l((wint_t)c, ctype);
}

static bool is_letter_before(struct al_str text, size_t at, locale_t ctype)
{
  if (at == 0)
    return false;
  size_t start = at - 1;
  while (start > 0 && is_continuation(text.data[start]))
    start--;
  uint32_t c;
  (void)al_utf8_decode(al_str_n(text.data + start, at - start), &c);
  return iswalpha_l((wint_t)c, ctype) != 0;
}

bool al_jj_is_letter_at(struct al_str text, size_t at, locale_t ctype)
{
  uint32_t c;
  return at < text.size && al_utf8_decode(al_jj_from(text, at), &c) > 0 && iswalpha_l((wint_t)c, ctype) != 0;
}

/* The characters whose other case is more than one character or depends on the place, as far as they are common. */
static bool special_case(struct al_buf *out, struct al_str text, size_t at, uint32_t c, enum al_jj_case to,
                         locale_t ctype)
{
  if (c == 0xdf && to != AL_JJ_LOWER) {
    al_buf_str(out, "SS");
    return true;
  }
  if (c == 0x130 && to != AL_JJ_UPPER) {
    al_buf_str(out, "i\xcc\x87");
    return true;
  }
  if (c == 0x3a3 && to != AL_JJ_UPPER) { /* sigma at the end of a word */
    bool final = is_letter_before(text, at, ctype) && !al_jj_is_letter_at(text, at + 2, ctype);
    add_char(out, final ? 0x3c2 : 0x3c3);
    return true;
  }
  return false;
}

void al_jj_change_case(struct al_buf *out, struct al_str text, enum al_jj_case to, locale_t ctype)
{
  size_t size;
  for (size_t at = 0; at < text.size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(text, at), &c);
    if (c >= 0x80 && special_case(out, text, at, c, to, ctype))
      continue;
    add_char(out, char_in_case(c, to, ctype));
  }
}

size_t al_jj_find_bytes(struct al_str text, struct al_str needle, size_t from)
{
  if (from > text.size || needle.size > text.size - from)
    return SIZE_MAX;
  if (needle.size == 0)
    return from;
  const char *hit = memmem(text.data + from, text.size - from, needle.data, needle.size);
  return hit == nullptr ? SIZE_MAX : (size_t)(hit - text.data);
}

size_t al_jj_rfind_bytes(struct al_str text, struct al_str needle)
{
  if (needle.size > text.size)
    return SIZE_MAX;
  for (size_t at = text.size - needle.size + 1; at-- > 0;)
    if (needle.size == 0 || memcmp(text.data + at, needle.data, needle.size) == 0)
      return at;
  return SIZE_MAX;
}
