/* allm-media: one conversion of audio or of a picture, in a sandbox.
 *   decode RATE MAX_SAMPLES OFFSET SIZE   descriptor 3 is the file, frames of mono samples go to standard output
 *   encode FORMAT RATE OUT_RATE           descriptor 3 gives f32 samples, frames of encoded bytes go there
 *   read-picture MAX_PIXELS WIDTH HEIGHT OFFSET SIZE      descriptor 3 is the file, frames of pixels go there
 *   write-picture FORMAT QUALITY WIDTH HEIGHT HAS_ALPHA   descriptor 3 gives pixels, frames of encoded bytes go there
 * The frames are those of media/protocol.h. Started by the server, never by hand. */
#include "media/convert/convert.h"
#include "media/convert/output.h"
#include "media/convert/sandbox.h"

#include <libavutil/log.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

constexpr uint64_t AUDIO_BYTES = 256 << 20; /* a conversion takes a few of them; a hostile file gets no more */
constexpr uint64_t PICTURE_SECONDS = 60;

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

static bool read_read_picture(int argc, char **argv, struct convert_read_picture *job)
{
  uint64_t most, width, height;
  if (argc != 7 || !read_number(argv[2], (uint64_t)AL_MEDIA_MAX_PIXELS, &most) ||
      !read_number(argv[3], AL_MEDIA_MAX_SIDE, &width) || !read_number(argv[4], AL_MEDIA_MAX_SIDE, &height) ||
      !read_number(argv[5], INT64_MAX, &job->offset) || !read_number(argv[6], INT64_MAX, &job->size_bytes))
    return false;
  job->max_pixels = (int64_t)most;
  job->width = (int)width;
  job->height = (int)height;
  return most > 0 && job->size_bytes > 0;
}

static bool read_write_picture(int argc, char **argv, struct convert_write_picture *job)
{
  uint64_t quality, width, height, has_alpha;
  if (argc != 7 || !read_number(argv[3], 100, &quality) || !read_number(argv[4], AL_MEDIA_MAX_SIDE, &width) ||
      !read_number(argv[5], AL_MEDIA_MAX_SIDE, &height) || !read_number(argv[6], 1, &has_alpha))
    return false;
  job->format = al_image_format_parse(al_str(argv[2]));
  job->quality = (int)quality;
  job->width = (int)width;
  job->height = (int)height;
  job->has_alpha = has_alpha == 1;
  return width > 0 && height > 0 && job->format < AL_IMAGE_FORMAT_COUNT;
}

/* A day of audio decodes within a fraction of a twentieth of it. */
static uint64_t cpu_seconds(const struct convert_decode *job)
{
  return 60 + job->max_samples / (uint64_t)job->sample_rate / 20;
}

static void enter(enum al_media_job job, uint64_t cpu_s, uint64_t memory_bytes)
{
  char why[96];
  if (!sandbox_enter(job, cpu_s, memory_bytes, why, sizeof why))
    output_fail(AL_MEDIA_NO_SANDBOX, why);
  output_frame(AL_MEDIA_HELLO, nullptr, 0);
}

/* _exit: what ends here leaves nothing to tidy up, and has no more calls to make than it needs. */
int main(int argc, char **argv)
{
  av_log_set_level(AV_LOG_QUIET);
  struct convert_decode decode;
  struct convert_encode encode;
  struct convert_read_picture read_picture;
  struct convert_write_picture write_picture;
  const char *verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "decode") == 0 && read_decode(argc, argv, &decode)) {
    enter(AL_MEDIA_DECODE, cpu_seconds(&decode), AUDIO_BYTES);
    convert_decode_run(&decode);
  } else if (strcmp(verb, "encode") == 0 && read_encode(argc, argv, &encode)) {
    enter(AL_MEDIA_ENCODE, 3600, AUDIO_BYTES);
    convert_encode_run(&encode);
  } else if (strcmp(verb, "read-picture") == 0 && read_read_picture(argc, argv, &read_picture)) {
    enter(AL_MEDIA_READ_PICTURE, PICTURE_SECONDS, convert_read_picture_memory(&read_picture));
    convert_read_picture_run(&read_picture);
  } else if (strcmp(verb, "write-picture") == 0 && read_write_picture(argc, argv, &write_picture)) {
    enter(AL_MEDIA_WRITE_PICTURE, 2 * PICTURE_SECONDS, convert_write_picture_memory(&write_picture));
    convert_write_picture_run(&write_picture);
  } else {
    output_fail(AL_MEDIA_BAD_ARGUMENTS, "it is started by the server, not by hand");
  }
  _exit(0);
}
