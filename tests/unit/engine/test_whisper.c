/* The engine on libwhisper with a tiny file whose weights are zeros but for one token's: it loads, listens, stops and
 * refuses. argv[1]: the directory of the built-in models; without tiny-whisper in it some tests are skipped. Run as
 * `--preflight <job>` this program is the child that it starts. */
#include "../codec/whisper_kit.h"

#include "engine/preflight.h"
#include "engine/whisper/mel.h"
#include "engine/whisper/model.h"
#include "engine/whisper/prompt.h"
#include "engine/whisper/whisper_engine.h"

#include "base/alloc.h"
#include "os/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_whisper;
static char scratch[] = "/tmp/allm-whisper-XXXXXX";
static char file_path[512];
static char hf_path[4096];

static struct al_model_descriptor describe(char **path)
{
  static char id[] = "tiny", none[] = "";
  static int64_t n_changes; /* or the preflight remembers what it has found at the same path */
  struct al_model_descriptor descriptor = {
    .id = id, .architecture = none, .directory = *path, .modified_s = ++n_changes
  };
  struct al_file_info info = {};
  (void)al_file_stat(*path, &info, nullptr);
  descriptor.format = info.is_directory ? AL_FORMAT_SAFETENSORS : AL_FORMAT_GGML;
  if (!info.is_directory) {
    descriptor.files = path;
    descriptor.n_files = 1;
  }
  return descriptor;
}

static enum al_code load(char *path, const char *quant, struct al_engine_model **model, struct al_err *err)
{
  struct al_model_descriptor descriptor = describe(&path);
  struct al_load_options options = { .n_threads = 2 };
  (void)snprintf(options.quant, sizeof options.quant, "%s", quant);
  return engine->load(&descriptor, &options, nullptr, nullptr, model, err);
}

static struct al_engine_model *must_load(char *path)
{
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  if (load(path, "", &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  return model;
}

static void write_file(const struct al_buf *bytes)
{
  assert_int_equal(al_file_write_atomic(file_path, al_buf_view(bytes), nullptr), AL_OK);
}

static void write_model(void)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  whisper_kit_write(&whisper_kit_sizes, &bytes);
  write_file(&bytes);
}

/* --- what comes in and goes out ---------------------------------------------------------------------------------- */

struct sound {
  size_t n_samples, at;
  float loudness;
  int n_segments;
  int last_id;
  double last_start_s;
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
  assert_true(segment->n_tokens > 0 && segment->avg_logprob <= 0);
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
  options.language = options.language != nullptr ? options.language : "en";
  options.prompt = options.prompt != nullptr ? options.prompt : "";
  return engine->transcribe->transcribe(model, &options, &source, &sink, sound->cancel, result, err);
}

static void loads_and_tells_about_itself(void **)
{
  struct al_engine_model *model = must_load(file_path);
  struct al_transcribe_info info = {};
  engine->transcribe->info(model, &info);
  assert_int_equal(info.sample_rate, 16000);
  assert_true(!info.is_multilingual && !info.can_translate);
  assert_true(info.memory_bytes > al_whisper_weights_bytes(&whisper_kit_sizes));
  assert_int_equal(engine->transcribe->check_language(model, "", nullptr), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "en", nullptr), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "de", nullptr), AL_INVALID_REQUEST);
  engine->unload(model);
  engine->unload(nullptr);
}

static bool refuse_progress(void *user, float fraction)
{
  *(float *)user = fraction;
  return fraction < 0.9F;
}

static void stops_a_load(void **)
{
  char *path = file_path;
  float seen = 0;
  struct al_model_descriptor descriptor = describe(&path);
  struct al_load_options options = {};
  struct al_engine_model *model = nullptr;
  assert_int_equal(engine->load(&descriptor, &options, refuse_progress, &seen, &model, nullptr), AL_CANCELLED);
  assert_true(seen >= 0.9F && model == nullptr);
}

static void hears_nothing_in_little_or_silence(void **)
{
  struct al_engine_model *model = must_load(file_path);
  const struct sound sounds[] = { { .n_samples = 0 },
                                  { .n_samples = 1599, .loudness = 0.5F },
                                  { .n_samples = 40'000, .loudness = 1e-6F } };
  for (size_t i = 0; i < AL_COUNT(sounds); i++) {
    struct sound sound = sounds[i];
    struct al_transcribe_result result = {};
    assert_int_equal(hear(model, &sound, (struct al_transcribe_options){}, &result, nullptr), AL_OK);
    assert_int_equal(sound.n_segments, 0);
    assert_int_equal(result.n_tokens, 0);
    assert_true(fabs(result.duration_s - (double)sound.n_samples / 16000) < 1e-9);
  }
  engine->unload(model);
}

static void refuses_options(void **)
{
  struct al_engine_model *model = must_load(file_path);
  const struct {
    struct al_transcribe_options options;
    const char *param;
  } cases[] = {
    { { .language = "fr" }, "language" },
    { { .translate = true }, "translate" },
    { { .temperature = 1.5F }, "temperature" },
    { { .temperature = NAN }, "temperature" },
    { { .temperature_step = -1 }, "temperature_step" },
    { { .temperature_step = 1e-6F }, "temperature_step" },
    { { .n_beams = 9 }, "n_beams" },
    { { .n_beams = -1 }, "n_beams" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct sound sound = { .n_samples = 16000, .loudness = 0.5F };
    struct al_transcribe_result result;
    struct al_err err = {};
    assert_int_equal(hear(model, &sound, cases[i].options, &result, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.param, cases[i].param);
    assert_int_equal(sound.at, 0);
  }
  engine->unload(model);
}

static void passes_on_what_the_source_says(void **)
{
  struct al_engine_model *model = must_load(file_path);
  struct sound sound = { .n_samples = 16000, .fails = true };
  struct al_transcribe_result result;
  struct al_err err = {};
  assert_int_equal(hear(model, &sound, (struct al_transcribe_options){}, &result, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.message, "the file broke off");
  engine->unload(model);
}

/* The first progress comes before the encoder runs: a stop there is seen within it, and the model goes on to serve. */
static void stops_and_serves_again(void **)
{
  struct al_engine_model *model = must_load(file_path);
  struct al_transcribe_result result;
  for (int i = 0; i < 2; i++) {
    struct sound sound = { .n_samples = 32'000, .loudness = 0.5F, .cancel = al_cancel_new() };
    assert_int_equal(hear(model, &sound, (struct al_transcribe_options){}, &result, nullptr), AL_TIMEOUT);
    assert_int_equal(sound.n_segments, 0);
    al_cancel_unref(sound.cancel);
  }
  struct sound sound = { .n_samples = 16'000, .loudness = 1e-7F };
  assert_int_equal(hear(model, &sound, (struct al_transcribe_options){}, &result, nullptr), AL_OK);
  engine->unload(model);
}

/* --- files that must not reach libwhisper --------------------------------------------------------------------------
 */

static void refuses_damaged_files(void **)
{
  static const struct {
    size_t size; /* 0: all but one byte */
    enum al_code code;
  } cases[] = {
    { 2, AL_MODEL_CORRUPT }, { 40, AL_MODEL_CORRUPT }, { 70'000, AL_MODEL_CORRUPT }, { 0, AL_MODEL_CORRUPT }
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
    struct al_engine_model *model = nullptr;
    struct al_err err = {};
    whisper_kit_write(&whisper_kit_sizes, &bytes);
    bytes.size = cases[i].size > 0 ? cases[i].size : bytes.size - 1;
    write_file(&bytes);
    assert_int_equal(load(file_path, "", &model, &err), cases[i].code);
    assert_null(model);
    assert_non_null(strstr(err.message, "ggml-kit.bin"));
  }
  write_model();
}

static void refuses_a_type_for_a_file(void **)
{
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  assert_int_equal(load(file_path, "q8_0", &model, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "q8_0"));
}

/* --- parts
 * ------------------------------------------------------------------------------------------------------------ */

static void makes_mel_filters(void **)
{
  static float filters[128 * AL_WHISPER_N_BINS];
  al_whisper_mel_filters(80, filters);
  /* transformers: mel_filter_bank(201, 80, 0, 8000, 16000, "slaney", "slaney") */
  assert_float_equal(filters[1], 0.024862593, 1e-8);
  assert_float_equal(filters[0], 0, 0);
  assert_float_equal(filters[80 * AL_WHISPER_N_BINS - 2], 0.00044875903, 1e-8);
  al_whisper_mel_filters(128, filters);
  assert_float_equal(filters[1], 0.012373986, 1e-8);
}

/* A word of a hundred thousand letters would end libwhisper's own splitting in a stack overflow. */
static void takes_prompts_of_any_length(void **)
{
  struct al_engine_model *model = must_load(file_path);
  AL_CLEANUP(al_whisper_past_done) struct al_whisper_past past = {};
  assert_int_equal(al_whisper_past_init(&past, model->context, nullptr), AL_OK);
  al_whisper_past_add_text(&past, model->context, "ab c");
  assert_int_equal(past.count, 4); /* the kit has bytes alone */
  assert_true(past.tokens[0] == 'a' && past.tokens[2] == ' ' && past.tokens[3] == 'c');
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  for (int i = 0; i < 100'000; i++)
    al_buf_str(&text, i % 3 == 0 ? "\xc3\xa4" : "x");
  al_whisper_past_add_text(&past, model->context, text.data);
  assert_int_equal(past.count, whisper_kit_sizes.n_text_ctx / 2);
  assert_int_equal(past.tokens[past.count - 1], (unsigned char)text.data[text.size - 1]);
  engine->unload(model);
}

static void loads_the_built_in_model(void **)
{
  struct al_file_info info;
  if (al_file_stat(hf_path, &info, nullptr) != AL_OK)
    skip();
  struct al_engine_model *model = must_load(hf_path);
  struct al_transcribe_info about = {};
  engine->transcribe->info(model, &about);
  assert_true(about.is_multilingual && about.can_translate);
  assert_int_equal(engine->transcribe->check_language(model, "de", nullptr), AL_OK);
  assert_int_equal(engine->transcribe->check_language(model, "german", nullptr), AL_INVALID_REQUEST);
  assert_int_equal(engine->transcribe->check_language(model, "yue", nullptr), AL_INVALID_REQUEST);
  struct sound sound = { .n_samples = 32'000, .loudness = 0.3F };
  struct al_transcribe_result result = {};
  struct al_transcribe_options options = { .language = "", .wants_words = true };
  assert_int_equal(hear(model, &sound, options, &result, nullptr), AL_OK);
  assert_true(strlen(result.language) >= 2);
  al_buf_done(&sound.text);
  engine->unload(model);
}

/* The built-in model's directory with one file changed. */
static void write_changed(const char *name, const char *from, const char *to)
{
  static const char *const names[] = { "config.json", "tokenizer.json", "vocab.json", "model.safetensors" };
  char source[4200], target[600];
  (void)snprintf(target, sizeof target, "%s/hf", scratch);
  (void)mkdir(target, 0700);
  for (size_t i = 0; i < AL_COUNT(names); i++) {
    (void)snprintf(source, sizeof source, "%s/%s", hf_path, names[i]);
    (void)snprintf(target, sizeof target, "%s/hf/%s", scratch, names[i]);
    (void)unlink(target);
    if (!al_streq(names[i], name)) {
      assert_int_equal(symlink(source, target), 0);
      continue;
    }
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    AL_CLEANUP(al_buf_done) struct al_buf changed = {};
    assert_int_equal(al_file_read(source, 1 << 20, &text, nullptr), AL_OK);
    const char *at = strstr(text.data, from);
    assert_non_null(at);
    al_buf_add(&changed, text.data, (size_t)(at - text.data));
    al_buf_str(&changed, to);
    al_buf_str(&changed, at + strlen(from));
    assert_int_equal(al_file_write_atomic(target, al_buf_view(&changed), nullptr), AL_OK);
  }
}

static void remove_changed(void)
{
  static const char *const names[] = { "config.json", "tokenizer.json", "vocab.json", "model.safetensors", "" };
  for (size_t i = 0; i < AL_COUNT(names); i++) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/hf/%s", scratch, names[i]);
    (void)(names[i][0] != '\0' ? unlink(path) : rmdir(path));
  }
}

static void refuses_directories_by_name(void **)
{
  static const struct {
    const char *file, *from, *to;
    enum al_code code;
    const char *words;
  } cases[] = {
    { "config.json", "\"vocab_size\": 51865", "\"vocab_size\": 51900", AL_UNSUPPORTED, "vocabulary" },
    { "config.json", "\"vocab_size\": 51865", "\"vocab_size\": 51866", AL_MODEL_CORRUPT, "embed_tokens" },
    { "config.json", "\"max_source_positions\": 1500", "\"max_source_positions\": 750", AL_UNSUPPORTED,
      "audio context" },
    { "config.json", "\"encoder_layers\"", "\"no_layers\"", AL_MODEL_CORRUPT, "encoder_layers" },
    { "config.json", "\"encoder_ffn_dim\": 256", "\"encoder_ffn_dim\": 255", AL_UNSUPPORTED, "encoder_ffn_dim" },
    { "config.json", "\"gelu\"", "\"relu\"", AL_UNSUPPORTED, "relu" },
    { "config.json", "\"WhisperForConditionalGeneration\"", "\"WhisperForAudioClassification\"", AL_UNSUPPORTED,
      "WhisperForAudioClassification" },
    { "tokenizer.json", "\"BPE\"", "\"Unigram\"", AL_UNSUPPORTED, "Unigram" },
  };
  struct al_file_info info;
  if (al_file_stat(hf_path, &info, nullptr) != AL_OK)
    skip();
  char path[512];
  (void)snprintf(path, sizeof path, "%s/hf", scratch);
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_engine_model *model = nullptr;
    struct al_err err = {};
    write_changed(cases[i].file, cases[i].from, cases[i].to);
    enum al_code code = load(path, "", &model, &err);
    if (code != cases[i].code || strstr(err.message, cases[i].words) == nullptr)
      fail_msg("case %zu: %s: %s", i, al_code_name(code), err.message);
  }
  remove_changed();
}

static void quantises_while_it_loads(void **)
{
  struct al_file_info info;
  if (al_file_stat(hf_path, &info, nullptr) != AL_OK)
    skip();
  static const char *const types[] = { "f32", "q8_0", "q5_0" };
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    struct al_engine_model *model = nullptr;
    struct al_err err = {};
    if (load(hf_path, types[i], &model, &err) != AL_OK)
      fail_msg("%s: %s", types[i], err.message);
    engine->unload(model);
  }
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  assert_int_equal(load(hf_path, "q6_k", &model, &err), AL_UNSUPPORTED); /* rows of 64, blocks of 256 */
  assert_int_equal(load(hf_path, "bf16", &model, &err), AL_INVALID_REQUEST);
}

static void survives_failing_allocations(void **)
{
  for (size_t n = 1; n < 40; n++) {
    struct al_engine_model *model = nullptr;
    (void)al_alloc_fail_at(n);
    enum al_code code = load(file_path, "", &model, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM || code == AL_INTERNAL);
    engine->unload(code == AL_OK ? model : nullptr);
  }
}

static int set_up(void **)
{
  if (mkdtemp(scratch) == nullptr)
    return 1;
  (void)snprintf(file_path, sizeof file_path, "%s/ggml-kit.bin", scratch);
  write_model();
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
  static const struct al_engine *const engines[] = { &al_engine_whisper };
  const struct al_engine_registry registry = { engines, 1 };
  if (argc == 3 && al_streq(argv[1], "--preflight"))
    return al_preflight_main(&registry, argc, argv);
  al_preflight_set_program("/proc/self/exe");
  (void)snprintf(hf_path, sizeof hf_path, "%s/tiny-whisper", argc > 1 ? argv[1] : ".");
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(loads_and_tells_about_itself),
    cmocka_unit_test(stops_a_load),
    cmocka_unit_test(hears_nothing_in_little_or_silence),
    cmocka_unit_test(refuses_options),
    cmocka_unit_test(passes_on_what_the_source_says),
    cmocka_unit_test(stops_and_serves_again),
    cmocka_unit_test(refuses_damaged_files),
    cmocka_unit_test(refuses_a_type_for_a_file),
    cmocka_unit_test(makes_mel_filters),
    cmocka_unit_test(takes_prompts_of_any_length),
    cmocka_unit_test(loads_the_built_in_model),
    cmocka_unit_test(refuses_directories_by_name),
    cmocka_unit_test(quantises_while_it_loads),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("engine/whisper", tests, set_up, tear_down);
}
