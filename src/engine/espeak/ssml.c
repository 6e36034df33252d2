#include "engine/espeak/ssml.h"

#include "codec/utf8.h"

#include <stdint.h>

constexpr int MAX_DEPTH = 16;
constexpr size_t MAX_VALUE_BYTES = 32;
constexpr long MAX_BREAK_MS = 10'000;

static enum al_code bad(struct al_err *err, const char *what, struct al_str name)
{
  struct al_str shown = al_str_n(name.data, al_min_size(name.size, 60));
  shown.size -= al_utf8_incomplete_tail(shown);
  (void)al_fail_param(err, "input", "the SSML %s '%.*s'; docs/speech.md says what is honoured", what, (int)shown.size,
                      shown.data);
  return al_fail_reason(err, AL_INVALID_REQUEST, "invalid_ssml");
}

/* --- values ----------------------------------------------------------------------------------------------------- */

static bool one_of(struct al_str value, const char *const *words)
{
  for (; *words != nullptr; words++)
    if (al_str_is(value, *words))
      return true;
  return false;
}

/* A decimal number in thousandths; how many bytes it takes, 0: none, or out of reach. */
static size_t read_number(struct al_str value, long *thousandths)
{
  long whole = 0, part = 0, unit = 1000;
  size_t at = 0, digits = 0;
  for (; at < value.size && value.data[at] >= '0' && value.data[at] <= '9' && digits < 6; at++, digits++)
    whole = whole * 10 + (value.data[at] - '0');
  if (at < value.size && value.data[at] == '.')
    for (at++; at < value.size && value.data[at] >= '0' && value.data[at] <= '9' && unit > 1; at++, digits++) {
      unit /= 10;
      part += (value.data[at] - '0') * unit;
    }
  *thousandths = whole * 1000 + part;
  return digits > 0 ? at : 0;
}

/* "250ms", "1.5s"; -1: neither, or too long. */
static long break_ms(struct al_str value)
{
  long thousandths = 0;
  size_t n = read_number(value, &thousandths);
  struct al_str unit = al_str_n(value.data + n, value.size - n);
  if (n == 0 || (!al_str_is(unit, "ms") && !al_str_is(unit, "s")))
    return -1;
  long ms = al_str_is(unit, "s") ? thousandths : thousandths / 1000;
  return ms <= MAX_BREAK_MS ? ms : -1;
}

static bool is_break_time(struct al_str value)
{
  return break_ms(value) >= 0;
}

static bool is_strength(struct al_str value)
{
  return one_of(value, (const char *const[]){ "none", "x-weak", "weak", "medium", "strong", "x-strong", nullptr });
}

static bool is_emphasis(struct al_str value)
{
  return one_of(value, (const char *const[]){ "none", "reduced", "moderate", "strong", nullptr });
}

/* A share of what it would be: "80%", "+10%", "-10%". */
static bool is_percent(struct al_str value)
{
  bool is_signed = value.size > 0 && (value.data[0] == '+' || value.data[0] == '-');
  long thousandths = 0;
  struct al_str number = al_str_n(value.data + is_signed, value.size - is_signed);
  size_t n = read_number(number, &thousandths);
  return n > 0 && n + 1 == number.size && number.data[n] == '%' && thousandths % 1000 == 0 &&
         memchr(number.data, '.', n) == nullptr && thousandths <= 300'000 && (is_signed || thousandths >= 10'000) &&
         !(value.data[0] == '-' && thousandths > 90'000);
}

static bool is_rate(struct al_str value)
{
  return is_percent(value) ||
         one_of(value, (const char *const[]){ "x-slow", "slow", "medium", "fast", "x-fast", "default", nullptr });
}

static bool is_pitch(struct al_str value)
{
  return is_percent(value) ||
         one_of(value, (const char *const[]){ "x-low", "low", "medium", "high", "x-high", "default", nullptr });
}

static bool is_volume(struct al_str value)
{
  return one_of(value,
                (const char *const[]){ "silent", "x-soft", "soft", "medium", "loud", "x-loud", "default", nullptr });
}

static bool is_spelling(struct al_str value)
{
  return one_of(value, (const char *const[]){ "characters", "tts:char", "tts:digits", "telephone", nullptr });
}

static bool is_short_text(struct al_str value)
{
  return value.size <= 1000;
}

/* --- elements --------------------------------------------------------------------------------------------------- */

struct attribute {
  const char *name;
  bool (*accepts)(struct al_str value); /* nullptr: it may stand there and changes nothing */
};

struct element {
  const char *name;
  struct attribute attributes[5];
};

static const struct element elements[] = {
  { "speak", { { "version", nullptr }, { "xmlns", nullptr }, { "xml:lang", nullptr } } },
  { "p", {} },
  { "s", {} },
  { "break", { { "time", is_break_time }, { "strength", is_strength } } },
  { "emphasis", { { "level", is_emphasis } } },
  { "prosody", { { "rate", is_rate }, { "pitch", is_pitch }, { "range", is_pitch }, { "volume", is_volume } } },
  { "say-as", { { "interpret-as", is_spelling } } },
  { "sub", { { "alias", is_short_text } } },
};

static const struct element *find_element(struct al_str name)
{
  for (size_t i = 0; i < AL_COUNT(elements); i++)
    if (al_str_is(name, elements[i].name))
      return &elements[i];
  return nullptr;
}

static const struct attribute *find_attribute(const struct element *element, struct al_str name)
{
  for (size_t i = 0; i < AL_COUNT(element->attributes) && element->attributes[i].name != nullptr; i++)
    if (al_str_is(name, element->attributes[i].name))
      return &element->attributes[i];
  return nullptr;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct reader {
  struct al_str rest;
  struct al_buf *out;
  const struct element *open[MAX_DEPTH];
  int depth;
  bool has_ended; /* </speak> */
};

static struct al_str take(struct reader *r, size_t n)
{
  struct al_str taken = al_str_n(r->rest.data, n);
  r->rest = al_str_n(r->rest.data + n, r->rest.size - n);
  return taken;
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct reader *r)
{
  while (r->rest.size > 0 && is_space(r->rest.data[0]))
    (void)take(r, 1);
}

static bool skip(struct reader *r, const char *text)
{
  if (!al_str_starts(r->rest, al_str(text)))
    return false;
  (void)take(r, strlen(text));
  return true;
}

/* Past the next `mark`; false when there is none. */
static bool skip_past(struct reader *r, const char *mark)
{
  const char *at = r->rest.size > 0 ? memmem(r->rest.data, r->rest.size, mark, strlen(mark)) : nullptr;
  if (at != nullptr)
    (void)take(r, (size_t)(at - r->rest.data) + strlen(mark));
  return at != nullptr;
}

static struct al_str read_name(struct reader *r)
{
  size_t n = 0;
  while (n < r->rest.size && n < 64 && !is_space(r->rest.data[n]) && strchr("<>/=\"'&", r->rest.data[n]) == nullptr)
    n++;
  return take(r, n);
}

/* The character an entity stands for ("&amp;" "&#228;"); 0: none that is known. */
static uint32_t entity(struct al_str name)
{
  static const struct {
    const char *name;
    char c;
  } known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
  for (size_t i = 0; i < AL_COUNT(known); i++)
    if (al_str_is(name, known[i].name))
      return (unsigned char)known[i].c;
  bool is_hex = name.size > 2 && name.data[1] == 'x';
  uint32_t value = 0;
  if (name.size < 2 || name.size > 8 || name.data[0] != '#')
    return 0;
  for (size_t i = is_hex ? 2 : 1; i < name.size; i++) {
    char c = name.data[i];
    const char *digits = "0123456789abcdef", *digit = c != '\0' ? strchr(digits, c | 0x20) : nullptr;
    if (digit == nullptr || (!is_hex && (c < '0' || c > '9')))
      return 0;
    value = value * (is_hex ? 16 : 10) + (uint32_t)(digit - digits);
  }
  return value >= 0x20 || value == '\n' || value == '\t' ? value : 0;
}

/* An entity is never markup to libespeak-ng. A quotation mark says nothing aloud, and could end an attribute. */
static void write_character(struct reader *r, uint32_t c)
{
  char bytes[4];
  switch (c) {
  case '<': al_buf_str(r->out, "&lt;"); break;
  case '>': al_buf_str(r->out, "&gt;"); break;
  case '&': al_buf_str(r->out, "&amp;"); break;
  case '"': al_buf_char(r->out, ' '); break;
  default:
    if (c >= 0x7f && c < 0xa0)
      c = ' ';
    al_buf_add(r->out, bytes, al_utf8_encode(c, bytes));
  }
}

static enum al_code copy_text(struct reader *r, struct al_str text, struct al_err *err)
{
  for (size_t at = 0; at < text.size;) {
    struct al_str left = al_str_n(text.data + at, text.size - at);
    uint32_t c = 0;
    at += al_utf8_decode(left, &c);
    if (c == '&') {
      const char *end = memchr(left.data, ';', al_min_size(left.size, 12));
      struct al_str name = al_str_n(left.data + 1, end != nullptr ? (size_t)(end - left.data) - 1 : 0);
      c = entity(name);
      if (c == 0)
        return bad(err, "has an entity that is not known", al_str_n(left.data, al_min_size(left.size, 12)));
      at += name.size + 1;
    }
    write_character(r, c);
  }
  return AL_OK;
}

static enum al_code write_attribute(struct reader *r, const struct attribute *attribute, struct al_str value,
                                    struct al_err *err)
{
  if (attribute->accepts == nullptr)
    return AL_OK;
  if (!attribute->accepts(value) || (attribute->accepts != is_short_text && value.size > MAX_VALUE_BYTES))
    return bad(err, "has a value that is not honoured:", value);
  al_buf_printf(r->out, " %s=\"", attribute->name);
  if (attribute->accepts == is_break_time) { /* the library reads whole numbers */
    al_buf_printf(r->out, "%ldms\"", break_ms(value));
    return AL_OK;
  }
  AL_TRY(copy_text(r, value, err));
  al_buf_char(r->out, '"');
  return AL_OK;
}

static enum al_code read_attribute(struct reader *r, const struct element *element, struct al_err *err)
{
  struct al_str name = read_name(r);
  const struct attribute *attribute = find_attribute(element, name);
  if (attribute == nullptr)
    return bad(err, "has an attribute that is not honoured:", name);
  skip_space(r);
  bool has_sign = skip(r, "=");
  skip_space(r);
  char quote = r->rest.size > 0 ? r->rest.data[0] : '\0';
  if (!has_sign || (quote != '"' && quote != '\''))
    return bad(err, "has an attribute without a quoted value:", name);
  (void)take(r, 1);
  const char *end = memchr(r->rest.data, quote, r->rest.size);
  if (end == nullptr)
    return bad(err, "has an attribute without an end:", name);
  struct al_str value = take(r, (size_t)(end - r->rest.data));
  (void)take(r, 1);
  return write_attribute(r, attribute, value, err);
}

static enum al_code close_element(struct reader *r, struct al_str name, struct al_err *err)
{
  if (r->depth == 0 || !al_str_is(name, r->open[r->depth - 1]->name))
    return bad(err, "closes what is not open:", name);
  al_buf_printf(r->out, "</%s>", r->open[--r->depth]->name);
  r->has_ended = r->depth == 0;
  skip_space(r);
  return skip(r, ">") ? AL_OK : bad(err, "has no '>' after", name);
}

/* After "<". */
static enum al_code open_element(struct reader *r, struct al_err *err)
{
  struct al_str name = read_name(r);
  const struct element *element = find_element(name);
  if (element == nullptr)
    return bad(err, "has an element that is not honoured:", name);
  if ((r->depth == 0) != (element == &elements[0]))
    return bad(err, "has this element in the wrong place:", name);
  if (r->depth == MAX_DEPTH)
    return bad(err, "is nested too deep at", name);
  al_buf_printf(r->out, "<%s", element->name);
  for (skip_space(r); r->rest.size > 0 && r->rest.data[0] != '>' && r->rest.data[0] != '/'; skip_space(r))
    AL_TRY(read_attribute(r, element, err));
  bool is_empty = skip(r, "/");
  if (!skip(r, ">"))
    return bad(err, "has no '>' after", name);
  al_buf_str(r->out, is_empty ? "/>" : ">");
  r->has_ended = is_empty && r->depth == 0;
  if (!is_empty)
    r->open[r->depth++] = element;
  return AL_OK;
}

static enum al_code read_markup(struct reader *r, struct al_err *err)
{
  struct al_str all = r->rest;
  if (skip(r, "<!--"))
    return skip_past(r, "-->") ? AL_OK : bad(err, "has a comment without an end:", all);
  if (skip(r, "</"))
    return close_element(r, read_name(r), err);
  (void)skip(r, "<");
  return open_element(r, err);
}

static void skip_declaration(struct reader *r)
{
  skip_space(r);
  if (skip(r, "<?xml"))
    (void)skip_past(r, "?>");
  skip_space(r);
}

bool al_espeak_is_ssml(struct al_str text)
{
  struct reader r = { .rest = text };
  skip_declaration(&r);
  return skip(&r, "<speak") && r.rest.size > 0 && (is_space(r.rest.data[0]) || strchr(">/", r.rest.data[0]) != nullptr);
}

enum al_code al_espeak_ssml(struct al_str text, struct al_buf *out, struct al_err *err)
{
  struct reader r = { .rest = text, .out = out };
  for (skip_declaration(&r); r.rest.size > 0 && !r.has_ended;) {
    if (r.rest.data[0] == '<') {
      AL_TRY(read_markup(&r, err));
      continue;
    }
    const char *markup = memchr(r.rest.data, '<', r.rest.size);
    AL_TRY(copy_text(&r, take(&r, markup != nullptr ? (size_t)(markup - r.rest.data) : r.rest.size), err));
  }
  skip_space(&r);
  if (!r.has_ended)
    return bad(err, "does not close", al_str(r.depth > 0 ? r.open[r.depth - 1]->name : "speak"));
  if (r.rest.size > 0)
    return bad(err, "goes on after </speak>:", r.rest);
  return al_buf_check(out, err);
}
