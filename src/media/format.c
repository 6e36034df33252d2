/* The formats that speech is delivered in: one row each. */
#include "media/media.h"

#include "base/macros.h"

static const struct {
  const char *name, *content_type;
} formats[AL_AUDIO_FORMAT_COUNT] = {
  [AL_AUDIO_MP3] = { "mp3", "audio/mpeg" }, [AL_AUDIO_OPUS] = { "opus", "audio/ogg" },
  [AL_AUDIO_AAC] = { "aac", "audio/aac" },  [AL_AUDIO_FLAC] = { "flac", "audio/flac" },
  [AL_AUDIO_WAV] = { "wav", "audio/wav" },  [AL_AUDIO_PCM] = { "pcm", "audio/pcm" },
};

const char *al_audio_format_name(enum al_audio_format format)
{
  return formats[format].name;
}

const char *al_audio_format_content_type(enum al_audio_format format)
{
  return formats[format].content_type;
}

enum al_audio_format al_audio_format_parse(struct al_str name)
{
  for (size_t i = 0; i < AL_COUNT(formats); i++)
    if (al_str_is(name, formats[i].name))
      return (enum al_audio_format)i;
  return AL_AUDIO_FORMAT_COUNT;
}
