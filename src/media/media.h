/* Audio in and out: any container and codec to plain samples, plain samples to what the client wants.
 *
 * The bytes are a stranger's, so FFmpeg runs in a short-lived child process (`allm-media`), one a conversion, that has
 * its descriptors and nothing else: no files, no network, limits on memory, time and output. A hostile file ends that
 * process and becomes an AL_INVALID_REQUEST here. Memory in this process is one pipe's buffer, whatever the length.
 *
 * A reader or writer belongs to one thread at a time; the child dies with the thread that opened it. */
#ifndef AL_MEDIA_MEDIA_H
#define AL_MEDIA_MEDIA_H

#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

/* Once at start, before threads: the path of the program allm-media (copied). Without it whatever needs a child is
 * AL_UNSUPPORTED. */
void al_media_set_program(const char *path);

/* --- in --------------------------------------------------------------------------------------------------------- */

struct al_media_source { /* a part of a readable, seekable file; the descriptor is borrowed until close */
  int fd;
  uint64_t offset, size_bytes;
};

struct al_audio_want {
  int sample_rate;       /* of the samples that come out */
  double max_duration_s; /* longer: AL_INVALID_REQUEST, reason "audio_too_long"; 0: a day */
  int64_t stall_ms;      /* the child says nothing for so long: AL_TIMEOUT; 0: 30 s */
};

struct al_audio_info {
  char container[32], codec[32]; /* FFmpeg's names: "mov,mp4,m4a,...", "aac" */
  int sample_rate, n_channels;   /* of the file */
  double duration_s;             /* as the file claims; 0: unknown. Not to be trusted */
};

struct al_audio_reader;

/* Starts the child and waits until the first samples are there: a file of which nothing can be decoded is told here.
 * Errors, all AL_INVALID_REQUEST with a message for the client: reason "empty_file" (no bytes, no samples), "no_audio"
 * (no audio stream), "unknown_media" (no known container or codec), "corrupt_media"; AL_TIMEOUT, AL_CANCELLED. The
 * cancel token is looked at while waiting, here and in read; a reference is taken. */
enum al_code al_audio_reader_open(const struct al_media_source *source, const struct al_audio_want *want,
                                  struct al_cancel *cancel, struct al_audio_reader **reader, struct al_err *err);
const struct al_audio_info *al_audio_reader_info(const struct al_audio_reader *reader);
/* Mono samples in -1..1. Blocks until `capacity` are there or the audio ends; *n 0: the end. A file that turns bad in
 * the middle gives what came before and is no error (players go on where a file is cut off, and so do we: truncated
 * says so). A decoder that dies or runs into a limit is one: AL_INVALID_REQUEST "corrupt_media" where the file can have
 * done that, AL_INTERNAL where it was ended from outside. */
enum al_code al_audio_reader_read(struct al_audio_reader *reader, float *samples, size_t capacity, size_t *n,
                                  struct al_err *err);
bool al_audio_reader_truncated(const struct al_audio_reader *reader); /* after the end: it ended in an error */
void al_audio_reader_close(struct al_audio_reader *reader);           /* ends the child; accepts nullptr */
AL_DEFINE_CLEANUP(struct al_audio_reader, al_audio_reader_close)

/* --- out -------------------------------------------------------------------------------------------------------- */

enum al_audio_format {
  AL_AUDIO_MP3,
  AL_AUDIO_OPUS,
  AL_AUDIO_AAC,
  AL_AUDIO_FLAC,
  AL_AUDIO_WAV,
  AL_AUDIO_PCM,
  AL_AUDIO_FORMAT_COUNT
};

const char *al_audio_format_name(enum al_audio_format format);         /* "mp3", ... as OpenAI's response_format */
const char *al_audio_format_content_type(enum al_audio_format format); /* "audio/mpeg", ... */
/* AL_AUDIO_FORMAT_COUNT: no such format. */
enum al_audio_format al_audio_format_parse(struct al_str name);

/* Encoded bytes as soon as they exist; false stops (write then returns AL_CANCELLED). Runs on the writer's thread. */
typedef bool al_audio_bytes_fn(void *user, struct al_str bytes);

struct al_audio_out {
  enum al_audio_format format;
  int sample_rate;     /* of the samples that will be written */
  int out_sample_rate; /* of the result; 0: the format's own choice. PCM is 24000 Hz, s16le, mono (as OpenAI's) */
  al_audio_bytes_fn *bytes;
  void *user;
};

struct al_audio_writer;

/* wav and pcm need no child unless the rates differ; a wav says that its length is unknown (sizes 0xFFFFFFFF). A rate
 * that the format lacks is AL_INVALID_REQUEST, from write or finish; 0 takes the next above. */
enum al_code al_audio_writer_open(const struct al_audio_out *out, struct al_cancel *cancel,
                                  struct al_audio_writer **writer, struct al_err *err);
/* Returns when all samples are encoded and what that gave has been handed to `bytes`. After an error: close. */
enum al_code al_audio_writer_write(struct al_audio_writer *writer, const float *samples, size_t n, struct al_err *err);
enum al_code al_audio_writer_finish(struct al_audio_writer *writer, struct al_err *err); /* the last bytes come */
void al_audio_writer_close(struct al_audio_writer *writer); /* also in the middle; accepts nullptr */
AL_DEFINE_CLEANUP(struct al_audio_writer, al_audio_writer_close)

#endif
