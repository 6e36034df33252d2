/* GPT-2's alphabet, in which byte-level vocabularies write bytes: printable characters of Latin-1 stand for themselves,
 * the other bytes for U+0100 and on. For fuzz targets only. */
#ifndef AL_FUZZ_LETTERS_H
#define AL_FUZZ_LETTERS_H

#include "base/buf.h"
#include "codec/utf8.h"

constexpr unsigned N_BYTES = 256;

static inline uint32_t letter_of(unsigned byte)
{
  static uint32_t letters[N_BYTES];
  uint32_t n_others = 0;
  for (unsigned b = 0; letters[N_BYTES - 1] == 0 && b < N_BYTES; b++) {
    bool plain = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    letters[b] = plain ? b : 0x100 + n_others++;
  }
  return letters[byte];
}

static inline void add_letters(struct al_buf *out, struct al_str bytes)
{
  for (size_t i = 0; i < bytes.size; i++) {
    char letter[4];
    al_buf_add(out, letter, al_utf8_encode(letter_of((uint8_t)bytes.data[i]), letter));
  }
}

#endif
