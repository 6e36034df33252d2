/* Any text, plain or SSML, spoken by the library in any of some voices and speeds: nothing ends the process, and what
 * our reader of SSML writes it reads again as the same. The library itself is not instrumented. Input: a byte for the
 * voice, one for the speed, the text. */
#include "base/buf.h"
#include "engine/espeak/espeak_engine.h"
#include "engine/espeak/ssml.h"
#include "engine/espeak/text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

constexpr size_t MOST_SAMPLES = 22050 * 20;

static bool hear(void *user, const float *samples, size_t n)
{
  size_t *heard = user;
  for (size_t i = 0; i < n; i++)
    assert(samples[i] >= -1 && samples[i] <= 1);
  *heard += n;
  return *heard < MOST_SAMPLES;
}

static struct al_engine_model *model(void)
{
  static struct al_engine_model *loaded;
  static char id[] = "espeak", runtime[] = "espeak_ng";
  const struct al_model_descriptor descriptor = {
    .id = id, .runtime = runtime, .type = AL_TYPE_TTS, .format = AL_FORMAT_NONE
  };
  const struct al_load_options options = {};
  if (loaded == nullptr) {
    enum al_code code = al_engine_espeak.load(&descriptor, &options, nullptr, nullptr, &loaded, nullptr);
    assert(code == AL_OK);
  }
  return loaded;
}

static void write_twice(struct al_str text)
{
  AL_CLEANUP(al_buf_done) struct al_buf clean = {}, once = {}, twice = {};
  al_espeak_clean(text, &clean);
  if (clean.size == 0 || al_espeak_ssml(al_buf_view(&clean), &once, nullptr) != AL_OK)
    return;
  enum al_code code = al_espeak_ssml(al_buf_view(&once), &twice, nullptr);
  assert(code == AL_OK && al_str_eq(al_buf_view(&once), al_buf_view(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const voices[] = { "en-us", "de+f3",     "ru", "cmn",        "ja", "ar",   "hi",  "ko",
                                        "th",    "en+klatt4", "vi", "fr+whisper", "my", "piqd", "yue", "fa" };
  static const double speeds[] = { 4, 1, 0.25, 2.5 };
  if (size < 2)
    return 0;
  struct al_str text = al_str_n((const char *)data + 2, size - 2);
  write_twice(text);
  const struct al_speak_options options = { .voice = voices[data[0] % AL_COUNT(voices)],
                                            .speed = speeds[data[1] % AL_COUNT(speeds)] };
  size_t heard = 0;
  enum al_code code = al_engine_espeak.speak->speak(model(), text, &options, hear, &heard, nullptr, nullptr);
  assert(code == AL_OK || code == AL_CANCELLED || code == AL_INVALID_REQUEST);
  return 0;
}
