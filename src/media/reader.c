/* Audio in: a child that decodes, its samples taken from its frames. */
#include "media/media.h"

#include "base/alloc.h"
#include "media/child.h"
#include "os/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdckdint.h>
#include <stdio.h>

constexpr double DAY_S = 86400;
constexpr int64_t STALL_MS = 30'000;
constexpr int MAX_SAMPLE_RATE = 192'000;

struct al_audio_reader {
  struct al_media_child child;
  struct al_audio_info info;
  struct al_str samples; /* of the last frame; borrowed from the child */
  size_t n_taken;        /* of them */
  uint64_t n_given, max_samples;
  bool ended, truncated;
};

static enum al_code check_want(const struct al_media_source *source, const struct al_audio_want *want,
                               struct al_err *err)
{
  if (source->size_bytes == 0) {
    (void)al_fail(err, AL_INVALID_REQUEST, "the file is empty");
    return al_fail_reason(err, AL_INVALID_REQUEST, "empty_file");
  }
  uint64_t end;
  if (ckd_add(&end, source->offset, source->size_bytes) || end > INT64_MAX)
    return al_fail(err, AL_INVALID_REQUEST, "the file has no such part");
  if (want->sample_rate < 1 || want->sample_rate > MAX_SAMPLE_RATE)
    return al_fail(err, AL_INVALID_REQUEST, "a sample rate is 1 to %d, not %d", MAX_SAMPLE_RATE, want->sample_rate);
  return AL_OK;
}

/* A description of our own where the system gives one, for reading alone. */
static int reopen(int fd)
{
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static enum al_code start(struct al_audio_reader *reader, const struct al_media_source *source, int sample_rate,
                          struct al_err *err)
{
  char rate[16], most[24], offset[24], size[24];
  (void)snprintf(rate, sizeof rate, "%d", sample_rate);
  (void)snprintf(most, sizeof most, "%" PRIu64, reader->max_samples);
  (void)snprintf(offset, sizeof offset, "%" PRIu64, source->offset);
  (void)snprintf(size, sizeof size, "%" PRIu64, source->size_bytes);
  const char *const arguments[] = { "decode", rate, most, offset, size, nullptr };
  AL_CLEANUP(al_fd_close) int own = reopen(source->fd);
  return al_media_child_start(&reader->child, arguments, own >= 0 ? own : source->fd, err);
}

static enum al_code wait_for_info(struct al_audio_reader *reader, struct al_err *err)
{
  for (;;) {
    struct al_media_frame frame;
    bool found;
    AL_TRY(al_media_child_next(&reader->child, nullptr, &frame, &found, err));
    if (frame.kind == AL_MEDIA_FAILED)
      return al_media_failure_tell(&frame.failure, err);
    if (frame.kind != AL_MEDIA_INFO)
      continue;
    reader->info = frame.info;
    return AL_OK;
  }
}

enum al_code al_audio_reader_open(const struct al_media_source *source, const struct al_audio_want *want,
                                  struct al_cancel *cancel, struct al_audio_reader **reader, struct al_err *err)
{
  AL_TRY(al_media_check_program(err));
  AL_TRY(check_want(source, want, err));
  AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->child.frames_fd = made->child.samples_fd = -1;
  made->child.frames.job = AL_MEDIA_DECODE;
  made->child.cancel = al_cancel_ref(cancel);
  made->child.stall_ms = want->stall_ms > 0 ? want->stall_ms : STALL_MS;
  double max_s = want->max_duration_s > 0 && want->max_duration_s < DAY_S ? want->max_duration_s : DAY_S;
  made->max_samples = (uint64_t)(max_s * want->sample_rate);
  AL_TRY(start(made, source, want->sample_rate, err));
  AL_TRY(wait_for_info(made, err));
  *reader = AL_TAKE(made);
  return AL_OK;
}

const struct al_audio_info *al_audio_reader_info(const struct al_audio_reader *reader)
{
  return &reader->info;
}

static enum al_code too_long(struct al_err *err)
{
  const struct al_media_failure failure = { .kind = AL_MEDIA_TOO_LONG };
  return al_media_failure_tell(&failure, err);
}

/* What came before is good where the file turns bad; audio that is too long, and a decoder that runs into its limits,
 * are errors at any time. */
static enum al_code act_on(struct al_audio_reader *reader, const struct al_media_frame *frame, struct al_err *err)
{
  switch (frame->kind) {
  case AL_MEDIA_SAMPLES:
    reader->samples = frame->payload;
    reader->n_taken = 0;
    return AL_OK;
  case AL_MEDIA_END:
    reader->ended = true;
    reader->truncated = frame->truncated;
    return AL_OK;
  case AL_MEDIA_FAILED:
    if (frame->failure.kind != AL_MEDIA_CORRUPT || reader->n_given == 0)
      return al_media_failure_tell(&frame->failure, err);
    reader->ended = reader->truncated = true;
    return AL_OK;
  case AL_MEDIA_HELLO:
  case AL_MEDIA_INFO:
  case AL_MEDIA_BYTES:
  case AL_MEDIA_SHAPE:
  case AL_MEDIA_PIXELS:
  case AL_MEDIA_EATEN: break;
  }
  return al_fail(err, AL_INTERNAL, "a frame of allm-media that the parser should have refused");
}

/* A decoder that dies, or loses its mind, has not come to the file's end: nobody may take that part for the whole. */
static enum al_code next_samples(struct al_audio_reader *reader, struct al_err *err)
{
  struct al_media_frame frame;
  bool found;
  AL_TRY(al_media_child_next(&reader->child, nullptr, &frame, &found, err));
  return act_on(reader, &frame, err);
}

enum al_code al_audio_reader_read(struct al_audio_reader *reader, float *samples, size_t capacity, size_t *n,
                                  struct al_err *err)
{
  size_t n_got = 0;
  while (n_got < capacity) {
    size_t n_left = reader->samples.size / sizeof *samples - reader->n_taken;
    if (n_left == 0 && reader->ended)
      break;
    if (n_left == 0) {
      AL_TRY(next_samples(reader, err));
      continue;
    }
    size_t n_now = al_min_size(n_left, capacity - n_got);
    if (n_now > reader->max_samples - reader->n_given)
      return too_long(err);
    al_media_samples_copy(reader->samples, reader->n_taken, samples + n_got, n_now);
    reader->n_taken += n_now;
    reader->n_given += n_now;
    n_got += n_now;
  }
  *n = n_got;
  return AL_OK;
}

bool al_audio_reader_truncated(const struct al_audio_reader *reader)
{
  return reader->truncated;
}

void al_audio_reader_close(struct al_audio_reader *reader)
{
  if (reader == nullptr)
    return;
  al_media_child_stop(&reader->child);
  al_free(reader);
}
