/* Any bytes as what the child that decodes or encodes says: the parser finds the same frames in them however they are
 * cut, believes no size, and lets out only what its users may rely on. */
#include "media/protocol.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
  enum al_code code;
  uint64_t sum;
};

static void check_frame(const struct al_media_frame *frame)
{
  static float samples[AL_MEDIA_MAX_PAYLOAD / sizeof(float)];
  if (frame->kind == AL_MEDIA_SAMPLES) {
    size_t n = frame->payload.size / sizeof *samples;
    al_media_samples_copy(frame->payload, 0, samples, n);
    for (size_t i = 0; i < n; i++)
      assert(samples[i] >= -1 && samples[i] <= 1);
  }
  if (frame->kind == AL_MEDIA_INFO) {
    assert(frame->info.sample_rate > 0 && frame->info.n_channels > 0 && frame->info.duration_s >= 0);
    assert(strlen(frame->info.container) < sizeof frame->info.container);
    for (const char *c = frame->info.codec; *c != '\0'; c++)
      assert(*c >= ' ' && *c <= '~');
  }
  if (frame->kind == AL_MEDIA_FAILED) {
    struct al_err err = {};
    assert(al_media_failure_tell(&frame->failure, &err) != AL_OK && err.message[0] != '\0');
    assert(al_media_picture_failure_tell(&frame->failure, &err) != AL_OK && err.message[0] != '\0');
  }
}

/* Never more pixels than the shape has, which has a cap; and the end only once all are there. */
static void check_picture(const struct al_media_frame *frame, uint64_t *n_left)
{
  if (frame->kind == AL_MEDIA_SHAPE) {
    assert(frame->shape.width > 0 && frame->shape.height > 0 && frame->shape.has_alpha <= 1);
    *n_left = (uint64_t)frame->shape.width * frame->shape.height;
    assert(*n_left <= (uint64_t)AL_MEDIA_MAX_PIXELS);
    *n_left *= 3 + frame->shape.has_alpha;
  }
  if (frame->kind == AL_MEDIA_PIXELS) {
    assert(frame->payload.size <= *n_left);
    *n_left -= frame->payload.size;
  }
  assert(frame->kind != AL_MEDIA_END || *n_left == 0);
}

static struct outcome parse(enum al_media_job job, const uint8_t *data, size_t size, size_t step)
{
  static struct al_media_frames frames;
  frames.job = job;
  frames.greeted = frames.informed = frames.ended = false;
  frames.n_eaten = frames.pixel_bytes = frames.at = frames.size = 0;
  struct outcome outcome = {};
  uint64_t n_pixel_bytes = 0;
  size_t at = 0;
  for (;;) {
    struct al_media_frame frame;
    bool found = false;
    outcome.code = al_media_frames_next(&frames, &frame, &found, nullptr);
    if (outcome.code != AL_OK)
      return outcome;
    if (found) {
      check_frame(&frame);
      check_picture(&frame, &n_pixel_bytes);
      outcome.sum = outcome.sum * 31 + frame.kind + frame.payload.size;
      continue;
    }
    if (at == size)
      return outcome;
    size_t room;
    char *bytes = al_media_frames_room(&frames, &room);
    size_t n = al_min_size(al_min_size(room, step), size - at);
    assert(n > 0);
    memcpy(bytes, data + at, n);
    al_media_frames_grew(&frames, n);
    at += n;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  enum al_media_job job = (enum al_media_job)((data[0] & 1) | (data[0] >> 7) << 1);
  struct outcome whole = parse(job, data + 1, size - 1, SIZE_MAX);
  struct outcome cut = parse(job, data + 1, size - 1, (size_t)((data[0] & 0x7f) >> 1) + 1);
  assert(whole.code == cut.code && whole.sum == cut.sum);
  return 0;
}
