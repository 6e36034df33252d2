#include "engine/espeak/text.h"

#include "codec/utf8.h"

static bool is_control(uint32_t c)
{
  return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0 && c != 0x85);
}

void al_espeak_clean(struct al_str text, struct al_buf *out)
{
  while (text.size > 0) {
    uint32_t c = 0;
    char bytes[4];
    size_t n = al_utf8_decode(text, &c);
    text = al_str_n(text.data + n, text.size - n);
    if (is_control(c))
      al_buf_char(out, ' ');
    else
      al_buf_add(out, bytes, al_utf8_encode(c, bytes));
  }
}

enum gap { NO_GAP, WORD, CLAUSE, SENTENCE };

/* What ends with this character when `next` follows it. */
static enum gap gap_after(uint32_t c, uint32_t next)
{
  bool is_spaced = next == ' ' || next == '\n' || next == '\t';
  switch (c) {
  case '\n':
  case 0x3002: /* ideographic full stop, exclamation and question mark */
  case 0xff01:
  case 0xff1f:
  case 0x0964: /* danda */ return SENTENCE;
  case '.':
  case '!':
  case '?':
  case 0x2026: /* ellipsis */
  case 0x061f: /* Arabic question mark */ return is_spaced ? SENTENCE : NO_GAP;
  case ',':
  case ';':
  case ':': return is_spaced ? CLAUSE : NO_GAP;
  case 0x3001: /* ideographic comma */
  case 0xff0c:
  case 0x060c: /* Arabic comma */ return CLAUSE;
  case ' ':
  case '\t': return WORD;
  default: return NO_GAP;
  }
}

static size_t decode(struct al_str text, size_t at, uint32_t *c)
{
  *c = ' ';
  return at < text.size ? al_utf8_decode(al_str_n(text.data + at, text.size - at), c) : 0;
}

size_t al_espeak_cut(struct al_str text)
{
  if (text.size <= AL_ESPEAK_MAX_PIECE_BYTES)
    return text.size;
  size_t last[SENTENCE + 1] = {}; /* where the latest gap of each kind ends */
  uint32_t c = 0, next = 0;
  size_t at = 0, n = decode(text, 0, &c);
  while (at + n <= AL_ESPEAK_MAX_PIECE_BYTES) {
    at += n;
    n = decode(text, at, &next);
    last[gap_after(c, next)] = at;
    c = next;
  }
  for (int kind = SENTENCE; kind > NO_GAP; kind--)
    if (last[kind] > 0)
      return last[kind];
  return at;
}
