/* Audio out. */
#include "media/media.h"

enum al_code al_audio_writer_open(const struct al_audio_out *out, struct al_cancel *cancel,
                                  struct al_audio_writer **writer, struct al_err *err)
{
  (void)out, (void)cancel, (void)writer;
  return al_fail(err, AL_UNSUPPORTED, "audio files cannot be written yet");
}

enum al_code al_audio_writer_write(struct al_audio_writer *writer, const float *samples, size_t n, struct al_err *err)
{
  (void)writer, (void)samples, (void)n;
  return al_fail(err, AL_UNSUPPORTED, "audio files cannot be written yet");
}

enum al_code al_audio_writer_finish(struct al_audio_writer *writer, struct al_err *err)
{
  (void)writer;
  return al_fail(err, AL_UNSUPPORTED, "audio files cannot be written yet");
}

void al_audio_writer_close(struct al_audio_writer *writer)
{
  (void)writer;
}
