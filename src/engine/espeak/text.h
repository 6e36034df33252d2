/* What is done to a text before libespeak-ng sees it: the library has had overflows, and reads commands out of control
 * characters. */
#ifndef AL_ENGINE_ESPEAK_TEXT_H
#define AL_ENGINE_ESPEAK_TEXT_H

#include "base/buf.h"

/* Appends the text as valid UTF-8 (U+FFFD for what is not), each control character as a space. Line ends and tabs stay,
 * they part paragraphs. */
void al_espeak_clean(struct al_str text, struct al_buf *out);

/* How many bytes of a clean text go to the library at once: all of a short one, else up to the last end of a sentence
 * within reach, else of a clause, a word, a character. 0 only for "". */
constexpr size_t AL_ESPEAK_MAX_PIECE_BYTES = 2000;
size_t al_espeak_cut(struct al_str text);

#endif
