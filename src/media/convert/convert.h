/* What allm-media does, once its sandbox is closed. Each runs to its end and tells it as a frame. */
#ifndef AL_MEDIA_CONVERT_CONVERT_H
#define AL_MEDIA_CONVERT_CONVERT_H

#include "media/image.h"

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

struct convert_read_picture {
  int64_t max_pixels; /* of the file */
  int width, height;  /* wanted; 0: as the file has it */
  uint64_t offset, size_bytes;
};
uint64_t convert_read_picture_memory(const struct convert_read_picture *job); /* bytes that it may need */
void convert_read_picture_run(const struct convert_read_picture *job);

struct convert_write_picture {
  enum al_image_format format;
  int quality, width, height;
  bool has_alpha;
};
uint64_t convert_write_picture_memory(const struct convert_write_picture *job);
void convert_write_picture_run(const struct convert_write_picture *job);

#endif
