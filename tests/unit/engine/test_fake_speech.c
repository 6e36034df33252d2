#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "engine/fake/fake.h"

#include <cmocka.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

static const struct al_engine *const engine = &al_engine_fake;
static struct al_engine_model *model;

static int open_model(unsigned capabilities)
{
  static char id[] = "fake-model", runtime[] = "fake";
  const struct al_model_descriptor descriptor = { .id = id, .runtime = runtime, .capabilities = capabilities };
  struct al_memory_estimate estimate;
  al_fake_reset();
  assert_int_equal(engine->estimate(&descriptor, &(struct al_load_options){}, &estimate, nullptr), AL_OK);
  assert_int_equal(estimate.kv_ram_bytes + estimate.compute_ram_bytes, 0); /* no cells */
  assert_int_equal(estimate.n_ctx, 0);
  return engine->load(&descriptor, &(struct al_load_options){}, nullptr, nullptr, &model, nullptr) == AL_OK ? 0 : 1;
}

static int open_ear(void **)
{
  return open_model(AL_CAN_TRANSCRIBE);
}

static int open_mouth(void **)
{
  return open_model(AL_CAN_SPEAK);
}

static int close_model(void **)
{
  engine->unload(model);
  model = nullptr;
  return 0;
}

/* --- listening -------------------------------------------------------------------------------------------------- */

struct sound {
  size_t n_left, most_asked;
  int n_reads, fail_at; /* this read (from 1) fails; 0: none */
};

static enum al_code read_sound(void *user, float *samples, size_t capacity, size_t *n, struct al_err *err)
{
  struct sound *sound = user;
  if (++sound->n_reads == sound->fail_at)
    return al_fail_reason(err, al_fail(err, AL_INVALID_REQUEST, "no more"), "corrupt_media");
  sound->most_asked = al_max_size(sound->most_asked, capacity);
  *n = al_min_size(capacity, sound->n_left);
  sound->n_left -= *n;
  memset(samples, 0, *n * sizeof *samples);
  return AL_OK;
}

struct heard {
  struct al_buf text;
  int n_segments, n_words, n_progress, stop_at;
  double end_s, progress_s;
  float temperature;
};

static bool on_segment(void *user, const struct al_speech_segment *segment)
{
  struct heard *heard = user;
  assert_int_equal(segment->id, heard->n_segments);
  assert_true(segment->start_s == heard->end_s && segment->end_s > segment->start_s);
  assert_int_equal(segment->n_tokens, segment->text.size);
  heard->n_segments++;
  heard->n_words += (int)segment->n_words;
  for (size_t i = 0; i < segment->n_words; i++)
    assert_true(segment->words[i].start_s >= segment->start_s && segment->words[i].end_s <= segment->end_s);
  heard->end_s = segment->end_s;
  heard->temperature = segment->temperature;
  al_buf_add(&heard->text, segment->text.data, segment->text.size);
  return heard->n_segments != heard->stop_at;
}

static bool on_progress(void *user, double done_s)
{
  struct heard *heard = user;
  heard->n_progress++;
  heard->progress_s = done_s;
  return true;
}

static enum al_code listen(struct sound *sound, const struct al_transcribe_options *options, struct heard *heard,
                           const struct al_cancel *stop, struct al_transcribe_result *result)
{
  struct al_pcm_source source = { .read = read_sound, .user = sound };
  struct al_transcribe_sink sink = { .segment = on_segment, .progress = on_progress, .user = heard };
  struct al_err err = {};
  enum al_code code = engine->transcribe->transcribe(model, options, &source, &sink, stop, result, &err);
  assert_int_equal(err.code, code);
  return code;
}

static void hears_a_number_a_second(void **)
{
  struct sound sound = { .n_left = 16000 * 2 + 8000 };
  struct heard heard = {};
  struct al_transcribe_result result = {};
  struct al_transcribe_options options = { .language = "", .prompt = "", .wants_words = true, .temperature = 0.5F };
  assert_int_equal(listen(&sound, &options, &heard, nullptr, &result), AL_OK);
  assert_string_equal(heard.text.data, " one two three");
  assert_int_equal(heard.n_words, 3);
  assert_true(heard.end_s == 2.5 && heard.progress_s == 2.5 && result.duration_s == 2.5);
  assert_true(heard.temperature == 0.5F);
  assert_string_equal(result.language, "en");
  assert_int_equal(result.n_tokens, heard.text.size);
  assert_int_equal(sound.most_asked, 16000);
  al_buf_done(&heard.text);
}

static void hears_the_same_however_it_reads(void **)
{
  static const int asked[] = { 1, 333, 16000, 100000 };
  for (size_t i = 0; i < AL_COUNT(asked); i++) {
    struct sound sound = { .n_left = 16000 * 3 };
    struct heard heard = {};
    struct al_transcribe_result result = {};
    struct al_transcribe_options options = { .language = "fr", .prompt = "a, b", .translate = true };
    al_fake_knobs.samples_asked = asked[i];
    assert_int_equal(listen(&sound, &options, &heard, nullptr, &result), AL_OK);
    assert_string_equal(heard.text.data, " ONE (a, b) TWO THREE");
    assert_string_equal(result.language, "fr");
    assert_int_equal(heard.n_words, 0);
    assert_int_equal(sound.most_asked, asked[i]);
    al_buf_done(&heard.text);
  }
}

static void silence_of_no_length_is_nothing(void **)
{
  struct sound sound = {};
  struct heard heard = {};
  struct al_transcribe_result result = {};
  struct al_transcribe_options options = { .language = "", .prompt = "" };
  assert_int_equal(listen(&sound, &options, &heard, nullptr, &result), AL_OK);
  assert_int_equal(heard.n_segments, 0);
  assert_true(result.duration_s == 0);
}

static void counts_far(void **)
{
  struct sound sound = { .n_left = (size_t)16000 * 101 };
  struct heard heard = {};
  struct al_transcribe_result result = {};
  struct al_transcribe_options options = { .language = "en", .prompt = "" };
  assert_int_equal(listen(&sound, &options, &heard, nullptr, &result), AL_OK);
  assert_true(al_str_ends(al_buf_view(&heard.text), al_str(" ninety-eight ninety-nine 100 101")));
  assert_non_null(strstr(heard.text.data, " nineteen twenty twenty-one "));
  al_buf_done(&heard.text);
}

static void listening_ends_as_told(void **)
{
  struct al_transcribe_options options = { .language = "", .prompt = "" };
  struct al_transcribe_result result = { .n_tokens = 77 };
  struct heard heard = {};
  struct sound cut = { .n_left = 16000 * 9, .fail_at = 3 };
  assert_int_equal(listen(&cut, &options, &heard, nullptr, &result), AL_INVALID_REQUEST);
  assert_int_equal(heard.n_segments, 2);
  al_buf_done(&heard.text);

  heard = (struct heard){ .stop_at = 2 };
  assert_int_equal(listen(&(struct sound){ .n_left = 16000 * 9 }, &options, &heard, nullptr, &result), AL_CANCELLED);
  assert_int_equal(heard.n_segments, 2);
  al_buf_done(&heard.text);

  heard = (struct heard){};
  al_fake_knobs.fail_segment_at = 3;
  assert_int_equal(listen(&(struct sound){ .n_left = 16000 * 9 }, &options, &heard, nullptr, &result), AL_INTERNAL);
  assert_int_equal(heard.n_segments, 2);
  al_buf_done(&heard.text);

  heard = (struct heard){};
  struct al_cancel *stop = al_cancel_new();
  al_cancel_fire(stop, AL_CANCELLED);
  al_fake_knobs.hear_ns = 60'000'000'000;
  assert_int_equal(listen(&(struct sound){ .n_left = 16000 }, &options, &heard, stop, &result), AL_CANCELLED);
  assert_int_equal(heard.n_segments, 0);
  assert_int_equal(result.n_tokens, 77); /* set on success alone */
  al_cancel_unref(stop);
}

static void says_what_it_hears(void **)
{
  struct al_transcribe_info info;
  struct al_err err = {};
  al_fake_knobs.weights_bytes = 4711;
  engine->transcribe->info(model, &info);
  assert_int_equal(info.sample_rate, 16000);
  assert_int_equal(info.memory_bytes, 4711);
  assert_true(info.is_multilingual && info.can_translate);
  assert_int_equal(engine->transcribe->check_language(model, "", &err), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "de", &err), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "tlh", &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "language");
}

/* --- speaking --------------------------------------------------------------------------------------------------- */

struct spoken {
  float samples[44100];
  size_t n, n_calls, stop_at;
};

static bool on_samples(void *user, const float *samples, size_t n)
{
  struct spoken *spoken = user;
  assert_true(spoken->n + n <= AL_COUNT(spoken->samples));
  memcpy(spoken->samples + spoken->n, samples, n * sizeof *samples);
  spoken->n += n;
  return ++spoken->n_calls != spoken->stop_at;
}

static enum al_code say(const char *text, const char *voice, double speed, struct spoken *spoken)
{
  struct al_speak_options options = { .voice = voice, .speed = speed };
  size_t stop_at = spoken->stop_at;
  struct al_err err = {};
  *spoken = (struct spoken){ .stop_at = stop_at };
  return engine->speak->speak(model, al_str(text), &options, on_samples, spoken, nullptr, &err);
}

static double loudness(const float *samples, size_t n)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += fabs((double)samples[i]);
  return sum / (double)n;
}

static void plays_a_tone_a_letter(void **)
{
  static struct spoken a, b;
  constexpr size_t LETTER = 1102;
  assert_int_equal(say("a b", "", 1, &a), AL_OK);
  assert_int_equal(a.n, 3 * LETTER);
  assert_int_equal(a.n_calls, 3);
  assert_true(loudness(a.samples, LETTER) > 0.2);
  assert_true(loudness(a.samples + LETTER, LETTER) == 0);
  assert_memory_not_equal(a.samples, a.samples + 2 * LETTER, LETTER * sizeof(float));
  assert_int_equal(say("a b", "mid", 1, &b), AL_OK);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(say("a b", "alloy", 1, &b), AL_OK);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(say("a b", "high", 1, &b), AL_OK);
  assert_memory_not_equal(a.samples, b.samples, LETTER * sizeof(float));
  assert_int_equal(say("a b", "low", 4, &b), AL_OK);
  assert_int_equal(b.n, 3 * 275);
  assert_int_equal(say("ab", "low", 0.25, &b), AL_OK);
  assert_int_equal(b.n, 2 * 4410);
}

static void speaking_ends_as_told(void **)
{
  static struct spoken spoken;
  spoken.stop_at = 2;
  assert_int_equal(say("abcd", "", 1, &spoken), AL_CANCELLED);
  assert_int_equal(spoken.n_calls, 2);
  spoken.stop_at = 0;
  al_fake_knobs.fail_letter_at = 3;
  assert_int_equal(say("abcd", "", 1, &spoken), AL_INTERNAL);
  assert_int_equal(spoken.n_calls, 2);
  assert_int_equal(say("abcd", "", 1, &spoken), AL_OK); /* once */
}

static void lists_its_voices(void **)
{
  struct al_speak_info info;
  struct al_voice voice;
  struct al_err err = {};
  engine->speak->info(model, &info);
  assert_int_equal(info.sample_rate, 22050);
  assert_int_equal(info.n_voices, 3);
  for (size_t i = 0; i < info.n_voices; i++) {
    assert_true(engine->speak->voice(model, i, &voice));
    assert_int_equal(engine->speak->check_voice(model, voice.id, &err), AL_OK);
  }
  assert_false(engine->speak->voice(model, info.n_voices, &voice));
  assert_int_equal(engine->speak->check_voice(model, "", &err), AL_OK);
  assert_int_equal(engine->speak->check_voice(model, "nobody", &err), AL_INVALID_REQUEST);
  assert_string_equal(err.reason, "unknown_voice");
  assert_string_equal(err.param, "voice");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(hears_a_number_a_second, open_ear, close_model),
    cmocka_unit_test_setup_teardown(hears_the_same_however_it_reads, open_ear, close_model),
    cmocka_unit_test_setup_teardown(silence_of_no_length_is_nothing, open_ear, close_model),
    cmocka_unit_test_setup_teardown(counts_far, open_ear, close_model),
    cmocka_unit_test_setup_teardown(listening_ends_as_told, open_ear, close_model),
    cmocka_unit_test_setup_teardown(says_what_it_hears, open_ear, close_model),
    cmocka_unit_test_setup_teardown(plays_a_tone_a_letter, open_mouth, close_model),
    cmocka_unit_test_setup_teardown(speaking_ends_as_told, open_mouth, close_model),
    cmocka_unit_test_setup_teardown(lists_its_voices, open_mouth, close_model),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
