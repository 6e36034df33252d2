/* The two things that allm-media does, once its sandbox is closed. Both run to their end and tell it as a frame. */
#ifndef AL_MEDIA_CONVERT_CONVERT_H
#define AL_MEDIA_CONVERT_CONVERT_H

#include "media/media.h"

#include <stdint.h>

struct convert_decode {
  int sample_rate;
  uint64_t max_samples, offset, size_bytes;
};
void convert_decode_run(const struct convert_decode *job);

struct convert_encode {
  enum al_audio_format format; /* AL_AUDIO_PCM: samples without a header */
  int sample_rate;
  int out_sample_rate; /* 0: the next that the format has */
};
void convert_encode_run(const struct convert_encode *job);

#endif
