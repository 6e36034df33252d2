/* Pictures out: a child is given pixels and gives the file. */
#include "media/image.h"

#include "base/alloc.h"
#include "media/child.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

constexpr int64_t STALL_MS = 120'000; /* WebP without loss thinks for a long time about a large picture */

static void child_free(struct al_media_child *child)
{
  if (child == nullptr)
    return;
  al_media_child_stop(child);
  al_free(child);
}
AL_DEFINE_CLEANUP(struct al_media_child, child_free)

static enum al_code check(const struct al_image_out *out, struct al_err *err)
{
  if (out->format >= AL_IMAGE_FORMAT_COUNT)
    return al_fail(err, AL_INVALID_REQUEST, "no such picture format");
  if (out->quality < 0 || out->quality > 100)
    return al_fail(err, AL_INVALID_REQUEST, "a quality is 0 to 100, not %d", out->quality);
  int max_side = out->format == AL_IMAGE_WEBP ? 16'383 : AL_MEDIA_MAX_SIDE; /* all that the format can say */
  if (out->width < 1 || out->width > max_side || out->height < 1 || out->height > max_side ||
      (int64_t)out->width * out->height > AL_MEDIA_MAX_PIXELS)
    return al_fail(err, AL_INVALID_REQUEST, "a picture of %d by %d pixels cannot be written as %s", out->width,
                   out->height, al_image_format_name(out->format));
  return AL_OK;
}

/* The pixels travel through a socket: sending to a child that has died is an error there and not a signal here. */
static enum al_code start(struct al_media_child *child, const struct al_image_out *out, bool has_alpha,
                          struct al_err *err)
{
  char quality[16], width[16], height[16];
  (void)snprintf(quality, sizeof quality, "%d", out->quality);
  (void)snprintf(width, sizeof width, "%d", out->width);
  (void)snprintf(height, sizeof height, "%d", out->height);
  const char *format = al_image_format_name(out->format);
  const char *const arguments[] = { "write-picture", format, quality, width, height, has_alpha ? "1" : "0", nullptr };
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return al_fail(err, AL_INTERNAL, "no socket for allm-media: %s", strerrordesc_np(errno));
  child->samples_fd = ends[0];
  AL_CLEANUP(al_fd_close) int child_end = ends[1];
  return al_media_child_start(child, arguments, child_end, err);
}

/* Sends what is left of `pixels` (nullptr: nothing) and takes one frame, or none when all is sent. */
static enum al_code exchange(struct al_media_child *child, struct al_str *pixels, struct al_buf *bytes, bool *ended,
                             struct al_err *err)
{
  struct al_media_frame frame;
  bool found;
  AL_TRY(al_media_child_next(child, pixels, &frame, &found, err));
  if (!found)
    return AL_OK;
  if (frame.kind == AL_MEDIA_FAILED)
    return al_media_picture_failure_tell(&frame.failure, err);
  if (frame.kind == AL_MEDIA_BYTES)
    al_buf_add(bytes, frame.payload.data, frame.payload.size);
  if (frame.kind == AL_MEDIA_END && pixels != nullptr)
    return al_fail(err, AL_INTERNAL, "allm-media ended before the picture did");
  *ended = frame.kind == AL_MEDIA_END;
  return al_buf_check(bytes, err);
}

static enum al_code send_pixels(struct al_media_child *child, const uint8_t *pixels, size_t size, struct al_buf *bytes,
                                struct al_err *err)
{
  bool ended = false;
  struct al_str left = al_str_n((const char *)pixels, size);
  while (left.size > 0)
    AL_TRY(exchange(child, &left, bytes, &ended, err));
  return AL_OK;
}

enum al_code al_image_write(const struct al_image_out *out, struct al_cancel *cancel, struct al_buf *bytes,
                            struct al_err *err)
{
  AL_TRY(al_media_check_program(err));
  AL_TRY(check(out, err));
  AL_CLEANUP(child_free_p) struct al_media_child *child = al_calloc(1, sizeof *child);
  if (child == nullptr)
    return al_fail_oom(err, sizeof *child);
  child->frames_fd = child->samples_fd = -1;
  child->frames.job = AL_MEDIA_WRITE_PICTURE;
  child->cancel = al_cancel_ref(cancel);
  child->stall_ms = STALL_MS;
  bool has_alpha = out->alpha != nullptr && out->format != AL_IMAGE_JPEG;
  size_t n_pixels = (size_t)out->width * (size_t)out->height;
  AL_TRY(start(child, out, has_alpha, err));
  AL_TRY(send_pixels(child, out->rgb, 3 * n_pixels, bytes, err));
  if (has_alpha)
    AL_TRY(send_pixels(child, out->alpha, n_pixels, bytes, err));
  (void)shutdown(child->samples_fd, SHUT_WR);
  for (bool ended = false; !ended;)
    AL_TRY(exchange(child, nullptr, bytes, &ended, err));
  return AL_OK;
}
