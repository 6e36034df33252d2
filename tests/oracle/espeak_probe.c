/* Speaks one text as the engine does: espeak-probe VOICE SPEED TEXT writes 16-bit samples to standard output.
 * espeak-probe --voices: a line "id language gender" for each. One text a process: the library keeps the phase of its
 * waves from one text to the next. */
#include "engine/espeak/espeak_engine.h"

#include "base/macros.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static bool write_samples(void *user, const float *samples, size_t n)
{
  (void)user;
  for (size_t i = 0; i < n; i++) {
    int16_t sample = (int16_t)lrintf(samples[i] * 32768.0F);
    if (fwrite(&sample, sizeof sample, 1, stdout) != 1)
      return false;
  }
  return true;
}

static void print_voices(const struct al_engine_model *model)
{
  struct al_voice voice;
  for (size_t i = 0; al_engine_espeak.speak->voice(model, i, &voice); i++)
    printf("%s %s %s\n", voice.id, voice.language, voice.gender);
}

int main(int argc, char **argv)
{
  static char id[] = "espeak", runtime[] = "espeak_ng";
  const struct al_model_descriptor descriptor = {
    .id = id, .runtime = runtime, .type = AL_TYPE_TTS, .format = AL_FORMAT_NONE
  };
  const struct al_load_options load = {};
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  enum al_code code = al_engine_espeak.load(&descriptor, &load, nullptr, nullptr, &model, &err);
  if (code == AL_OK && argc == 2)
    print_voices(model);
  else if (code == AL_OK && argc == 4) {
    const struct al_speak_options options = { .voice = argv[1], .speed = strtod(argv[2], nullptr) };
    code = al_engine_espeak.speak->speak(model, al_str(argv[3]), &options, write_samples, nullptr, nullptr, &err);
  }
  al_engine_espeak.unload(model);
  if (code != AL_OK)
    (void)fprintf(stderr, "%s\n", err.message);
  return code != AL_OK;
}
