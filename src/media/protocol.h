/* What allm-media says on its pipe: frames of a header and a payload, in the machine's own byte order.
 *
 * The child may belong to a hostile file: whoever reads it believes nothing. Kinds come in one order only (hello; for
 * decoding info and samples; for encoding bytes and "eaten"; for a picture its shape and as many pixels as that has, or
 * bytes; then the end or a failure, and nothing after it), sizes have a cap, texts are made printable, samples finite
 * and within -1..1. */
#ifndef AL_MEDIA_PROTOCOL_H
#define AL_MEDIA_PROTOCOL_H

#include "base/err.h"
#include "base/str.h"
#include "media/media.h"

#include <stdint.h>

enum al_media_job { AL_MEDIA_DECODE, AL_MEDIA_ENCODE, AL_MEDIA_READ_PICTURE, AL_MEDIA_WRITE_PICTURE };

static inline bool al_media_job_decodes(enum al_media_job job)
{
  return job == AL_MEDIA_DECODE || job == AL_MEDIA_READ_PICTURE;
}

constexpr int AL_MEDIA_IN_FD = 3;  /* of the child: the file, or the samples (f32) or pixels */
constexpr int AL_MEDIA_OUT_FD = 1; /* of the child: the frames */

enum al_media_kind : uint32_t {
  AL_MEDIA_HELLO = 1, /* the sandbox is closed, no byte has been read yet */
  AL_MEDIA_INFO,      /* struct al_audio_info; the first samples follow at once */
  AL_MEDIA_SAMPLES,   /* float[] */
  AL_MEDIA_BYTES,     /* encoded */
  AL_MEDIA_EATEN,     /* uint64_t: so many samples have been read and encoded, all that came of them has been said */
  AL_MEDIA_END,       /* uint32_t: 1 when the file ended in an error */
  AL_MEDIA_FAILED,    /* struct al_media_failure */
  AL_MEDIA_SHAPE,     /* struct al_media_shape; its pixels follow */
  AL_MEDIA_PIXELS,    /* uint8_t[height][width][3], then, where it has_alpha, uint8_t[height][width]; in pieces */
};

enum al_media_failure_kind : uint32_t {
  AL_MEDIA_NO_SANDBOX = 1, /* neither seccomp nor Landlock; nothing was read */
  AL_MEDIA_BAD_ARGUMENTS,
  AL_MEDIA_UNKNOWN,           /* no known container */
  AL_MEDIA_UNWANTED,          /* a container that is not accepted; detail: its name */
  AL_MEDIA_NO_AUDIO,          /* no audio stream */
  AL_MEDIA_UNSUPPORTED_CODEC, /* detail: its name */
  AL_MEDIA_NO_SAMPLES,        /* a sound file without sound */
  AL_MEDIA_CORRUPT,
  AL_MEDIA_TOO_LONG, /* decoded further than was wanted */
  AL_MEDIA_TOO_LARGE,
  AL_MEDIA_BAD_RATE, /* the format does not have that sample rate */
  AL_MEDIA_NO_ENCODER,
  AL_MEDIA_TOO_MANY_PIXELS, /* detail: how many by how many */
  AL_MEDIA_FAILURE_COUNT,
};

struct al_media_header {
  enum al_media_kind kind;
  uint32_t size_bytes; /* of the payload */
};

struct al_media_failure {
  enum al_media_failure_kind kind;
  char detail[96];
};

struct al_media_shape {
  uint32_t width, height, has_alpha; /* has_alpha: 0 or 1 */
};

/* No picture is wider, higher or larger, in or out, whoever wants it. */
constexpr int AL_MEDIA_MAX_SIDE = 65'535;
constexpr int64_t AL_MEDIA_MAX_PIXELS = 64'000'000;

constexpr size_t AL_MEDIA_MAX_PAYLOAD = 32 << 10;

struct al_media_frame {
  enum al_media_kind kind;
  struct al_str payload; /* SAMPLES (whole floats, unaligned), BYTES, PIXELS; borrowed until the next call */
  union {
    struct al_audio_info info;
    uint64_t n_eaten;
    bool truncated;
    struct al_media_failure failure;
    struct al_media_shape shape;
  };
};

/* Frames out of a stream of bytes. `= {}` with the job set is a fresh one; large, so not for the stack. */
struct al_media_frames {
  enum al_media_job job;
  bool greeted, informed, ended;
  uint64_t n_eaten;
  uint64_t pixel_bytes; /* that are still to come */
  size_t at, size;      /* bytes[at..size) are not parsed yet */
  char bytes[sizeof(struct al_media_header) + AL_MEDIA_MAX_PAYLOAD];
};

/* Where the next bytes of the stream go, *size of them at most (never 0 after al_media_frames_next found nothing);
 * what an earlier frame borrowed is gone. */
char *al_media_frames_room(struct al_media_frames *frames, size_t *size);
void al_media_frames_grew(struct al_media_frames *frames, size_t size);
/* The next whole frame; *found false: more bytes are needed. AL_INVALID_REQUEST: not this protocol. */
enum al_code al_media_frames_next(struct al_media_frames *frames, struct al_media_frame *frame, bool *found,
                                  struct al_err *err);

/* Copies n samples out of a SAMPLES payload from `first` on: NaN becomes 0, what lies beyond -1..1 is clipped. */
void al_media_samples_copy(struct al_str payload, size_t first, float *samples, size_t n);

/* A failure in words for the client: code, reason and message. */
enum al_code al_media_failure_tell(const struct al_media_failure *failure, struct al_err *err);
enum al_code al_media_picture_failure_tell(const struct al_media_failure *failure, struct al_err *err);

#endif
