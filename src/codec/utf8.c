#include "codec/utf8.h"

/* Size of the character that a lead byte promises, 0 for a byte that cannot lead. */
static size_t promised_size(unsigned char lead)
{
  if (lead < 0x80)
    return 1;
  if (lead < 0xc2)
    return 0;
  if (lead < 0xe0)
    return 2;
  if (lead < 0xf0)
    return 3;
  return lead < 0xf5 ? 4 : 0;
}

/* The second byte excludes overlong forms, surrogates and what lies beyond U+10FFFF. */
static bool fits_second(unsigned char lead, unsigned char c)
{
  unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  return c >= least && c <= most;
}

/* How many bytes of the first character are there and right; *promised is what it needs. */
static size_t matching_size(struct al_str text, size_t *promised)
{
  const unsigned char *p = (const unsigned char *)text.data;
  *promised = promised_size(p[0]);
  size_t limit = al_min_size(*promised, text.size);
  if (limit < 2)
    return 1;
  if (!fits_second(p[0], p[1]))
    return 1;
  size_t n = 2;
  while (n < limit && (p[n] & 0xc0) == 0x80)
    n++;
  return n;
}

size_t al_utf8_decode(struct al_str text, uint32_t *code_point)
{
  *code_point = AL_UTF8_INVALID;
  if (text.size == 0)
    return 0;
  size_t promised;
  size_t n = matching_size(text, &promised);
  if (n != promised)
    return n;
  static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
  uint32_t value = (unsigned char)text.data[0] & lead_mask[n];
  for (size_t i = 1; i < n; i++)
    value = value << 6 | ((unsigned char)text.data[i] & 0x3f);
  *code_point = value;
  return n;
}

size_t al_utf8_encode(uint32_t code_point, char out[4])
{
  if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point < 0xe000))
    code_point = AL_UTF8_REPLACEMENT;
  if (code_point < 0x80) {
    out[0] = (char)code_point;
    return 1;
  }
  static const unsigned char lead_mark[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
  size_t n = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (code_point & 0x3f));
    code_point >>= 6;
  }
  out[0] = (char)(lead_mark[n] | code_point);
  return n;
}

/* Most text is ASCII: eight bytes at a time. */
static size_t ascii_size(struct al_str text)
{
  size_t i = 0;
  for (; i + 8 <= text.size; i += 8) {
    uint64_t word;
    memcpy(&word, text.data + i, 8);
    if ((word & UINT64_C(0x8080808080808080)) != 0)
      break;
  }
  while (i < text.size && (unsigned char)text.data[i] < 0x80)
    i++;
  return i;
}

/* Size of the well-formed text at the start. */
static size_t valid_size(struct al_str text)
{
  size_t at = 0;
  while (at < text.size) {
    struct al_str rest = al_str_n(text.data + at, text.size - at);
    size_t n = ascii_size(rest);
    if (n == 0) {
      uint32_t code_point;
      n = al_utf8_decode(rest, &code_point);
      if (code_point == AL_UTF8_INVALID)
        return at;
    }
    at += n;
  }
  return at;
}

bool al_utf8_valid(struct al_str text)
{
  return valid_size(text) == text.size;
}

size_t al_utf8_incomplete_tail(struct al_str text)
{
  for (size_t n = 1; n <= 3 && n <= text.size; n++) {
    unsigned char c = (unsigned char)text.data[text.size - n];
    if ((c & 0xc0) == 0x80)
      continue;
    size_t promised;
    size_t there = matching_size(al_str_n(text.data + text.size - n, n), &promised);
    return there == n && promised > n ? n : 0;
  }
  return 0;
}

void al_utf8_sanitize(struct al_str text, struct al_buf *out)
{
  while (text.size > 0) {
    size_t n = valid_size(text);
    al_buf_add(out, text.data, n);
    text = al_str_n(text.data + n, text.size - n);
    uint32_t code_point;
    n = al_utf8_decode(text, &code_point);
    if (n > 0)
      al_buf_str(out, "\xef\xbf\xbd");
    text = al_str_n(text.data + n, text.size - n);
  }
}
