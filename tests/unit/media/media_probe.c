/* Drives the interface of src/media for tests in Python:
 *   media-probe MEDIA decode RATE FILE [MAX_SECONDS] >samples.f32    what the file is, as JSON, to standard error
 *   media-probe MEDIA encode FORMAT RATE OUT_RATE <samples.f32 >file
 * Exit status 1: refused; standard error then has {"code": ..., "reason": ..., "message": ...}. */
#include "media/media.h"

#include "base/macros.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

constexpr size_t BLOCK = 16'384;

static int refused(const struct al_err *err)
{
  (void)fprintf(stderr, "{\"code\": \"%s\", \"reason\": \"%s\", \"message\": \"%s\"}\n", al_code_name(err->code),
                err->reason != nullptr ? err->reason : "", err->message);
  return 1;
}

/* Of this program itself: getrusage would count what the process was before it became this program. */
static long own_peak_kib(void)
{
  long kib = 0;
  char line[128];
  FILE *status = fopen("/proc/self/status", "re");
  while (status != nullptr && fgets(line, sizeof line, status) != nullptr)
    if (strncmp(line, "VmHWM:", 6) == 0)
      kib = strtol(line + 6, nullptr, 10);
  if (status != nullptr)
    (void)fclose(status);
  return kib;
}

static long child_peak_kib(void)
{
  struct rusage usage;
  return getrusage(RUSAGE_CHILDREN, &usage) == 0 ? usage.ru_maxrss : 0;
}

static enum al_code read_all(struct al_audio_reader *reader, size_t *n_samples, struct al_err *err)
{
  static float samples[BLOCK];
  size_t n;
  do {
    AL_TRY(al_audio_reader_read(reader, samples, BLOCK, &n, err));
    (void)fwrite(samples, sizeof *samples, n, stdout);
    *n_samples += n;
  } while (n > 0);
  return AL_OK;
}

static int decode(int argc, char **argv)
{
  struct al_err err = {};
  AL_CLEANUP(al_fd_close) int fd = -1;
  struct al_media_source source = {};
  if (al_file_open(argv[4], &fd, &source.size_bytes, &err) != AL_OK)
    return refused(&err);
  source.fd = fd;
  const struct al_audio_want want = {
    .sample_rate = (int)strtol(argv[3], nullptr, 10),
    .max_duration_s = argc > 5 ? strtod(argv[5], nullptr) : 0,
  };
  AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
  size_t n_samples = 0;
  if (al_audio_reader_open(&source, &want, nullptr, &reader, &err) != AL_OK ||
      read_all(reader, &n_samples, &err) != AL_OK)
    return refused(&err);
  const struct al_audio_info info = *al_audio_reader_info(reader);
  bool truncated = al_audio_reader_truncated(reader);
  al_audio_reader_close(AL_TAKE(reader));
  (void)fprintf(stderr,
                "{\"container\": \"%s\", \"codec\": \"%s\", \"rate\": %d, \"channels\": %d, \"duration\": %.6f, "
                "\"samples\": %zu, \"truncated\": %s, \"parent_kib\": %ld, \"child_kib\": %ld}\n",
                info.container, info.codec, info.sample_rate, info.n_channels, info.duration_s, n_samples,
                truncated ? "true" : "false", own_peak_kib(), child_peak_kib());
  return 0;
}

static bool put(void *user, struct al_str bytes)
{
  return fwrite(bytes.data, 1, bytes.size, user) == bytes.size;
}

static int encode(char **argv)
{
  static float samples[BLOCK];
  struct al_err err = {};
  const struct al_audio_out out = {
    .format = al_audio_format_parse(al_str(argv[3])),
    .sample_rate = (int)strtol(argv[4], nullptr, 10),
    .out_sample_rate = (int)strtol(argv[5], nullptr, 10),
    .bytes = put,
    .user = stdout,
  };
  AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
  if (al_audio_writer_open(&out, nullptr, &writer, &err) != AL_OK)
    return refused(&err);
  size_t n;
  while ((n = fread(samples, sizeof *samples, BLOCK, stdin)) > 0)
    if (al_audio_writer_write(writer, samples, n, &err) != AL_OK)
      return refused(&err);
  return al_audio_writer_finish(writer, &err) == AL_OK ? 0 : refused(&err);
}

int main(int argc, char **argv)
{
  if (argc > 1)
    al_media_set_program(argv[1]);
  if (argc > 4 && strcmp(argv[2], "decode") == 0)
    return decode(argc, argv);
  if (argc == 6 && strcmp(argv[2], "encode") == 0)
    return encode(argv);
  return 2;
}
