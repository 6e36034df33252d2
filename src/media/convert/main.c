/* allm-media: one conversion of audio, in a sandbox.
 *   decode RATE MAX_SAMPLES OFFSET SIZE   descriptor 3 is the file, frames of mono samples go to standard output
 *   encode FORMAT RATE OUT_RATE           descriptor 3 gives f32 samples, frames of encoded bytes go there
 * The frames are those of media/protocol.h. Started by the server, never by hand. */
#include "media/convert/convert.h"
#include "media/convert/output.h"
#include "media/convert/sandbox.h"

#include <libavutil/log.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_number(const char *text, uint64_t most, uint64_t *number)
{
  char *end;
  *number = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0' && *number <= most;
}

static bool read_decode(int argc, char **argv, struct convert_decode *job)
{
  uint64_t rate;
  if (argc != 6 || !read_number(argv[2], 192'000, &rate) || !read_number(argv[3], INT64_MAX, &job->max_samples) ||
      !read_number(argv[4], INT64_MAX, &job->offset) || !read_number(argv[5], INT64_MAX, &job->size_bytes))
    return false;
  job->sample_rate = (int)rate;
  return rate > 0;
}

static bool read_encode(int argc, char **argv, struct convert_encode *job)
{
  uint64_t rate, out_rate;
  if (argc != 5 || !read_number(argv[3], 192'000, &rate) || !read_number(argv[4], 192'000, &out_rate))
    return false;
  job->format = al_audio_format_parse(al_str(argv[2]));
  job->sample_rate = (int)rate;
  job->out_sample_rate = (int)out_rate;
  return rate > 0 && job->format < AL_AUDIO_FORMAT_COUNT;
}

/* A day of audio decodes within a fraction of a twentieth of it. */
static uint64_t cpu_seconds(const struct convert_decode *job)
{
  return 60 + job->max_samples / (uint64_t)job->sample_rate / 20;
}

static void enter(enum al_media_job job, uint64_t cpu_s)
{
  char why[96];
  if (!sandbox_enter(job, cpu_s, why, sizeof why))
    output_fail(AL_MEDIA_NO_SANDBOX, why);
  output_frame(AL_MEDIA_HELLO, nullptr, 0);
}

/* _exit: what ends here leaves nothing to tidy up, and has no more calls to make than it needs. */
int main(int argc, char **argv)
{
  av_log_set_level(AV_LOG_QUIET);
  struct convert_decode decode;
  struct convert_encode encode;
  const char *verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "decode") == 0 && read_decode(argc, argv, &decode)) {
    enter(AL_MEDIA_DECODE, cpu_seconds(&decode));
    convert_decode_run(&decode);
  } else if (strcmp(verb, "encode") == 0 && read_encode(argc, argv, &encode)) {
    enter(AL_MEDIA_ENCODE, 3600);
    convert_encode_run(&encode);
  } else {
    output_fail(AL_MEDIA_BAD_ARGUMENTS, "it is started by the server, not by hand");
  }
  _exit(0);
}
