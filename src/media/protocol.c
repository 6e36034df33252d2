#include "media/protocol.h"

#include <assert.h>
#include <math.h>
#include <string.h>

char *al_media_frames_room(struct al_media_frames *frames, size_t *size)
{
  memmove(frames->bytes, frames->bytes + frames->at, frames->size - frames->at);
  frames->size -= frames->at;
  frames->at = 0;
  *size = sizeof frames->bytes - frames->size;
  return frames->bytes + frames->size;
}

void al_media_frames_grew(struct al_media_frames *frames, size_t size)
{
  assert(size <= sizeof frames->bytes - frames->size);
  frames->size += size;
}

static enum al_code nonsense(struct al_err *err)
{
  (void)al_fail(err, AL_INVALID_REQUEST, "the file made its decoder talk nonsense: it is damaged or hostile");
  return al_fail_reason(err, AL_INVALID_REQUEST, "corrupt_media");
}

static bool size_fits(const struct al_media_header *header)
{
  uint32_t size = header->size_bytes;
  switch (header->kind) {
  case AL_MEDIA_HELLO: return size == 0;
  case AL_MEDIA_INFO: return size == sizeof(struct al_audio_info);
  case AL_MEDIA_SAMPLES: return size > 0 && size <= AL_MEDIA_MAX_PAYLOAD && size % sizeof(float) == 0;
  case AL_MEDIA_BYTES: return size > 0 && size <= AL_MEDIA_MAX_PAYLOAD;
  case AL_MEDIA_EATEN: return size == sizeof(uint64_t);
  case AL_MEDIA_END: return size == sizeof(uint32_t);
  case AL_MEDIA_FAILED: return size == sizeof(struct al_media_failure);
  case AL_MEDIA_SHAPE: return size == sizeof(struct al_media_shape);
  case AL_MEDIA_PIXELS: return size > 0 && size <= AL_MEDIA_MAX_PAYLOAD;
  }
  return false;
}

/* Whether this kind may come now. */
static bool is_expected(const struct al_media_frames *frames, enum al_media_kind kind)
{
  if (frames->ended)
    return false;
  enum al_media_job job = frames->job;
  bool decodes = al_media_job_decodes(job);
  switch (kind) {
  case AL_MEDIA_HELLO: return !frames->greeted;
  case AL_MEDIA_INFO: return job == AL_MEDIA_DECODE && frames->greeted && !frames->informed;
  case AL_MEDIA_SAMPLES: return job == AL_MEDIA_DECODE && frames->informed;
  case AL_MEDIA_SHAPE: return job == AL_MEDIA_READ_PICTURE && frames->greeted && !frames->informed;
  case AL_MEDIA_PIXELS: return frames->pixel_bytes > 0;
  case AL_MEDIA_BYTES: return frames->greeted && !decodes;
  case AL_MEDIA_EATEN: return frames->greeted && job == AL_MEDIA_ENCODE;
  case AL_MEDIA_END: return decodes ? frames->informed && frames->pixel_bytes == 0 : frames->greeted;
  case AL_MEDIA_FAILED: return true;
  }
  return false;
}

static void make_printable(char *text, size_t size)
{
  text[size - 1] = '\0';
  for (; *text != '\0'; text++)
    if (*text < 0x20 || *text > 0x7e)
      *text = '?';
}

static bool read_info(const char *bytes, struct al_audio_info *info)
{
  memcpy(info, bytes, sizeof *info);
  make_printable(info->container, sizeof info->container);
  make_printable(info->codec, sizeof info->codec);
  if (!isfinite(info->duration_s) || info->duration_s < 0)
    info->duration_s = 0;
  return info->sample_rate > 0 && info->n_channels > 0;
}

static bool read_failure(const char *bytes, struct al_media_failure *failure)
{
  memcpy(failure, bytes, sizeof *failure);
  make_printable(failure->detail, sizeof failure->detail);
  return failure->kind > 0 && failure->kind < AL_MEDIA_FAILURE_COUNT;
}

static bool read_eaten(struct al_media_frames *frames, const char *bytes, uint64_t *n_eaten)
{
  memcpy(n_eaten, bytes, sizeof *n_eaten);
  if (*n_eaten < frames->n_eaten)
    return false;
  frames->n_eaten = *n_eaten;
  return true;
}

static bool read_end(const char *bytes, bool *truncated)
{
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  *truncated = value == 1;
  return value <= 1;
}

static bool read_shape(struct al_media_frames *frames, const char *bytes, struct al_media_shape *shape)
{
  memcpy(shape, bytes, sizeof *shape);
  if (shape->width == 0 || shape->width > AL_MEDIA_MAX_SIDE || shape->height == 0 ||
      shape->height > AL_MEDIA_MAX_SIDE || shape->has_alpha > 1)
    return false;
  uint64_t n_pixels = (uint64_t)shape->width * shape->height;
  frames->informed = true;
  frames->pixel_bytes = n_pixels * (3 + shape->has_alpha);
  return n_pixels <= (uint64_t)AL_MEDIA_MAX_PIXELS;
}

static bool count_pixels(struct al_media_frames *frames, size_t size)
{
  if (size > frames->pixel_bytes)
    return false;
  frames->pixel_bytes -= size;
  return true;
}

static bool read_payload(struct al_media_frames *frames, const char *bytes, struct al_media_frame *frame)
{
  switch (frame->kind) {
  case AL_MEDIA_HELLO: frames->greeted = true; return true;
  case AL_MEDIA_INFO: frames->informed = true; return read_info(bytes, &frame->info);
  case AL_MEDIA_SAMPLES:
  case AL_MEDIA_BYTES: return true;
  case AL_MEDIA_EATEN: return read_eaten(frames, bytes, &frame->n_eaten);
  case AL_MEDIA_END: frames->ended = true; return read_end(bytes, &frame->truncated);
  case AL_MEDIA_FAILED: frames->ended = true; return read_failure(bytes, &frame->failure);
  case AL_MEDIA_SHAPE: return read_shape(frames, bytes, &frame->shape);
  case AL_MEDIA_PIXELS: return count_pixels(frames, frame->payload.size);
  }
  return false;
}

enum al_code al_media_frames_next(struct al_media_frames *frames, struct al_media_frame *frame, bool *found,
                                  struct al_err *err)
{
  *found = false;
  struct al_media_header header;
  if (frames->size - frames->at < sizeof header)
    return AL_OK;
  memcpy(&header, frames->bytes + frames->at, sizeof header);
  if (!size_fits(&header) || !is_expected(frames, header.kind))
    return nonsense(err);
  if (frames->size - frames->at - sizeof header < header.size_bytes)
    return AL_OK;
  const char *payload = frames->bytes + frames->at + sizeof header;
  *frame = (struct al_media_frame){ .kind = header.kind, .payload = al_str_n(payload, header.size_bytes) };
  if (!read_payload(frames, payload, frame))
    return nonsense(err);
  frames->at += sizeof header + header.size_bytes;
  *found = true;
  return AL_OK;
}

void al_media_samples_copy(struct al_str payload, size_t first, float *samples, size_t n)
{
  assert(first + n <= payload.size / sizeof *samples);
  memcpy(samples, payload.data + first * sizeof *samples, n * sizeof *samples);
  for (size_t i = 0; i < n; i++) {
    float sample = samples[i];
    samples[i] = !(sample >= -1.0F) ? (isnan(sample) ? 0.0F : -1.0F) : sample > 1.0F ? 1.0F : sample;
  }
}

static enum al_code refuse(struct al_err *err, const char *reason, const char *what, const char *detail)
{
  (void)al_fail(err, AL_INVALID_REQUEST, "%s%s", what, detail);
  return al_fail_reason(err, AL_INVALID_REQUEST, reason);
}

enum al_code al_media_failure_tell(const struct al_media_failure *failure, struct al_err *err)
{
  const char *detail = failure->detail;
  switch (failure->kind) {
  case AL_MEDIA_NO_SANDBOX:
    return al_fail(err, AL_UNSUPPORTED,
                   "media files are not opened here: the system offers neither seccomp nor Landlock (%s)", detail);
  case AL_MEDIA_UNKNOWN: return refuse(err, "unknown_media", "the file is in no known audio or video format", "");
  case AL_MEDIA_UNWANTED:
    return refuse(err, "unknown_media", "the file is not in a supported audio or video format: ", detail);
  case AL_MEDIA_NO_AUDIO: return refuse(err, "no_audio", "the file has no audio in it", "");
  case AL_MEDIA_UNSUPPORTED_CODEC:
    return refuse(err, "unknown_media", "the file's audio is in an encoding that is not supported: ", detail);
  case AL_MEDIA_NO_SAMPLES: return refuse(err, "empty_file", "the file is empty: not one sample of audio", "");
  case AL_MEDIA_CORRUPT: return refuse(err, "corrupt_media", "the file is damaged: no audio could be decoded", "");
  case AL_MEDIA_TOO_LONG: return refuse(err, "audio_too_long", "the audio is longer than is allowed", "");
  case AL_MEDIA_TOO_LARGE:
    return refuse(err, "corrupt_media", "decoding the file takes more memory than is allowed", "");
  case AL_MEDIA_BAD_RATE: return refuse(err, nullptr, "the format does not have that sample rate: ", detail);
  case AL_MEDIA_NO_ENCODER: return al_fail(err, AL_UNSUPPORTED, "this system's FFmpeg lacks the encoder %s", detail);
  case AL_MEDIA_TOO_MANY_PIXELS: return refuse(err, "image_too_large", "the picture is too large: ", detail);
  case AL_MEDIA_BAD_ARGUMENTS:
  case AL_MEDIA_FAILURE_COUNT: break;
  }
  return al_fail(err, AL_INTERNAL, "allm-media: %s", detail);
}

enum al_code al_media_picture_failure_tell(const struct al_media_failure *failure, struct al_err *err)
{
  const char *detail = failure->detail;
  if (failure->kind == AL_MEDIA_UNKNOWN)
    return refuse(err, "unknown_media",
                  "the file is not a picture in a supported format (PNG, JPEG, WebP, GIF, BMP, TIFF)", "");
  if (failure->kind == AL_MEDIA_UNSUPPORTED_CODEC)
    return refuse(err, "unknown_media", "the picture is stored in a way that is not supported: ", detail);
  if (failure->kind == AL_MEDIA_CORRUPT)
    return refuse(err, "corrupt_media", "the picture is damaged and could not be decoded: ", detail);
  if (failure->kind == AL_MEDIA_TOO_LARGE)
    return refuse(err, "image_too_large", "decoding the picture takes more memory than is allowed", "");
  return al_media_failure_tell(failure, err);
}
