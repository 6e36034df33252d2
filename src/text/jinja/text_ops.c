/* What strings can do: strip, replace, justify, lines, words, numbers. */
#include "text/jinja/methods.h"

#include "codec/utf8.h"

#include <stdckdint.h>
#include <stdlib.h>
#include <wctype.h>

enum al_code al_jj_in_case(struct al_jj_render *r, struct al_jj_value text, enum al_jj_case to, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf changed = { .cap_bytes = r->limits.max_memory_bytes };
  AL_TRY(al_jj_step_bytes(r, text.str.size));
  al_jj_change_case(&changed, text.str, to, r->program->ctype);
  AL_TRY(al_jj_take_text(r, &changed, out));
  out->markup = text.markup;
  return AL_OK;
}

enum al_code al_jj_capitalize(struct al_jj_render *r, struct al_jj_value text, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf changed = { .cap_bytes = r->limits.max_memory_bytes };
  size_t first = al_jj_char_size(text.str);
  AL_TRY(al_jj_step_bytes(r, text.str.size));
  al_jj_change_case(&changed, al_str_n(text.str.data, first), AL_JJ_UPPER, r->program->ctype);
  al_jj_change_case(&changed, al_jj_from(text.str, first), AL_JJ_LOWER, r->program->ctype);
  AL_TRY(al_jj_take_text(r, &changed, out));
  out->markup = text.markup;
  return AL_OK;
}

static struct al_str first_char(struct al_str text)
{
  return al_str_n(text.data, al_jj_char_size(text));
}

static struct al_str last_char(struct al_str text)
{
  size_t at = text.size;
  while (at > 0 && ((unsigned char)text.data[at - 1] & 0xc0) == 0x80)
    at--;
  at -= at > 0;
  return al_jj_from(text, at);
}

static bool is_among(struct al_str c, struct al_str chars)
{
  return c.size > 0 && al_jj_find_bytes(chars, c, 0) != SIZE_MAX;
}

enum al_code al_jj_strip(struct al_jj_render *r, struct al_jj_value text, struct al_jj_value chars,
                         enum al_jj_strip_side side, struct al_jj_value *out)
{
  struct al_str s = text.str;
  bool by_space = chars.kind == AL_JJ_MISSING || chars.kind == AL_JJ_NONE;
  *out = text;
  if (!by_space && chars.kind != AL_JJ_STR)
    return al_jj_fail(r, "strip takes a string, not '%s'", al_jj_kind_name(chars));
  AL_TRY(al_jj_step_bytes(r, s.size));
  if (by_space) {
    if (side & AL_JJ_STRIP_LEFT)
      s = al_jj_from(s, al_jj_leading_space(s));
    if (side & AL_JJ_STRIP_RIGHT)
      s.size -= al_jj_trailing_space(s);
  } else {
    while ((side & AL_JJ_STRIP_LEFT) && is_among(first_char(s), chars.str))
      s = al_jj_from(s, al_jj_char_size(s));
    while ((side & AL_JJ_STRIP_RIGHT) && is_among(last_char(s), chars.str))
      s.size -= last_char(s).size;
    AL_TRY(al_jj_step_bytes(r, (text.str.size - s.size) * (chars.str.size + 1)));
  }
  out->str = s;
  return AL_OK;
}

/* An empty `old` stands before every character and at the end. */
static enum al_code replace_between(struct al_jj_render *r, const struct al_str part[3], int64_t count,
                                    struct al_buf *text)
{
  size_t at = 0, size;
  do {
    if (count != 0) {
      al_buf_add(text, part[2].data, part[2].size);
      count--;
    }
    AL_TRY(al_jj_step(r, 1 + part[2].size / 256));
    size = al_jj_char_size(al_jj_from(part[0], at));
    al_buf_add(text, part[0].data + at, size);
    at += size;
  } while (size > 0 && !text->failed);
  return AL_OK;
}

enum al_code al_jj_replace(struct al_jj_render *r, const struct al_str part[3], int64_t count, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  AL_TRY(al_jj_step_bytes(r, part[0].size));
  if (part[1].size == 0) {
    AL_TRY(replace_between(r, part, count, &text));
    return al_jj_take_text(r, &text, out);
  }
  size_t at = 0;
  for (; count != 0 && !text.failed; count--) {
    size_t hit = al_jj_find_bytes(part[0], part[1], at);
    if (hit == SIZE_MAX)
      break;
    al_buf_add(&text, part[0].data + at, hit - at);
    al_buf_add(&text, part[2].data, part[2].size);
    AL_TRY(al_jj_step(r, 1 + part[2].size / 256));
    at = hit + part[1].size;
  }
  if (at == 0) {
    *out = al_jj_str(part[0]);
    return AL_OK;
  }
  al_buf_add(&text, part[0].data + at, part[0].size - at);
  return al_jj_take_text(r, &text, out);
}

static void add_fill(struct al_buf *out, struct al_str fill, int64_t n)
{
  for (int64_t i = 0; i < n && !out->failed; i++)
    al_buf_add(out, fill.data, fill.size);
}

enum al_code al_jj_justify(struct al_jj_render *r, struct al_jj_value text, int64_t width, struct al_str fill,
                           enum al_jj_justify_to to, struct al_jj_value *out)
{
  int64_t missing, n = (int64_t)al_jj_char_count(text.str);
  *out = text;
  if (al_jj_char_count(fill) != 1)
    return al_jj_fail(r, "the fill must be one character");
  if (ckd_sub(&missing, width, n) || missing <= 0)
    return AL_OK;
  if ((uint64_t)missing > r->limits.max_memory_bytes)
    return al_jj_fail(r, "a width of %lld is too much", (long long)width);
  AL_TRY(al_jj_step_bytes(r, (size_t)missing));
  int64_t left = to == AL_JJ_JUSTIFY_LEFT ? 0 : missing;
  if (to == AL_JJ_JUSTIFY_CENTER)
    left = missing / 2 + (missing & width & 1);
  AL_CLEANUP(al_buf_done) struct al_buf made = { .cap_bytes = r->limits.max_memory_bytes };
  add_fill(&made, fill, left);
  al_buf_add(&made, text.str.data, text.str.size);
  add_fill(&made, fill, missing - left);
  AL_TRY(al_jj_take_text(r, &made, out));
  out->markup = text.markup;
  return AL_OK;
}

static bool ends_line(uint32_t c)
{
  return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

void al_jj_take_line(struct al_str *rest, struct al_str *line)
{
  size_t size;
  for (size_t at = 0; at < rest->size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(*rest, at), &c);
    if (!ends_line(c))
      continue;
    *line = al_str_n(rest->data, at);
    bool pair = c == '\r' && at + 1 < rest->size && rest->data[at + 1] == '\n';
    *rest = al_jj_from(*rest, at + size + pair);
    return;
  }
  *line = *rest;
  *rest = (struct al_str){};
}

int64_t al_jj_count_words(struct al_str text, locale_t ctype)
{
  int64_t n = 0;
  bool inside = false;
  size_t size;
  for (size_t at = 0; at < text.size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(text, at), &c);
    bool is_word = c == '_' || iswalnum_l((wint_t)c, ctype) != 0;
    n += is_word && !inside;
    inside = is_word;
  }
  return n;
}

static int digit_value(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static struct al_str trimmed(struct al_str text)
{
  text = al_jj_from(text, al_jj_leading_space(text));
  text.size -= al_jj_trailing_space(text);
  return text;
}

/* "0x" and the like before the digits, where the base allows it; base 0 takes the base from it. */
static bool take_prefix(struct al_str *text, int64_t *base)
{
  char marker = text->size > 1 && text->data[0] == '0' ? (char)(text->data[1] | 0x20) : '\0';
  int64_t marked = marker == 'x' ? 16 : marker == 'o' ? 8 : marker == 'b' ? 2 : 0;
  if (marked == 0 || (*base != 0 && *base != marked)) {
    *base = *base == 0 ? 10 : *base;
    return false;
  }
  *base = marked;
  *text = al_jj_from(*text, 2);
  return true;
}

bool al_jj_parse_int(struct al_str text, int64_t base, struct al_jj_value *out)
{
  text = trimmed(text);
  bool negative = text.size > 0 && text.data[0] == '-';
  if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+'))
    text = al_jj_from(text, 1);
  bool digit_before = take_prefix(&text, &base); /* an underscore may follow the prefix */
  if (base < 2 || base > 36 || text.size == 0)
    return false;
  int64_t value = 0;
  for (size_t i = 0; i < text.size; i++) {
    bool underscore = text.data[i] == '_';
    if (underscore ? !digit_before || i + 1 == text.size : digit_value(text.data[i]) >= base)
      return false;
    digit_before = !underscore;
    if (underscore)
      continue;
    if (ckd_mul(&value, value, base) || ckd_sub(&value, value, digit_value(text.data[i])))
      return false;
  }
  if (!negative && ckd_sub(&value, 0, value))
    return false;
  *out = al_jj_int(value);
  return true;
}

static bool is_float_word(struct al_str text)
{
  if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+'))
    text = al_jj_from(text, 1);
  static const char *const words[] = { "inf", "infinity", "nan" };
  for (size_t i = 0; i < AL_COUNT(words); i++)
    if (text.size == strlen(words[i]) && strncasecmp(text.data, words[i], text.size) == 0)
      return true;
  return false;
}

bool al_jj_parse_float(struct al_str text, double *out)
{
  char copy[512];
  size_t n = 0;
  text = trimmed(text);
  bool word = is_float_word(text);
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    bool digit = c >= '0' && c <= '9';
    bool between = c == '_' && i > 0 && i + 1 < text.size && digit_value(text.data[i - 1]) < 10 &&
                   digit_value(text.data[i + 1]) < 10;
    if (between)
      continue;
    if (n + 1 == sizeof copy || (!word && !digit && strchr("+-.eE", c) == nullptr) || c == '\0')
      return false;
    copy[n++] = c;
  }
  copy[n] = '\0';
  char *end;
  *out = strtod(copy, &end);
  return n > 0 && *end == '\0';
}
