#include "media/pcm.h"

#include <math.h>
#include <string.h>

static void put16(uint8_t *out, uint32_t value)
{
  out[0] = (uint8_t)value;
  out[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *out, uint32_t value)
{
  put16(out, value);
  put16(out + 2, value >> 16);
}

/* 32768 is the scale that FFmpeg and others read PCM with: what goes out and in again is the same. */
static int16_t from_float(float sample)
{
  float scaled = sample * 32768.0F;
  if (!(scaled > -32768.0F))
    return isnan(scaled) ? 0 : INT16_MIN;
  return scaled >= 32767.0F ? INT16_MAX : (int16_t)lrintf(scaled);
}

void al_pcm16_from_float(const float *samples, size_t n, uint8_t *out)
{
  for (size_t i = 0; i < n; i++)
    put16(out + 2 * i, (uint16_t)from_float(samples[i]));
}

void al_wav_header(int sample_rate, uint8_t out[AL_WAV_HEADER_BYTES])
{
  constexpr uint32_t N_BYTES = 2;
  constexpr uint32_t UNKNOWN = 0xffff'ffff;
  memcpy(out, "RIFF....WAVEfmt ", 16);
  put32(out + 4, UNKNOWN);
  put32(out + 16, 16);
  put16(out + 20, 1); /* PCM */
  put16(out + 22, 1); /* channels */
  put32(out + 24, (uint32_t)sample_rate);
  put32(out + 28, (uint32_t)sample_rate * N_BYTES);
  put16(out + 32, N_BYTES);
  put16(out + 34, 8 * N_BYTES);
  memcpy(out + 36, "data", 4);
  put32(out + 40, UNKNOWN);
}
