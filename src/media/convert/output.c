#include "media/convert/output.h"

#include <errno.h>
#include <libavutil/error.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_all(const char *bytes, size_t size)
{
  while (size > 0) {
    ssize_t n = write(AL_MEDIA_OUT_FD, bytes, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      _exit(1);
    bytes += n;
    size -= (size_t)n;
  }
}

/* One write a frame: a short one reaches its reader whole. */
void output_frame(enum al_media_kind kind, const void *payload, size_t size)
{
  static char frame[sizeof(struct al_media_header) + AL_MEDIA_MAX_PAYLOAD];
  const struct al_media_header header = { kind, (uint32_t)size };
  memcpy(frame, &header, sizeof header);
  if (size > 0)
    memcpy(frame + sizeof header, payload, size);
  write_all(frame, sizeof header + size);
}

void output_long(enum al_media_kind kind, const void *payload, size_t size)
{
  const char *bytes = payload;
  while (size > 0) {
    size_t n = al_min_size(size, AL_MEDIA_MAX_PAYLOAD);
    output_frame(kind, bytes, n);
    bytes += n;
    size -= n;
  }
}

void output_fail(enum al_media_failure_kind kind, const char *detail)
{
  struct al_media_failure failure = { .kind = kind };
  (void)snprintf(failure.detail, sizeof failure.detail, "%s", detail);
  output_frame(AL_MEDIA_FAILED, &failure, sizeof failure);
  _exit(0);
}

void output_fail_av(int av_error, enum al_media_failure_kind otherwise)
{
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  (void)av_strerror(av_error, text, sizeof text);
  output_fail(av_error == AVERROR(ENOMEM) ? AL_MEDIA_TOO_LARGE : otherwise, text);
}
