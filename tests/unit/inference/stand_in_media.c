#include "stand_in_media.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct stand_in_media stand_in_media;

int stand_in_file(const char *words)
{
  int fd = memfd_create("audio", MFD_CLOEXEC);
  if (fd < 0 || write(fd, words, strlen(words)) != (ssize_t)strlen(words))
    abort();
  return fd;
}

/* --- in --------------------------------------------------------------------------------------------------------- */

struct al_audio_reader {
  struct al_audio_info info;
  struct al_cancel *cancel;
  size_t n_left;
  bool is_cut, is_short;
};

void al_media_set_program(const char *) {}

static enum al_code wait_for_ever(const struct al_cancel *cancel, struct al_err *err)
{
  struct timespec pause = { .tv_nsec = AL_NS_PER_MS };
  while (!al_cancelled(cancel))
    (void)nanosleep(&pause, nullptr);
  return al_fail(err, al_cancel_reason(cancel), "the decoder was stopped");
}

static enum al_code read_words(const struct al_media_source *source, const struct al_audio_want *want,
                               struct al_audio_reader *reader, struct al_err *err)
{
  char words[64] = "", kind[16] = "";
  double seconds = 0;
  if (pread(source->fd, words, al_min_size(sizeof words - 1, source->size_bytes), (off_t)source->offset) <= 0)
    return al_fail_reason(err, al_fail(err, AL_INVALID_REQUEST, "the file is empty"), "empty_file");
  char *number = strchr(words, ' ');
  if (number != nullptr)
    seconds = strtod(number, nullptr);
  (void)snprintf(kind, sizeof kind, "%.*s", number != nullptr ? (int)(number - words) : 15, words);
  if (strcmp(kind, "BUSY") == 0)
    AL_TRY(wait_for_ever(reader->cancel, err));
  reader->is_cut = strcmp(kind, "CUT") == 0;
  reader->is_short = strcmp(kind, "SHORT") == 0;
  if (!reader->is_cut && !reader->is_short && strcmp(kind, "AUDIO") != 0)
    return al_fail_reason(err, al_fail(err, AL_INVALID_REQUEST, "this is no audio"), "unknown_media");
  reader->n_left = (size_t)(seconds * want->sample_rate);
  reader->info =
      (struct al_audio_info){ .container = "words", .sample_rate = 8000, .n_channels = 2, .duration_s = seconds };
  return AL_OK;
}

enum al_code al_audio_reader_open(const struct al_media_source *source, const struct al_audio_want *want,
                                  struct al_cancel *cancel, struct al_audio_reader **reader, struct al_err *err)
{
  struct al_audio_reader *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->cancel = al_cancel_ref(cancel);
  int n_open = atomic_fetch_add(&stand_in_media.n_open, 1) + 1;
  if (n_open > stand_in_media.most_open)
    stand_in_media.most_open = n_open;
  stand_in_media.n_opened++;
  stand_in_media.n_opening++;
  enum al_code code = read_words(source, want, made, err);
  stand_in_media.n_opening--;
  if (code != AL_OK) {
    al_audio_reader_close(made);
    return code;
  }
  *reader = made;
  return AL_OK;
}

const struct al_audio_info *al_audio_reader_info(const struct al_audio_reader *reader)
{
  return &reader->info;
}

enum al_code al_audio_reader_read(struct al_audio_reader *reader, float *samples, size_t capacity, size_t *n,
                                  struct al_err *err)
{
  if (al_cancelled(reader->cancel))
    return al_fail(err, al_cancel_reason(reader->cancel), "the decoder was stopped");
  if (reader->n_left == 0 && reader->is_cut)
    return al_fail_reason(err, al_fail(err, AL_INVALID_REQUEST, "the decoder crashed (SIGSEGV)"), "corrupt_media");
  *n = al_min_size(capacity, reader->n_left);
  reader->n_left -= *n;
  for (size_t i = 0; i < *n; i++)
    samples[i] = 0.25F;
  return AL_OK;
}

bool al_audio_reader_truncated(const struct al_audio_reader *reader)
{
  return reader->is_short && reader->n_left == 0;
}

void al_audio_reader_close(struct al_audio_reader *reader)
{
  if (reader == nullptr)
    return;
  stand_in_media.n_open--;
  al_cancel_unref(reader->cancel);
  al_free(reader);
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static const char *const names[AL_AUDIO_FORMAT_COUNT] = { "mp3", "opus", "aac", "flac", "wav", "pcm" };

const char *al_audio_format_name(enum al_audio_format format)
{
  return names[format];
}

struct al_audio_writer {
  struct al_audio_out out;
};

enum al_code al_audio_writer_open(const struct al_audio_out *out, struct al_cancel *, struct al_audio_writer **writer,
                                  struct al_err *err)
{
  if (stand_in_media.no_writers)
    return al_fail(err, AL_UNSUPPORTED, "there is no program that writes audio");
  struct al_audio_writer *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->out = *out;
  stand_in_media.n_writers++;
  *writer = made;
  return AL_OK;
}

static enum al_code give(struct al_audio_writer *writer, struct al_str bytes, struct al_err *err)
{
  return writer->out.bytes(writer->out.user, bytes) ? AL_OK : al_fail(err, AL_CANCELLED, "nobody takes the bytes");
}

enum al_code al_audio_writer_write(struct al_audio_writer *writer, const float *samples, size_t n, struct al_err *err)
{
  if (stand_in_media.fail_write_at > 0 && atomic_fetch_sub(&stand_in_media.fail_write_at, 1) == 1)
    return al_fail(err, AL_INTERNAL, "the encoder crashed (SIGSEGV)");
  return give(writer, al_str_n((const char *)samples, n * sizeof *samples), err);
}

enum al_code al_audio_writer_finish(struct al_audio_writer *writer, struct al_err *err)
{
  char name[16];
  (void)snprintf(name, sizeof name, "%s!", al_audio_format_name(writer->out.format));
  return give(writer, al_str(name), err);
}

void al_audio_writer_close(struct al_audio_writer *writer)
{
  if (writer == nullptr)
    return;
  stand_in_media.n_writers--;
  al_free(writer);
}
