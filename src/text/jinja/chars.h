/* Characters of UTF-8 text: positions in code points, white space as Python sees it, case. */
#ifndef AL_TEXT_JINJA_CHARS_H
#define AL_TEXT_JINJA_CHARS_H

#include "base/buf.h"

#include <locale.h>
#include <stdint.h>

size_t al_jj_char_count(struct al_str text);
size_t al_jj_char_offset(struct al_str text, size_t n_chars); /* in bytes; text.size past the end */
size_t al_jj_char_size(struct al_str text);                   /* bytes of the first character; 0 at the end */

bool al_jj_is_space(uint32_t c);
size_t al_jj_leading_space(struct al_str text);  /* bytes */
size_t al_jj_trailing_space(struct al_str text); /* bytes */
bool al_jj_is_printable(uint32_t c, locale_t ctype);

/* Appends the text in another case. */
bool al_jj_is_letter_at(struct al_str text, size_t at, locale_t ctype); /* false behind the end */
enum al_jj_case { AL_JJ_UPPER, AL_JJ_LOWER, AL_JJ_SWAP };
void al_jj_change_case(struct al_buf *out, struct al_str text, enum al_jj_case to, locale_t ctype);

/* Byte position of `needle` at or after `from`, or SIZE_MAX. */
size_t al_jj_find_bytes(struct al_str text, struct al_str needle, size_t from);
size_t al_jj_rfind_bytes(struct al_str text, struct al_str needle);
static inline struct al_str al_jj_from(struct al_str text, size_t from)
{
  return al_str_n(text.data + from, text.size - from);
}

#endif
