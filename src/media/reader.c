/* Audio in. */
#include "media/media.h"

void al_media_set_program(const char *path)
{
  (void)path;
}

enum al_code al_audio_reader_open(const struct al_media_source *source, const struct al_audio_want *want,
                                  struct al_cancel *cancel, struct al_audio_reader **reader, struct al_err *err)
{
  (void)source, (void)want, (void)cancel, (void)reader;
  return al_fail(err, AL_UNSUPPORTED, "audio files cannot be read yet");
}

const struct al_audio_info *al_audio_reader_info(const struct al_audio_reader *reader)
{
  (void)reader;
  return nullptr;
}

enum al_code al_audio_reader_read(struct al_audio_reader *reader, float *samples, size_t capacity, size_t *n,
                                  struct al_err *err)
{
  (void)reader, (void)samples, (void)capacity, (void)n;
  return al_fail(err, AL_UNSUPPORTED, "audio files cannot be read yet");
}

bool al_audio_reader_truncated(const struct al_audio_reader *reader)
{
  (void)reader;
  return false;
}

void al_audio_reader_close(struct al_audio_reader *reader)
{
  (void)reader;
}
