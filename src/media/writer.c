/* Audio out: PCM is made here; everything else by a child, which is given samples and gives bytes. */
#include "media/media.h"

#include "base/alloc.h"
#include "media/child.h"
#include "media/pcm.h"
#include "os/file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

constexpr int PCM_SAMPLE_RATE = 24'000;
constexpr int MAX_SAMPLE_RATE = 192'000;
constexpr int64_t STALL_MS = 30'000;
constexpr size_t BLOCK_SAMPLES = 4096; /* converted, or sent and awaited, at once */

struct al_audio_writer {
  struct al_audio_out out;
  struct al_cancel *cancel; /* a reference */
  bool has_child, finished;
  uint64_t n_sent, n_eaten; /* samples */
  struct al_media_child child;
};

static bool is_plain(enum al_audio_format format)
{
  return format == AL_AUDIO_WAV || format == AL_AUDIO_PCM;
}

static enum al_code deliver(struct al_audio_writer *writer, const void *bytes, size_t size, struct al_err *err)
{
  if (writer->out.bytes(writer->out.user, al_str_n(bytes, size)))
    return AL_OK;
  return al_fail(err, AL_CANCELLED, "whoever wanted the audio has gone");
}

static enum al_code check_out(const struct al_audio_out *out, struct al_err *err)
{
  if (out->format >= AL_AUDIO_FORMAT_COUNT)
    return al_fail(err, AL_INVALID_REQUEST, "no such audio format");
  if (out->sample_rate < 1 || out->sample_rate > MAX_SAMPLE_RATE || out->out_sample_rate < 0 ||
      out->out_sample_rate > MAX_SAMPLE_RATE)
    return al_fail(err, AL_INVALID_REQUEST, "a sample rate is 1 to %d", MAX_SAMPLE_RATE);
  return AL_OK;
}

/* The samples travel through a socket: sending to a child that has died is an error there and not a signal here. */
static enum al_code start_child(struct al_audio_writer *writer, struct al_err *err)
{
  const struct al_audio_out *out = &writer->out;
  struct al_media_child *child = &writer->child;
  child->frames.job = AL_MEDIA_ENCODE;
  child->cancel = al_cancel_ref(writer->cancel);
  child->stall_ms = STALL_MS;
  char rate[16], out_rate[16];
  (void)snprintf(rate, sizeof rate, "%d", out->sample_rate);
  (void)snprintf(out_rate, sizeof out_rate, "%d", out->out_sample_rate);
  const char *format = al_audio_format_name(is_plain(out->format) ? AL_AUDIO_PCM : out->format);
  const char *const arguments[] = { "encode", format, rate, out_rate, nullptr };
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return al_fail(err, AL_INTERNAL, "no socket for allm-media: %s", strerrordesc_np(errno));
  child->samples_fd = ends[0];
  AL_CLEANUP(al_fd_close) int child_end = ends[1];
  writer->has_child = true;
  return al_media_child_start(child, arguments, child_end, err);
}

enum al_code al_audio_writer_open(const struct al_audio_out *out, struct al_cancel *cancel,
                                  struct al_audio_writer **writer, struct al_err *err)
{
  AL_TRY(check_out(out, err));
  AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->out = *out;
  made->cancel = al_cancel_ref(cancel);
  made->child.frames_fd = made->child.samples_fd = -1;
  if (out->out_sample_rate == 0 && is_plain(out->format))
    made->out.out_sample_rate = out->format == AL_AUDIO_PCM ? PCM_SAMPLE_RATE : out->sample_rate;
  if (!is_plain(out->format) || made->out.out_sample_rate != out->sample_rate)
    AL_TRY(start_child(made, err));
  if (out->format == AL_AUDIO_WAV) {
    uint8_t header[AL_WAV_HEADER_BYTES];
    al_wav_header(made->out.out_sample_rate, header);
    AL_TRY(deliver(made, header, sizeof header, err));
  }
  *writer = AL_TAKE(made);
  return AL_OK;
}

static enum al_code write_plain(struct al_audio_writer *writer, const float *samples, size_t n, struct al_err *err)
{
  uint8_t bytes[2 * BLOCK_SAMPLES];
  enum al_code reason = al_cancel_reason(writer->cancel);
  if (reason != AL_OK)
    return al_fail(err, reason, "the request was cancelled");
  al_pcm16_from_float(samples, n, bytes);
  return deliver(writer, bytes, 2 * n, err);
}

/* Sends what is left of `samples` and takes what comes; one frame. *ended: the last one. */
static enum al_code exchange(struct al_audio_writer *writer, struct al_str *samples, bool *ended, struct al_err *err)
{
  struct al_media_frame frame;
  bool found;
  AL_TRY(al_media_child_next(&writer->child, samples, &frame, &found, err));
  if (!found)
    return AL_OK;
  switch (frame.kind) {
  case AL_MEDIA_BYTES: return deliver(writer, frame.payload.data, frame.payload.size, err);
  case AL_MEDIA_EATEN: writer->n_eaten = frame.n_eaten; return AL_OK;
  case AL_MEDIA_FAILED: return al_media_failure_tell(&frame.failure, err);
  case AL_MEDIA_END:
    if (!writer->finished)
      return al_fail(err, AL_INTERNAL, "allm-media ended before the audio did");
    *ended = true;
    return AL_OK;
  case AL_MEDIA_HELLO:
  case AL_MEDIA_INFO:
  case AL_MEDIA_SHAPE:
  case AL_MEDIA_PIXELS:
  case AL_MEDIA_SAMPLES: break;
  }
  return AL_OK;
}

/* Returns when the child has encoded all of them, so that no byte that could be had lies about until the next call. */
static enum al_code write_encoded(struct al_audio_writer *writer, const float *samples, size_t n, struct al_err *err)
{
  bool ended = false;
  struct al_str left = al_str_n((const char *)samples, n * sizeof *samples);
  while (left.size > 0)
    AL_TRY(exchange(writer, &left, &ended, err));
  writer->n_sent += n;
  while (writer->n_eaten < writer->n_sent)
    AL_TRY(exchange(writer, nullptr, &ended, err));
  return AL_OK;
}

enum al_code al_audio_writer_write(struct al_audio_writer *writer, const float *samples, size_t n, struct al_err *err)
{
  assert(!writer->finished);
  for (size_t at = 0; at < n; at += BLOCK_SAMPLES) {
    size_t n_now = al_min_size(BLOCK_SAMPLES, n - at);
    AL_TRY(writer->has_child ? write_encoded(writer, samples + at, n_now, err)
                             : write_plain(writer, samples + at, n_now, err));
  }
  return AL_OK;
}

enum al_code al_audio_writer_finish(struct al_audio_writer *writer, struct al_err *err)
{
  assert(!writer->finished);
  writer->finished = true;
  if (!writer->has_child)
    return AL_OK;
  (void)shutdown(writer->child.samples_fd, SHUT_WR);
  bool ended = false;
  while (!ended)
    AL_TRY(exchange(writer, nullptr, &ended, err));
  return AL_OK;
}

void al_audio_writer_close(struct al_audio_writer *writer)
{
  if (writer == nullptr)
    return;
  al_media_child_stop(&writer->child);
  al_cancel_unref(writer->cancel);
  al_free(writer);
}
