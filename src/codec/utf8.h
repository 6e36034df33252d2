/* UTF-8 (RFC 3629: shortest forms only, no surrogates, at most U+10FFFF) and Unicode normalisation form C.
 * Malformed input is cut as the Unicode standard recommends: each maximal part of a character counts as one error. */
#ifndef AL_CODEC_UTF8_H
#define AL_CODEC_UTF8_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

constexpr uint32_t AL_UTF8_INVALID = UINT32_MAX;
constexpr uint32_t AL_UTF8_REPLACEMENT = 0xfffd;

/* The first character: returns its size in bytes (0 for empty text). Malformed bytes give AL_UTF8_INVALID and the
 * number of bytes to skip. */
size_t al_utf8_decode(struct al_str text, uint32_t *code_point);

/* Writes 1 to 4 bytes and returns how many. What is no character becomes U+FFFD. */
size_t al_utf8_encode(uint32_t code_point, char out[4]);

bool al_utf8_valid(struct al_str text);

/* How many bytes at the end (0 to 3) begin a character that more bytes could complete. */
size_t al_utf8_incomplete_tail(struct al_str text);

/* Appends the text with U+FFFD in place of every malformed part. */
void al_utf8_sanitize(struct al_str text, struct al_buf *out);

/* Appends the text in normalisation form C (UAX 15). AL_INVALID_REQUEST for malformed UTF-8; work is linear in the
 * text even for endless runs of combining marks. */
enum al_code al_utf8_nfc(struct al_str text, struct al_buf *out, struct al_err *err);

#endif
