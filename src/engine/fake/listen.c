/* What the fake engine hears: how many seconds there are (see fake.h). */
#include "base/alloc.h"
#include "engine/fake/model.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const languages[] = { "en", "de", "fr" };

static void info(const struct al_engine_model *model, struct al_transcribe_info *out)
{
  assert(model->hears);
  *out = (struct al_transcribe_info){
    .sample_rate = AL_FAKE_HEARS_HZ,
    .is_multilingual = true,
    .can_translate = true,
    .memory_bytes = fake_weights_bytes(),
  };
}

static bool knows(const char *language)
{
  for (size_t i = 0; i < AL_COUNT(languages); i++)
    if (strcmp(language, languages[i]) == 0)
      return true;
  return language[0] == '\0';
}

static enum al_code check_language(const struct al_engine_model *, const char *language, struct al_err *err)
{
  if (knows(language))
    return AL_OK;
  return al_fail_param(err, "language", "the fake engine knows en, de and fr, not '%s'", language);
}

/* --- one segment a second --------------------------------------------------------------------------------------- */

static void number_word(int number, char *word, size_t size)
{
  static const char *const small[] = { "zero",     "one",     "two",     "three",     "four",     "five",    "six",
                                       "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
                                       "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen" };
  static const char *const tens[] = { "",      "",      "twenty",  "thirty", "forty",
                                      "fifty", "sixty", "seventy", "eighty", "ninety" };
  if (number < 20)
    (void)snprintf(word, size, "%s", small[number]);
  else if (number < 100)
    (void)snprintf(word, size, "%s%s%s", tens[number / 10], number % 10 > 0 ? "-" : "",
                   number % 10 > 0 ? small[number % 10] : "");
  else
    (void)snprintf(word, size, "%d", number);
}

struct hearing {
  const struct al_transcribe_options *options;
  const struct al_transcribe_sink *sink;
  const struct al_cancel *stop;
  uint64_t n_heard; /* samples */
  int n_segments, n_tokens;
};

static double heard_s(const struct hearing *hearing)
{
  return (double)hearing->n_heard / AL_FAKE_HEARS_HZ;
}

static enum al_code stopped(struct al_err *err)
{
  return al_fail(err, AL_CANCELLED, "the transcription was stopped");
}

/* The second that begins with segment number `id` and ends at end_s. */
static enum al_code say_second(struct hearing *hearing, double end_s, struct al_err *err)
{
  const struct al_transcribe_options *options = hearing->options;
  char number[32], text[512];
  if (!fake_work(al_fake_knobs.hear_ns, hearing->stop))
    return stopped(err);
  if (fake_its_turn(&al_fake_knobs.abort_segment_at))
    abort();
  if (fake_its_turn(&al_fake_knobs.fail_segment_at))
    return al_fail(err, AL_INTERNAL, "the fake engine was told to fail this segment");
  int id = hearing->n_segments++;
  number_word(id + 1, number, sizeof number);
  for (char *c = number; options->translate && *c != '\0'; c++)
    *c = (char)toupper((unsigned char)*c);
  bool has_prompt = id == 0 && options->prompt[0] != '\0';
  (void)snprintf(text, sizeof text, has_prompt ? " %s (%.400s)" : " %s", number, options->prompt);
  int32_t tokens[sizeof text];
  size_t n_tokens = strlen(text);
  for (size_t i = 0; i < n_tokens; i++)
    tokens[i] = (unsigned char)text[i];
  hearing->n_tokens += (int)n_tokens;
  struct al_speech_word word = { .text = al_str(number), .start_s = id, .end_s = end_s, .probability = 0.75F };
  struct al_speech_segment segment = {
    .id = id,
    .start_s = id,
    .end_s = end_s,
    .text = al_str(text),
    .tokens = tokens,
    .n_tokens = n_tokens,
    .words = options->wants_words ? &word : nullptr,
    .n_words = options->wants_words ? 1 : 0,
    .temperature = options->temperature,
    .avg_logprob = -0.25F,
    .compression_ratio = 1,
    .no_speech_prob = 0.125F,
  };
  if (!hearing->sink->segment(hearing->sink->user, &segment))
    return stopped(err);
  if (hearing->sink->progress != nullptr && !hearing->sink->progress(hearing->sink->user, end_s))
    return stopped(err);
  return AL_OK;
}

static enum al_code listen(struct hearing *hearing, const struct al_pcm_source *source, float *samples, size_t capacity,
                           struct al_err *err)
{
  for (size_t n = 1; n > 0;) {
    n = SIZE_MAX;
    AL_TRY(source->read(source->user, samples, capacity, &n, err));
    assert(n <= capacity);
    al_fake_counts.n_samples_heard += n;
    hearing->n_heard += n;
    if (al_cancelled(hearing->stop))
      return stopped(err);
    while (hearing->n_heard / (uint64_t)AL_FAKE_HEARS_HZ > (uint64_t)hearing->n_segments)
      AL_TRY(say_second(hearing, hearing->n_segments + 1, err));
  }
  return hearing->n_heard % (uint64_t)AL_FAKE_HEARS_HZ > 0 ? say_second(hearing, heard_s(hearing), err) : AL_OK;
}

static enum al_code transcribe(struct al_engine_model *model, const struct al_transcribe_options *options,
                               const struct al_pcm_source *source, const struct al_transcribe_sink *sink,
                               const struct al_cancel *stop, struct al_transcribe_result *result, struct al_err *err)
{
  bool was_busy = atomic_flag_test_and_set(&model->busy);
  assert(!was_busy && model->hears);
  assert(knows(options->language) && options->prompt != nullptr);
  al_fake_counts.n_transcriptions++;
  size_t capacity = al_fake_knobs.samples_asked > 0 ? (size_t)al_fake_knobs.samples_asked : (size_t)AL_FAKE_HEARS_HZ;
  AL_CLEANUP(al_free_p) float *samples = al_alloc(capacity * sizeof *samples);
  struct hearing hearing = { .options = options, .sink = sink, .stop = stop };
  enum al_code code = samples == nullptr ? al_fail_oom(err, capacity * sizeof *samples)
                                         : listen(&hearing, source, samples, capacity, err);
  atomic_flag_clear(&model->busy);
  AL_TRY(code);
  *result = (struct al_transcribe_result){ .duration_s = heard_s(&hearing), .n_tokens = hearing.n_tokens };
  (void)snprintf(result->language, sizeof result->language, "%s",
                 options->language[0] != '\0' ? options->language : "en");
  return AL_OK;
}

const struct al_transcribe_ops fake_transcribe_ops = {
  .info = info,
  .check_language = check_language,
  .transcribe = transcribe,
};
