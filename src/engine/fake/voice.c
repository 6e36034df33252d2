/* How the fake engine sounds: a tone for every letter (see fake.h). */
#include "engine/fake/model.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>

constexpr double SECONDS_PER_LETTER = 0.05;
constexpr double LEAST_SPEED = 0.25;
constexpr double MOST_SPEED = 4;
constexpr double TWO_PI = 6.283185307179586;

static const struct {
  struct al_voice voice;
  double base_hz;
} voices[] = {
  { { "low", "Low", "en-us", "male" }, 200 },
  { { "mid", "Middle", "en-gb", "" }, 400 },
  { { "high", "High", "de", "female" }, 800 },
};
constexpr int DEFAULT_VOICE = 1;

/* -1: there is none. */
static int find_voice(const char *id)
{
  for (size_t i = 0; i < AL_COUNT(voices); i++)
    if (strcmp(voices[i].voice.id, id) == 0)
      return (int)i;
  return id[0] == '\0' || strcmp(id, "alloy") == 0 ? DEFAULT_VOICE : -1;
}

static void info(const struct al_engine_model *model, struct al_speak_info *out)
{
  assert(model->speaks);
  *out = (struct al_speak_info){
    .sample_rate = AL_FAKE_SPEAKS_HZ,
    .n_voices = AL_COUNT(voices),
    .memory_bytes = fake_weights_bytes(),
  };
}

static bool voice(const struct al_engine_model *, size_t index, struct al_voice *out)
{
  if (index >= AL_COUNT(voices))
    return false;
  *out = voices[index].voice;
  return true;
}

static enum al_code check_voice(const struct al_engine_model *, const char *id, struct al_err *err)
{
  if (find_voice(id) >= 0)
    return AL_OK;
  return al_fail_reason(err, al_fail_param(err, "voice", "there is no voice '%s'; there are low, mid and high", id),
                        "unknown_voice");
}

/* The letter's samples into `samples`, all of the same number. */
static void play(unsigned char letter, double base_hz, float *samples, size_t n)
{
  double hz = isalnum(letter) != 0 ? base_hz + 10.0 * (tolower(letter) - '0') : 0;
  for (size_t i = 0; i < n; i++)
    samples[i] = hz > 0 ? (float)(0.5 * sin(TWO_PI * hz * (double)i / AL_FAKE_SPEAKS_HZ)) : 0;
}

static enum al_code speak_alone(struct al_str text, const struct al_speak_options *options, al_speak_sink_fn *sink,
                                void *user, const struct al_cancel *stop, struct al_err *err)
{
  float samples[AL_FAKE_SPEAKS_HZ / 4];
  size_t n = (size_t)(SECONDS_PER_LETTER * AL_FAKE_SPEAKS_HZ / options->speed);
  double base_hz = voices[find_voice(options->voice)].base_hz;
  assert(n <= AL_COUNT(samples));
  for (size_t i = 0; i < text.size; i++) {
    if (!fake_work(al_fake_knobs.speak_ns, stop))
      return al_fail(err, AL_CANCELLED, "the speech was stopped");
    if (fake_its_turn(&al_fake_knobs.fail_letter_at))
      return al_fail(err, AL_INTERNAL, "the fake engine was told to fail at this letter");
    play((unsigned char)text.data[i], base_hz, samples, n);
    al_fake_counts.n_samples_spoken += n;
    if (!sink(user, samples, n))
      return al_fail(err, AL_CANCELLED, "the speech was stopped");
  }
  return AL_OK;
}

static enum al_code speak(struct al_engine_model *model, struct al_str text, const struct al_speak_options *options,
                          al_speak_sink_fn *sink, void *user, const struct al_cancel *stop, struct al_err *err)
{
  bool was_busy = atomic_flag_test_and_set(&model->busy);
  assert(!was_busy && model->speaks);
  assert(find_voice(options->voice) >= 0 && options->speed >= LEAST_SPEED && options->speed <= MOST_SPEED);
  al_fake_counts.n_speeches++;
  enum al_code code = speak_alone(text, options, sink, user, stop, err);
  atomic_flag_clear(&model->busy);
  return code;
}

const struct al_speak_ops fake_speak_ops = {
  .info = info,
  .voice = voice,
  .check_voice = check_voice,
  .speak = speak,
};
