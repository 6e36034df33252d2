/* Literals inside tags: strings with Python's escapes, integers and floats with underscores. */
#include "text/jinja/lexer.h"

#include "codec/utf8.h"

#include <stdckdint.h>
#include <stdlib.h>

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum al_code bad_escape(struct al_err *err, int line)
{
  return al_fail(err, AL_INVALID_REQUEST, "template line %d: malformed escape in a string", line);
}

/* \xhh, \uhhhh, \Uhhhhhhhh: n digits at text.data. */
static enum al_code read_hex(struct al_str text, size_t n, uint32_t *c, int line, struct al_err *err)
{
  if (text.size < n)
    return bad_escape(err, line);
  uint32_t value = 0;
  for (size_t i = 0; i < n; i++) {
    int digit = hex_digit(text.data[i]);
    if (digit < 0)
      return bad_escape(err, line);
    value = value << 4 | (uint32_t)digit;
  }
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
    return bad_escape(err, line);
  *c = value;
  return AL_OK;
}

static size_t read_octal(struct al_str text, uint32_t *c)
{
  size_t n = 0;
  uint32_t value = 0;
  while (n < 3 && n < text.size && text.data[n] >= '0' && text.data[n] <= '7')
    value = value << 3 | (uint32_t)(text.data[n++] - '0');
  *c = value;
  return n;
}

static int simple_escape(char c)
{
  static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
  const char *hit = c != '\0' ? strchr(from, c) : nullptr;
  return hit != nullptr ? to[hit - from] : -1;
}

/* One escape; text begins after the backslash. Gives the bytes read and the bytes written to out. */
static enum al_code one_escape(struct al_str text, char out[4], size_t used[2], int line, struct al_err *err)
{
  char c = text.data[0];
  uint32_t code = 0;
  int simple = simple_escape(c);
  used[0] = 1;
  if (c == '\n') {
    used[1] = 0;
    return AL_OK;
  }
  if (simple >= 0) {
    code = (uint32_t)simple;
  } else if (c >= '0' && c <= '7') {
    used[0] = read_octal(text, &code);
  } else if (c == 'x' || c == 'u' || c == 'U') {
    size_t n_digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    AL_TRY(read_hex(al_str_n(text.data + 1, text.size - 1), n_digits, &code, line, err));
    used[0] = 1 + n_digits;
  } else if (c == 'N') {
    return al_fail(err, AL_UNSUPPORTED, "template line %d: named characters (\\N{...}) are not supported", line);
  } else { /* unknown escapes stay as they are */
    out[0] = '\\';
    used[0] = 0;
    used[1] = 1;
    return AL_OK;
  }
  used[1] = al_utf8_encode(code, out);
  return AL_OK;
}

enum al_code al_jj_unescape(struct al_arena *arena, struct al_str raw, struct al_str *out, int line, struct al_err *err)
{
  if (raw.size == 0 || memchr(raw.data, '\\', raw.size) == nullptr) {
    *out = raw;
    return AL_OK;
  }
  char *text = al_arena_alloc(arena, raw.size + 4);
  if (text == nullptr)
    return al_fail_oom(err, raw.size);
  size_t n = 0;
  for (size_t i = 0; i < raw.size;) {
    if (raw.data[i] != '\\' || i + 1 == raw.size) {
      text[n++] = raw.data[i++];
      continue;
    }
    size_t used[2] = {};
    AL_TRY(one_escape(al_str_n(raw.data + i + 1, raw.size - i - 1), text + n, used, line, err));
    i += 1 + used[0];
    n += used[1];
  }
  *out = al_str_n(text, n);
  return AL_OK;
}

static bool is_digit_in(char c, int base)
{
  int digit = hex_digit(c);
  return digit >= 0 && digit < base;
}

/* Digits with single underscores between them; `lead` allows one before the first digit too. */
static size_t scan_digits(struct al_str text, size_t at, int base, bool lead)
{
  size_t start = at;
  while (at < text.size) {
    size_t next = at + (text.data[at] == '_' && (lead || at > start));
    if (next >= text.size || !is_digit_in(text.data[next], base))
      break;
    at = next + 1;
  }
  return at - start;
}

static size_t scan_exponent(struct al_str text, size_t at)
{
  if (at >= text.size || (text.data[at] | 0x20) != 'e')
    return 0;
  size_t sign = at + 1 < text.size && (text.data[at + 1] == '+' || text.data[at + 1] == '-');
  size_t digits = scan_digits(text, at + 1 + sign, 10, false);
  return digits > 0 ? 1 + sign + digits : 0;
}

static size_t scan_float(struct al_str text)
{
  size_t whole = scan_digits(text, 0, 10, false);
  if (whole == 0)
    return 0;
  size_t fraction = 0;
  if (whole < text.size && text.data[whole] == '.') {
    size_t digits = scan_digits(text, whole + 1, 10, false);
    fraction = digits > 0 ? 1 + digits : 0;
  }
  size_t exponent = scan_exponent(text, whole + fraction);
  return fraction + exponent > 0 ? whole + fraction + exponent : 0;
}

static size_t scan_integer(struct al_str text, int *base, size_t *prefix)
{
  *base = 10;
  *prefix = 0;
  char marker = text.size > 1 && text.data[0] == '0' ? (char)(text.data[1] | 0x20) : '\0';
  int marked = marker == 'x' ? 16 : marker == 'o' ? 8 : marker == 'b' ? 2 : 0;
  size_t digits = marked > 0 ? scan_digits(text, 2, marked, true) : 0;
  if (digits > 0) {
    *base = marked;
    *prefix = 2;
    return 2 + digits;
  }
  return text.data[0] == '0' ? scan_digits(text, 0, 1, false) : scan_digits(text, 0, 10, false);
}

static enum al_code read_integer(struct al_str digits, int base, int64_t *out, int line, struct al_err *err)
{
  int64_t value = 0;
  for (size_t i = 0; i < digits.size; i++) {
    if (digits.data[i] == '_')
      continue;
    if (ckd_mul(&value, value, base) || ckd_add(&value, value, hex_digit(digits.data[i])))
      return al_fail(err, AL_UNSUPPORTED, "template line %d: an integer beyond 64 bits", line);
  }
  *out = value;
  return AL_OK;
}

static enum al_code read_float(struct al_arena *arena, struct al_str digits, double *out, struct al_err *err)
{
  char *text = al_arena_alloc(arena, digits.size + 1);
  if (text == nullptr)
    return al_fail_oom(err, digits.size);
  size_t n = 0;
  for (size_t i = 0; i < digits.size; i++)
    if (digits.data[i] != '_')
      text[n++] = digits.data[i];
  *out = strtod(text, nullptr);
  return AL_OK;
}

enum al_code al_jj_scan_number(struct al_arena *arena, struct al_str text, bool after_dot, struct al_jj_token *token,
                               size_t *size, struct al_err *err)
{
  *size = 0;
  if (text.size == 0 || text.data[0] < '0' || text.data[0] > '9')
    return AL_OK;
  *size = after_dot ? 0 : scan_float(text);
  if (*size > 0) {
    token->kind = AL_JJ_T_FLOAT;
    return read_float(arena, al_str_n(text.data, *size), &token->real, err);
  }
  int base;
  size_t prefix;
  *size = scan_integer(text, &base, &prefix);
  token->kind = AL_JJ_T_INT;
  return read_integer(al_str_n(text.data + prefix, *size - prefix), base, &token->integer, token->line, err);
}
