/* Pictures in and out, by the same short-lived child process as sound (media.h): PNG, JPEG, WebP (and GIF's first
 * frame, BMP, TIFF) in; PNG, JPEG, WebP out. What a file claims is checked before a pixel is decoded. */
#ifndef AL_MEDIA_IMAGE_H
#define AL_MEDIA_IMAGE_H

#include "base/buf.h"
#include "media/media.h"

struct al_image { /* al_image_done; zeroed: none */
  int width, height;
  uint8_t *rgb;   /* uint8_t[height][width][3], sRGB; owned */
  uint8_t *alpha; /* uint8_t[height][width]; nullptr: the file has none, all is there */
};
void al_image_done(struct al_image *image);

struct al_image_want {
  int64_t max_pixels; /* more: AL_INVALID_REQUEST, reason "image_too_large", from the header alone; 0: 64 million */
  int width, height;  /* scaled to it (bicubic), the middle cut out where the shape differs; 0: as the file has it */
};

/* Turned upright as its Exif says. Errors, all AL_INVALID_REQUEST with a message for the client: reason "empty_file",
 * "unknown_media", "corrupt_media", "image_too_large"; AL_TIMEOUT, AL_CANCELLED. */
enum al_code al_image_read(const struct al_media_source *source, const struct al_image_want *want,
                           struct al_cancel *cancel, struct al_image *image, struct al_err *err);

enum al_image_format { AL_IMAGE_PNG, AL_IMAGE_JPEG, AL_IMAGE_WEBP, AL_IMAGE_FORMAT_COUNT };
const char *al_image_format_name(enum al_image_format format);         /* "png", ... as OpenAI's output_format */
const char *al_image_format_content_type(enum al_image_format format); /* "image/png", ... */
enum al_image_format al_image_format_parse(struct al_str name);        /* AL_IMAGE_FORMAT_COUNT: no such format */

struct al_image_out {
  enum al_image_format format;
  int quality; /* 0 .. 100, JPEG and WebP (100: WebP without loss); PNG never loses anything */
  int width, height;
  const uint8_t *rgb;   /* borrowed */
  const uint8_t *alpha; /* nullptr: none; JPEG has none */
};
/* Appends the file; the buffer's cap bounds it. */
enum al_code al_image_write(const struct al_image_out *out, struct al_cancel *cancel, struct al_buf *bytes,
                            struct al_err *err);

#endif
