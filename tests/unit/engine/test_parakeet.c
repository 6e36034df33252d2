/* The engine on libparakeet with a tiny file whose weights are zeros but for the biases of its last layer: it hears
 * "yes" every 0.32 s. It loads, listens, stops and refuses. Run as `--preflight <job>` this program is the child that
 * it starts. */
#include "../codec/parakeet_kit.h"

#include "engine/preflight.h"
#include "engine/whisper/parakeet_engine.h"
#include "engine/whisper/parakeet_model.h"

#include "base/alloc.h"
#include "os/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_parakeet;
static char scratch[] = "/tmp/allm-parakeet-XXXXXX";
static char file_path[512];

static enum al_code load(const char *quant, al_load_progress_fn *progress, struct al_engine_model **model,
                         struct al_err *err)
{
  static char id[] = "tiny", architecture[] = "parakeet";
  static int64_t n_changes; /* or the preflight remembers what it has found at the same path */
  char *path = file_path;
  struct al_model_descriptor descriptor = { .id = id,
                                            .architecture = architecture,
                                            .directory = scratch,
                                            .modified_s = ++n_changes,
                                            .format = AL_FORMAT_GGML,
                                            .files = &path,
                                            .n_files = 1 };
  struct al_load_options options = { .n_threads = 2 };
  (void)snprintf(options.quant, sizeof options.quant, "%s", quant);
  return engine->load(&descriptor, &options, progress, nullptr, model, err);
}

static struct al_engine_model *must_load(void)
{
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  if (load("", nullptr, &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  return model;
}

static void write_model(size_t cut)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  parakeet_kit_write(&parakeet_kit_sizes, &bytes);
  bytes.size -= cut;
  assert_int_equal(al_file_write_atomic(file_path, al_buf_view(&bytes), nullptr), AL_OK);
}

/* --- what comes in and goes out ---------------------------------------------------------------------------------- */

struct sound {
  size_t n_samples, at;
  float loudness;
  int n_segments;
  size_t n_words;
  double last_start_s, last_word_s;
  struct al_buf text;
  struct al_cancel *cancel; /* fired with the first progress */
  bool refuses;
  bool fails;
};

static enum al_code read_sound(void *user, float *samples, size_t capacity, size_t *n, struct al_err *err)
{
  struct sound *s = user;
  if (s->fails)
    return al_fail(err, AL_INVALID_REQUEST, "the file broke off");
  *n = al_min_size(capacity, s->n_samples - s->at);
  for (size_t i = 0; i < *n; i++)
    samples[i] = s->loudness * sinf(0.1F * (float)((s->at + i) % 100'000));
  s->at += *n;
  return AL_OK;
}

static bool on_segment(void *user, const struct al_speech_segment *segment)
{
  struct sound *s = user;
  assert_int_equal(segment->id, s->n_segments);
  assert_true(segment->start_s >= s->last_start_s && segment->end_s >= segment->start_s);
  assert_true(segment->n_tokens > 0 && segment->avg_logprob < 0 && segment->compression_ratio > 0);
  for (size_t i = 0; i < segment->n_words; i++) {
    assert_true(al_str_eq(segment->words[i].text, al_str("yes")));
    assert_true(segment->words[i].start_s >= s->last_word_s && segment->words[i].probability > 0);
    s->last_word_s = segment->words[i].start_s;
  }
  s->n_words += segment->n_words;
  s->last_start_s = segment->start_s;
  s->n_segments++;
  al_buf_add(&s->text, segment->text.data, segment->text.size);
  return !s->refuses;
}

static bool on_progress(void *user, double done_s)
{
  const struct sound *s = user;
  assert_true(done_s >= 0);
  if (s->cancel != nullptr)
    al_cancel_fire(s->cancel, AL_TIMEOUT);
  return true;
}

static enum al_code hear(struct al_engine_model *model, struct sound *sound, struct al_transcribe_options options,
                         struct al_transcribe_result *result, struct al_err *err)
{
  struct al_pcm_source source = { read_sound, sound, 0 };
  struct al_transcribe_sink sink = { on_segment, on_progress, sound };
  options.language = options.language != nullptr ? options.language : "";
  options.prompt = options.prompt != nullptr ? options.prompt : "";
  return engine->transcribe->transcribe(model, &options, &source, &sink, sound->cancel, result, err);
}

static void loads_and_tells_about_itself(void **)
{
  struct al_engine_model *model = must_load();
  struct al_transcribe_info info = {};
  engine->transcribe->info(model, &info);
  assert_int_equal(info.sample_rate, 16000);
  assert_true(!info.is_multilingual && !info.can_translate);
  assert_true(info.memory_bytes > al_parakeet_weights_bytes(&parakeet_kit_sizes));
  assert_int_equal(engine->transcribe->check_language(model, "", nullptr), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "en", nullptr), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "de", nullptr), AL_INVALID_REQUEST);
  engine->unload(model);
}

/* 3 s are 301 frames of 10 ms, 38 of the encoder: a word in every fourth. */
static void hears_a_short_audio(void **)
{
  struct al_engine_model *model = must_load();
  for (int round = 0; round < 2; round++) {
    struct sound sound = { .n_samples = 48'000, .loudness = 0.5F };
    struct al_transcribe_result result = {};
    struct al_err err = {};
    assert_int_equal(hear(model, &sound, (struct al_transcribe_options){ .wants_words = true }, &result, &err), AL_OK);
    assert_int_equal(sound.n_segments, 1);
    assert_int_equal(sound.n_words, 10);
    assert_int_equal(result.n_tokens, 10);
    assert_true(al_str_eq(al_buf_view(&sound.text), al_str("yes yes yes yes yes yes yes yes yes yes")));
    assert_string_equal(result.language, "en");
    assert_true(fabs(result.duration_s - 3) < 1e-9);
    assert_true(fabs(sound.last_word_s - 9 * 0.32) < 1e-9);
    al_buf_done(&sound.text);
  }
  engine->unload(model);
}

/* The window of this model is 8 s. No word is lost or heard twice but where a piece begins between two frames. */
static void hears_a_long_audio_in_pieces(void **)
{
  struct al_engine_model *model = must_load();
  struct sound sound = { .n_samples = (size_t)60 * 16'000, .loudness = 0.5F };
  struct al_transcribe_result result = {};
  struct al_err err = {};
  assert_int_equal(hear(model, &sound, (struct al_transcribe_options){ .wants_words = true }, &result, &err), AL_OK);
  assert_true(fabs(result.duration_s - 60) < 0.01);
  assert_true(sound.n_segments > 7);
  assert_true(sound.n_words >= 187 && sound.n_words <= 187 + 10);
  assert_true(sound.last_word_s > 59 && sound.last_word_s <= 60);
  assert_int_equal(sound.text.size, sound.n_words * 4 - 1);
  al_buf_done(&sound.text);
  engine->unload(model);
}

static void nothing_is_heard_in_silence(void **)
{
  struct al_engine_model *model = must_load();
  static const size_t lengths[] = { 0, 1, 1599, 16'000, 30 * 16'000 };
  for (size_t i = 0; i < AL_COUNT(lengths); i++) {
    struct sound sound = { .n_samples = lengths[i], .loudness = lengths[i] < 1600 ? 0.5F : 0 };
    struct al_transcribe_result result = {};
    assert_int_equal(hear(model, &sound, (struct al_transcribe_options){}, &result, nullptr), AL_OK);
    assert_int_equal(sound.n_segments, 0);
    assert_true(fabs(result.duration_s - (double)lengths[i] / 16'000) < 1e-6);
  }
  struct sound shortest = { .n_samples = 1600, .loudness = 0.5F };
  struct al_transcribe_result result = {};
  assert_int_equal(hear(model, &shortest, (struct al_transcribe_options){}, &result, nullptr), AL_OK);
  al_buf_done(&shortest.text);
  engine->unload(model);
}

static void what_the_library_has_not_is_refused_by_name(void **)
{
  struct al_engine_model *model = must_load();
  const struct {
    struct al_transcribe_options options;
    enum al_code code;
    const char *param;
  } cases[] = {
    { { .translate = true }, AL_UNSUPPORTED, "translate" },
    { { .prompt = "Kyiv" }, AL_UNSUPPORTED, "prompt" },
    { { .temperature = 0.5F }, AL_UNSUPPORTED, "temperature" },
    { { .temperature = NAN }, AL_UNSUPPORTED, "temperature" },
    { { .n_beams = 2 }, AL_UNSUPPORTED, "n_beams" },
    { { .language = "de" }, AL_INVALID_REQUEST, "language" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct sound sound = { .n_samples = 16'000, .loudness = 0.5F };
    struct al_transcribe_result result = {};
    struct al_err err = {};
    assert_int_equal(hear(model, &sound, cases[i].options, &result, &err), cases[i].code);
    assert_string_equal(err.param, cases[i].param);
    assert_int_equal(sound.at, 0);
  }
  engine->unload(model);
}

static void stops_when_it_is_told_to(void **)
{
  struct al_engine_model *model = must_load();
  struct al_transcribe_result result = {};
  struct al_cancel *cancel = al_cancel_new();
  struct sound cancelled = { .n_samples = 100 * 16'000, .loudness = 0.5F, .cancel = cancel };
  assert_int_equal(hear(model, &cancelled, (struct al_transcribe_options){}, &result, nullptr), AL_TIMEOUT);
  assert_int_equal(cancelled.n_segments, 0);
  al_cancel_unref(cancel);
  struct sound refused = { .n_samples = 100 * 16'000, .loudness = 0.5F, .refuses = true };
  assert_int_equal(hear(model, &refused, (struct al_transcribe_options){}, &result, nullptr), AL_CANCELLED);
  assert_int_equal(refused.n_segments, 1);
  al_buf_done(&refused.text);
  struct sound broken = { .fails = true };
  assert_int_equal(hear(model, &broken, (struct al_transcribe_options){}, &result, nullptr), AL_INVALID_REQUEST);
  struct sound again = { .n_samples = 16'000, .loudness = 0.5F };
  assert_int_equal(hear(model, &again, (struct al_transcribe_options){}, &result, nullptr), AL_OK);
  assert_int_equal(result.n_tokens, 4);
  al_buf_done(&again.text);
  engine->unload(model);
}

static bool refuse_half(void *, float done)
{
  return done < 0.5F;
}

static void a_load_is_refused_or_stopped(void **)
{
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  assert_int_equal(load("q8_0", nullptr, &model, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "quant");
  assert_int_equal(load("", refuse_half, &model, &err), AL_CANCELLED);
  write_model(1);
  assert_int_equal(load("", nullptr, &model, &err), AL_MODEL_CORRUPT);
  assert_non_null(strstr(err.message, "parakeet.bin"));
  write_model(0);
  assert_null(model);
}

static int set_up(void **)
{
  assert_non_null(mkdtemp(scratch));
  (void)snprintf(file_path, sizeof file_path, "%s/parakeet.bin", scratch);
  write_model(0);
  return 0;
}

static int tear_down(void **)
{
  (void)unlink(file_path);
  (void)rmdir(scratch);
  return 0;
}

int main(int argc, char **argv)
{
  static const struct al_engine *const engines[] = { &al_engine_parakeet };
  const struct al_engine_registry registry = { engines, AL_COUNT(engines) };
  if (argc > 1 && strcmp(argv[1], "--preflight") == 0)
    return al_preflight_main(&registry, argc, argv);
  char program[4096];
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  program[n > 0 ? n : 0] = '\0';
  al_preflight_set_program(program);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(loads_and_tells_about_itself),
    cmocka_unit_test(hears_a_short_audio),
    cmocka_unit_test(hears_a_long_audio_in_pieces),
    cmocka_unit_test(nothing_is_heard_in_silence),
    cmocka_unit_test(what_the_library_has_not_is_refused_by_name),
    cmocka_unit_test(stops_when_it_is_told_to),
    cmocka_unit_test(a_load_is_refused_or_stopped),
  };
  return cmocka_run_group_tests_name("engine/parakeet", tests, set_up, tear_down);
}
