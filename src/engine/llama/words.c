#include "engine/llama/words.h"

#include "codec/unicode.h"
#include "codec/utf8.h"

constexpr unsigned UPPER = 1U << AL_UNICODE_UPPER;
constexpr unsigned LOWER = 1U << AL_UNICODE_LOWER;
constexpr unsigned CASELESS = 1U << AL_UNICODE_LETTER | 1U << AL_UNICODE_MARK;
constexpr unsigned NUMBER = 1U << AL_UNICODE_NUMBER;
constexpr unsigned SPACE = 1U << AL_UNICODE_SPACE;
constexpr unsigned SIGN = 1U << AL_UNICODE_OTHER | 1U << AL_UNICODE_MARK;
constexpr unsigned LEAD = SIGN | SPACE;

/* The kind of the character at `at` as a bit, 0 at the end; *size: of the character. */
static unsigned kind_at(struct al_str text, size_t at, size_t *size)
{
  uint32_t c;
  if (at >= text.size) {
    *size = 0;
    return 0;
  }
  *size = al_utf8_decode(al_str_n(text.data + at, text.size - at), &c);
  return 1U << al_unicode_kind_of(c);
}

static size_t end_of_run(struct al_str text, size_t at, unsigned kinds)
{
  size_t size;
  while ((kind_at(text, at, &size) & kinds) != 0)
    at += size;
  return at;
}

static bool is_newline(struct al_str text, size_t at)
{
  return at < text.size && (text.data[at] == '\r' || text.data[at] == '\n');
}

/* [upper or caseless]*[lower or caseless]+ from `at`, with what backtracking gives back; 0: it does not match. */
static size_t end_of_low_word(struct al_str text, size_t at)
{
  size_t last_caseless = 0;
  bool any_caseless = false;
  size_t size;
  unsigned kind;
  while (((kind = kind_at(text, at, &size)) & (UPPER | CASELESS)) != 0) {
    if ((kind & CASELESS) != 0) {
      last_caseless = at;
      any_caseless = true;
    }
    at += size;
  }
  if ((kind & LOWER) != 0)
    return end_of_run(text, at, LOWER | CASELESS);
  return any_caseless ? end_of_run(text, last_caseless, LOWER | CASELESS) : 0;
}

/* [upper or caseless]+[lower or caseless]* */
static size_t end_of_high_word(struct al_str text, size_t at)
{
  size_t end = end_of_run(text, at, UPPER | CASELESS);
  return end == at ? 0 : end_of_run(text, end, LOWER | CASELESS);
}

/* Either, with one sign or space before it where that makes a word. */
static size_t end_of_word(struct al_str text)
{
  size_t lead;
  size_t end = 0;
  if ((kind_at(text, 0, &lead) & LEAD) == 0 || is_newline(text, 0))
    lead = 0;
  if (lead > 0)
    end = end_of_low_word(text, lead);
  if (end == 0)
    end = end_of_low_word(text, 0);
  if (end == 0 && lead > 0)
    end = end_of_high_word(text, lead);
  return end > 0 ? end : end_of_high_word(text, 0);
}

static char lower_at(struct al_str text, size_t at)
{
  char c = at < text.size ? text.data[at] : '\0';
  return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* U+017F, the long s, is an s to those who do not look at case. */
static bool is_long_s(struct al_str text, size_t at)
{
  return at + 1 < text.size && text.data[at] == '\xc5' && text.data[at + 1] == '\xbf';
}

static size_t contraction_size(struct al_str text, size_t at)
{
  if (at >= text.size || text.data[at] != '\'')
    return 0;
  char first = lower_at(text, at + 1);
  char second = lower_at(text, at + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd')
    return 2;
  if (is_long_s(text, at + 1))
    return 3;
  bool two = ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
  return two ? 3 : 0;
}

static size_t end_of_number(struct al_str text, int most_digits)
{
  size_t at = 0;
  size_t size;
  for (int i = 0; i < most_digits && (kind_at(text, at, &size) & NUMBER) != 0; i++)
    at += size;
  return at;
}

/* " ?[signs]+[\r\n/]*" */
static size_t end_of_signs(struct al_str text)
{
  size_t start = text.data[0] == ' ' ? 1 : 0;
  size_t at = end_of_run(text, start, SIGN);
  if (at == start)
    return 0;
  while (is_newline(text, at) || (at < text.size && text.data[at] == '/'))
    at++;
  return at;
}

/* Up to the last line end; else all but the last, which belongs to what follows. */
static size_t end_of_space(struct al_str text)
{
  size_t at = 0;
  size_t last = 0;
  size_t behind_newline = 0;
  size_t size;
  while ((kind_at(text, at, &size) & SPACE) != 0) {
    last = at;
    at += size;
    if (is_newline(text, last))
      behind_newline = at;
  }
  if (behind_newline > 0)
    return behind_newline;
  return at == text.size || last == 0 ? at : last;
}

size_t al_word_size(const struct al_word_rule *rule, struct al_str text)
{
  size_t end = end_of_word(text);
  if (end > 0)
    return end + (rule->contractions ? contraction_size(text, end) : 0);
  end = end_of_number(text, rule->most_digits);
  if (end == 0)
    end = end_of_signs(text);
  return end > 0 ? end : end_of_space(text);
}
