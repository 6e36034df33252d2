/* Pictures in: a child that decodes, turns and scales; its pixels taken from its frames. */
#include "media/image.h"

#include "base/alloc.h"
#include "media/child.h"
#include "os/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdckdint.h>
#include <stdio.h>

constexpr int64_t STALL_MS = 60'000; /* a picture is decoded whole before its first pixel comes */

struct reading {
  struct al_media_child child;
  int64_t max_pixels; /* of the file */
  struct al_image_want want;
  struct al_image image; /* what has come of it */
  size_t n_got;          /* bytes: colours first, then alpha */
};

static void reading_free(struct reading *reading)
{
  if (reading == nullptr)
    return;
  al_media_child_stop(&reading->child);
  al_image_done(&reading->image);
  al_free(reading);
}
AL_DEFINE_CLEANUP(struct reading, reading_free)

static enum al_code check(const struct al_media_source *source, const struct al_image_want *want, struct al_err *err)
{
  if (source->size_bytes == 0) {
    (void)al_fail(err, AL_INVALID_REQUEST, "the file is empty");
    return al_fail_reason(err, AL_INVALID_REQUEST, "empty_file");
  }
  uint64_t end;
  if (ckd_add(&end, source->offset, source->size_bytes) || end > INT64_MAX)
    return al_fail(err, AL_INVALID_REQUEST, "the file has no such part");
  if (want->width < 0 || want->width > AL_MEDIA_MAX_SIDE || want->height < 0 || want->height > AL_MEDIA_MAX_SIDE ||
      (int64_t)want->width * want->height > AL_MEDIA_MAX_PIXELS)
    return al_fail(err, AL_INVALID_REQUEST, "no picture is made %d by %d pixels large", want->width, want->height);
  return AL_OK;
}

/* A description of our own where the system gives one, for reading alone. */
static int reopen(int fd)
{
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static enum al_code start(struct reading *reading, const struct al_media_source *source, struct al_err *err)
{
  char most[24], width[16], height[16], offset[24], size[24];
  (void)snprintf(most, sizeof most, "%" PRId64, reading->max_pixels);
  (void)snprintf(width, sizeof width, "%d", reading->want.width);
  (void)snprintf(height, sizeof height, "%d", reading->want.height);
  (void)snprintf(offset, sizeof offset, "%" PRIu64, source->offset);
  (void)snprintf(size, sizeof size, "%" PRIu64, source->size_bytes);
  const char *const arguments[] = { "read-picture", most, width, height, offset, size, nullptr };
  AL_CLEANUP(al_fd_close) int own = reopen(source->fd);
  return al_media_child_start(&reading->child, arguments, own >= 0 ? own : source->fd, err);
}

static bool is_wanted(const struct reading *reading, const struct al_media_shape *shape)
{
  const struct al_image_want *want = &reading->want;
  if (want->width > 0 && shape->width != (uint32_t)want->width)
    return false;
  if (want->height > 0 && shape->height != (uint32_t)want->height)
    return false;
  return want->width > 0 || want->height > 0 || (int64_t)shape->width * shape->height <= reading->max_pixels;
}

static enum al_code take_shape(struct reading *reading, const struct al_media_shape *shape, struct al_err *err)
{
  if (!is_wanted(reading, shape)) {
    (void)al_fail(err, AL_INVALID_REQUEST, "the file made its decoder give a picture of another size than was wanted");
    return al_fail_reason(err, AL_INVALID_REQUEST, "corrupt_media");
  }
  struct al_image *image = &reading->image;
  size_t n_pixels = (size_t)shape->width * shape->height;
  image->width = (int)shape->width;
  image->height = (int)shape->height;
  image->rgb = al_alloc(3 * n_pixels);
  if (image->rgb == nullptr)
    return al_fail_oom(err, 3 * n_pixels);
  if (shape->has_alpha == 0)
    return AL_OK;
  image->alpha = al_alloc(n_pixels);
  return image->alpha != nullptr ? AL_OK : al_fail_oom(err, n_pixels);
}

/* The parser has counted them: they fit. */
static void take_pixels(struct reading *reading, struct al_str bytes)
{
  struct al_image *image = &reading->image;
  size_t rgb_bytes = 3 * (size_t)image->width * (size_t)image->height;
  if (reading->n_got < rgb_bytes) {
    size_t n = al_min_size(bytes.size, rgb_bytes - reading->n_got);
    memcpy(image->rgb + reading->n_got, bytes.data, n);
    reading->n_got += n;
    bytes = al_str_n(bytes.data + n, bytes.size - n);
  }
  if (bytes.size > 0)
    memcpy(image->alpha + (reading->n_got - rgb_bytes), bytes.data, bytes.size);
  reading->n_got += bytes.size;
}

static enum al_code act_on(struct reading *reading, const struct al_media_frame *frame, bool *ended, struct al_err *err)
{
  switch (frame->kind) {
  case AL_MEDIA_HELLO: return AL_OK;
  case AL_MEDIA_SHAPE: return take_shape(reading, &frame->shape, err);
  case AL_MEDIA_PIXELS: take_pixels(reading, frame->payload); return AL_OK;
  case AL_MEDIA_END: *ended = true; return AL_OK;
  case AL_MEDIA_FAILED: return al_media_picture_failure_tell(&frame->failure, err);
  case AL_MEDIA_INFO:
  case AL_MEDIA_SAMPLES:
  case AL_MEDIA_BYTES:
  case AL_MEDIA_EATEN: break;
  }
  return al_fail(err, AL_INTERNAL, "a frame of allm-media that the parser should have refused");
}

enum al_code al_image_read(const struct al_media_source *source, const struct al_image_want *want,
                           struct al_cancel *cancel, struct al_image *image, struct al_err *err)
{
  AL_TRY(al_media_check_program(err));
  AL_TRY(check(source, want, err));
  AL_CLEANUP(reading_free_p) struct reading *reading = al_calloc(1, sizeof *reading);
  if (reading == nullptr)
    return al_fail_oom(err, sizeof *reading);
  reading->child.frames_fd = reading->child.samples_fd = -1;
  reading->child.frames.job = AL_MEDIA_READ_PICTURE;
  reading->child.cancel = al_cancel_ref(cancel);
  reading->child.stall_ms = STALL_MS;
  reading->want = *want;
  reading->max_pixels =
      want->max_pixels > 0 && want->max_pixels < AL_MEDIA_MAX_PIXELS ? want->max_pixels : AL_MEDIA_MAX_PIXELS;
  AL_TRY(start(reading, source, err));
  for (bool ended = false; !ended;) {
    struct al_media_frame frame;
    bool found;
    AL_TRY(al_media_child_next(&reading->child, nullptr, &frame, &found, err));
    AL_TRY(act_on(reading, &frame, &ended, err));
  }
  *image = reading->image;
  reading->image = (struct al_image){};
  return AL_OK;
}
