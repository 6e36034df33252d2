/* Samples as 16-bit PCM, and the WAV header in front of it. */
#ifndef AL_MEDIA_PCM_H
#define AL_MEDIA_PCM_H

#include <stddef.h>
#include <stdint.h>

constexpr size_t AL_WAV_HEADER_BYTES = 44;

/* Little-endian s16, rounded to nearest, clipped; NaN is silence. out: 2 n bytes. */
void al_pcm16_from_float(const float *samples, size_t n, uint8_t *out);
/* Mono, 16 bits, of unknown length: both sizes are 0xffffffff, which readers take as "until the end". */
void al_wav_header(int sample_rate, uint8_t out[AL_WAV_HEADER_BYTES]);

#endif
