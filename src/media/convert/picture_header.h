/* What a picture's first bytes say: which of the few formats it is in, and how large it claims to be. */
#ifndef AL_MEDIA_CONVERT_PICTURE_HEADER_H
#define AL_MEDIA_CONVERT_PICTURE_HEADER_H

#include <stddef.h>
#include <stdint.h>

struct picture_header {
  const char *decoder;   /* FFmpeg's name; nullptr: none of ours */
  int64_t width, height; /* 0: the header does not say, or is damaged; the decoder will tell */
};

struct picture_header picture_header_read(const uint8_t *bytes, size_t size);

#endif
