/* What kind of character a code point is, as far as tokenizers care (Unicode's general categories). */
#ifndef AL_CODEC_UNICODE_H
#define AL_CODEC_UNICODE_H

#include <stdint.h>

enum al_unicode_kind {
  AL_UNICODE_UPPER,  /* Lu, Lt */
  AL_UNICODE_LOWER,  /* Ll */
  AL_UNICODE_LETTER, /* Lm, Lo: letters without case */
  AL_UNICODE_MARK,   /* Mn, Mc, Me */
  AL_UNICODE_NUMBER, /* Nd, Nl, No */
  AL_UNICODE_SPACE,  /* White_Space, whatever the category */
  AL_UNICODE_OTHER,  /* signs, controls, what is not assigned, AL_UTF8_INVALID */
};

enum al_unicode_kind al_unicode_kind_of(uint32_t code_point);

bool al_unicode_is_punctuation(uint32_t code_point); /* P*, not S* */
bool al_unicode_is_control(uint32_t code_point);     /* Cc, Cf, Co */

/* The small letter of a capital, one character for one; everything else is itself. */
uint32_t al_unicode_lower(uint32_t code_point);

/* What is left of a character without case and accents: its canonical decomposition without non-spacing marks, each
 * part in lower case. Returns how many code points that is, possibly none. */
constexpr int AL_UNICODE_MAX_FOLD = 8;
int al_unicode_fold(uint32_t code_point, uint32_t out[AL_UNICODE_MAX_FOLD]);

#endif
