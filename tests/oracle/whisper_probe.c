/* The whisper engine for the oracle tests.
 *   whisper-probe stream MODEL QUANT OUT           the model as a file of whisper.cpp
 *   whisper-probe filters N_MELS                   the mel filters, as floats on standard output
 *   whisper-probe logits MODEL QUANT AUDIO TOKEN...  float[tokens][n_vocab] on standard output
 *   whisper-probe transcribe MODEL QUANT AUDIO [key=value]...  JSON: segments, words, seconds, memory
 *   whisper-probe check MODEL                      the engine's opinion of it, as a line
 * MODEL: a .bin file (Parakeet's when its name says so) or a directory. AUDIO: raw 32-bit floats at 16 kHz. */
#include "engine/preflight.h"
#include "engine/whisper/mel.h"
#include "engine/whisper/model.h"
#include "engine/whisper/parakeet_engine.h"
#include "engine/whisper/whisper_engine.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "codec/json.h"
#include "os/file.h"
#include "os/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct al_engine *engine = &al_engine_whisper;

[[noreturn]] static void die(const struct al_err *err)
{
  (void)fprintf(stderr, "%s: %s\n", al_code_name(err->code), err->message);
  exit(1);
}

static int number(const char *text)
{
  return (int)strtol(text, nullptr, 10);
}

static struct al_model_descriptor describe(char **path)
{
  struct al_file_info info = {};
  struct al_err err = {};
  if (al_file_stat(*path, &info, &err) != AL_OK)
    die(&err);
  static char id[] = "probe", none[] = "", parakeet[] = "parakeet";
  struct al_model_descriptor descriptor = { .id = id, .directory = *path, .architecture = none };
  if (strstr(al_path_last(*path), parakeet) != nullptr) {
    descriptor.architecture = parakeet;
    engine = &al_engine_parakeet;
  }
  descriptor.format = info.is_directory ? AL_FORMAT_SAFETENSORS : AL_FORMAT_GGML;
  if (!info.is_directory) {
    descriptor.files = path;
    descriptor.n_files = 1;
  }
  return descriptor;
}

static struct al_load_options load_options(const char *quant)
{
  struct al_load_options options = { .n_gpu_layers = 0 };
  (void)snprintf(options.quant, sizeof options.quant, "%s", quant);
  return options;
}

static void open_stream(char **path, const char *quant, struct al_whisper_stream *stream)
{
  struct al_err err = {};
  struct al_model_descriptor descriptor = describe(path);
  struct al_load_options options = load_options(quant);
  if (al_whisper_stream_open(&descriptor, &options, stream, &err) != AL_OK)
    die(&err);
  stream->n_threads = al_machine_n_cores();
}

static int write_stream(char **path, const char *quant, const char *out)
{
  struct al_whisper_stream stream = { .fd = -1 };
  struct al_err err = {};
  open_stream(path, quant, &stream);
  FILE *file = fopen(out, "wb");
  /* An odd size, so that reads end anywhere. */
  static char bytes[100'003];
  while (file != nullptr && stream.position < stream.size_bytes) {
    uint64_t left = stream.size_bytes - stream.position;
    size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
    if (al_whisper_stream_read(&stream, bytes, n, &err) != AL_OK)
      die(&err);
    if (fwrite(bytes, 1, n, file) != n)
      return 1;
  }
  al_whisper_stream_close(&stream);
  return file != nullptr && fclose(file) == 0 ? 0 : 1;
}

static int write_filters(int n_mels)
{
  static float filters[256 * AL_WHISPER_N_BINS];
  if (n_mels < 1 || n_mels > 256)
    return 2;
  al_whisper_mel_filters(n_mels, filters);
  return fwrite(filters, sizeof(float), (size_t)(n_mels * AL_WHISPER_N_BINS), stdout) > 0 ? 0 : 1;
}

static void read_audio(const char *path, struct al_buf *audio)
{
  struct al_err err = {};
  al_buf_init(audio, (size_t)2 << 30);
  if (al_file_read(path, (size_t)1 << 30, audio, &err) != AL_OK)
    die(&err);
}

static int write_logits(char **path, const char *quant, const char *audio_path, int n_tokens, char **tokens)
{
  struct al_whisper_stream stream = { .fd = -1 };
  struct al_err err = {};
  open_stream(path, quant, &stream);
  struct whisper_context *context = nullptr;
  struct al_whisper_stop stop = {};
  struct whisper_context_params params = al_whisper_context_params(0);
  /* With it the library pads the keys with zeros, and attends to them too: no other implementation does. */
  params.flash_attn = false;
  if (al_whisper_backend_start(&err) != AL_OK ||
      al_whisper_load_stream(&stream, params, nullptr, nullptr, &context, &err) != AL_OK)
    die(&err);
  al_whisper_stream_close(&stream);
  struct whisper_state *state = al_whisper_state_new(context, &stop);
  AL_CLEANUP(al_buf_done) struct al_buf audio = {};
  read_audio(audio_path, &audio);
  const float *samples = (const float *)(const void *)audio.data;
  int n_threads = al_machine_n_cores();
  if (state == nullptr ||
      whisper_pcm_to_mel_with_state(context, state, samples, (int)(audio.size / sizeof(float)), n_threads) != 0 ||
      whisper_encode_with_state(context, state, 0, n_threads) != 0)
    return 1;
  size_t n_vocab = (size_t)whisper_n_vocab(context);
  for (int i = 0; i < n_tokens; i++) {
    whisper_token token = number(tokens[i]);
    if (whisper_decode_with_state(context, state, &token, 1, i, n_threads) != 0)
      return 1;
    (void)fwrite(whisper_get_logits_from_state(state), sizeof(float), n_vocab, stdout);
  }
  whisper_free_state(state);
  whisper_free(context);
  return 0;
}

struct listener {
  struct al_json_writer *w;
  const float *samples;
  size_t n, at;
  int64_t stop_after_ns; /* 0: never */
  int64_t start_ns, fired_ns;
  struct al_cancel *cancel;
};

static enum al_code read_samples(void *user, float *samples, size_t capacity, size_t *n, struct al_err *)
{
  struct listener *l = user;
  *n = al_min_size(capacity, l->n - l->at);
  memcpy(samples, l->samples + l->at, *n * sizeof *samples);
  l->at += *n;
  return AL_OK;
}

static void write_words(struct al_json_writer *w, const struct al_speech_segment *s)
{
  al_jw_key(w, "words");
  al_jw_array(w);
  for (size_t i = 0; i < s->n_words; i++) {
    al_jw_object(w);
    al_jw_kv_str_n(w, "text", s->words[i].text);
    al_jw_kv_real(w, "start", s->words[i].start_s);
    al_jw_kv_real(w, "end", s->words[i].end_s);
    al_jw_kv_real(w, "p", (double)s->words[i].probability);
    al_jw_end(w);
  }
  al_jw_end(w);
}

static bool on_segment(void *user, const struct al_speech_segment *s)
{
  struct al_json_writer *w = ((struct listener *)user)->w;
  al_jw_object(w);
  al_jw_kv_int(w, "id", s->id);
  al_jw_kv_real(w, "start", s->start_s);
  al_jw_kv_real(w, "end", s->end_s);
  al_jw_kv_str_n(w, "text", s->text);
  al_jw_kv_real(w, "temperature", (double)s->temperature);
  al_jw_kv_real(w, "avg_logprob", (double)s->avg_logprob);
  al_jw_kv_real(w, "compression_ratio", (double)s->compression_ratio);
  al_jw_kv_real(w, "no_speech_prob", (double)s->no_speech_prob);
  al_jw_key(w, "tokens");
  al_jw_array(w);
  for (size_t i = 0; i < s->n_tokens; i++)
    al_jw_int(w, s->tokens[i]);
  al_jw_end(w);
  write_words(w, s);
  al_jw_end(w);
  return true;
}

static void stop_later(void *user)
{
  struct listener *l = user;
  while (al_now_ns() - l->start_ns < l->stop_after_ns)
    (void)usleep(1000);
  l->fired_ns = al_now_ns();
  al_cancel_fire(l->cancel, AL_CANCELLED);
}

/* "key=value" into the options; what is not one of theirs is the probe's own. */
static void take_option(const char *text, struct al_transcribe_options *o, struct listener *l)
{
  const char *value = strchr(text, '=');
  struct al_str key = al_str_n(text, value != nullptr ? (size_t)(value - text) : 0);
  if (value == nullptr)
    exit(2);
  value++;
  if (al_str_is(key, "language"))
    o->language = value;
  else if (al_str_is(key, "prompt"))
    o->prompt = value;
  else if (al_str_is(key, "translate"))
    o->translate = number(value) != 0;
  else if (al_str_is(key, "words"))
    o->wants_words = number(value) != 0;
  else if (al_str_is(key, "without_timestamps"))
    o->without_timestamps = number(value) != 0;
  else if (al_str_is(key, "beams"))
    o->n_beams = number(value);
  else if (al_str_is(key, "threads"))
    o->n_threads = number(value);
  else if (al_str_is(key, "temperature"))
    o->temperature = strtof(value, nullptr);
  else if (al_str_is(key, "step"))
    o->temperature_step = strtof(value, nullptr);
  else if (al_str_is(key, "stop_after_ms"))
    l->stop_after_ns = number(value) * AL_NS_PER_MS;
  else
    exit(2);
}

static double ms_since(int64_t start_ns)
{
  return (double)(al_now_ns() - start_ns) / 1e6;
}

static double mb(uint64_t bytes)
{
  return (double)bytes / 1e6;
}

static struct al_engine_model *load(char **path, const char *quant, struct al_json_writer *w)
{
  struct al_model_descriptor descriptor = describe(path);
  struct al_load_options options = load_options(quant);
  struct al_memory_estimate estimate = {};
  struct al_err err = {};
  struct al_engine_model *model = nullptr;
  if (engine->estimate(&descriptor, &options, &estimate, &err) != AL_OK)
    die(&err);
  int64_t start = al_now_ns();
  if (engine->load(&descriptor, &options, nullptr, nullptr, &model, &err) != AL_OK)
    die(&err);
  al_jw_kv_real(w, "load_ms", ms_since(start));
  al_jw_kv_real(w, "estimate_weights_mb", mb(estimate.weights_ram_bytes));
  al_jw_kv_real(w, "estimate_kv_mb", mb(estimate.kv_ram_bytes));
  al_jw_kv_real(w, "estimate_compute_mb", mb(estimate.compute_ram_bytes));
  al_jw_kv_real(w, "rss_loaded_mb", mb(al_process_rss_bytes(getpid())));
  return model;
}

static int transcribe(char **path, const char *quant, const char *audio_path, int n_options, char **texts)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  AL_CLEANUP(al_buf_done) struct al_buf audio = {};
  struct al_json_writer w = al_json_writer(&out);
  al_jw_object(&w);
  al_jw_kv_real(&w, "rss_before_mb", mb(al_process_rss_bytes(getpid())));
  struct al_engine_model *model = load(path, quant, &w);
  read_audio(audio_path, &audio);
  struct al_transcribe_options options = { .language = "", .prompt = "" };
  struct listener l = { .w = &w,
                        .samples = (const float *)(const void *)audio.data,
                        .n = audio.size / sizeof(float),
                        .cancel = al_cancel_new() };
  for (int i = 0; i < n_options; i++)
    take_option(texts[i], &options, &l);
  struct al_pcm_source source = { read_samples, &l, 0 };
  struct al_transcribe_sink sink = { .segment = on_segment, .user = &l };
  struct al_transcribe_result result = {};
  struct al_err err = {};
  al_jw_key(&w, "segments");
  al_jw_array(&w);
  struct al_thread stopper = {};
  l.start_ns = al_now_ns();
  if (l.stop_after_ns > 0 && al_thread_start(&stopper, "stop", stop_later, &l, &err) != AL_OK)
    die(&err);
  enum al_code code = engine->transcribe->transcribe(model, &options, &source, &sink, l.cancel, &result, &err);
  int64_t end = al_now_ns();
  al_thread_join(&stopper);
  al_jw_end(&w);
  al_jw_kv_str(&w, "code", al_code_name(code));
  al_jw_kv_str(&w, "message", err.message);
  al_jw_kv_str(&w, "language", result.language);
  al_jw_kv_real(&w, "duration_s", result.duration_s);
  al_jw_kv_int(&w, "n_tokens", result.n_tokens);
  al_jw_kv_real(&w, "seconds", (double)(end - l.start_ns) / 1e9);
  if (l.stop_after_ns > 0)
    al_jw_kv_real(&w, "stop_ms", (double)(end - l.fired_ns) / 1e6);
  al_jw_kv_real(&w, "rss_after_mb", mb(al_process_rss_bytes(getpid())));
  engine->unload(model);
  al_cancel_unref(l.cancel);
  al_jw_end(&w);
  (void)puts(out.data);
  return 0;
}

static int check(char **path)
{
  struct al_model_descriptor descriptor = describe(path);
  struct al_load_options options = {};
  struct al_memory_estimate estimate = {};
  struct al_err err = {};
  enum al_code code = engine->estimate(&descriptor, &options, &estimate, &err);
  (void)printf("%s %s\n", al_code_name(code), err.message);
  return 0;
}

int main(int argc, char **argv)
{
  static const struct al_engine *const engines[] = { &al_engine_whisper, &al_engine_parakeet };
  const struct al_engine_registry registry = { engines, AL_COUNT(engines) };
  if (argc == 3 && al_streq(argv[1], "--preflight"))
    return al_preflight_main(&registry, argc, argv);
  al_preflight_set_program("/proc/self/exe");
  if (argc == 5 && al_streq(argv[1], "stream"))
    return write_stream(&argv[2], argv[3], argv[4]);
  if (argc == 3 && al_streq(argv[1], "filters"))
    return write_filters(number(argv[2]));
  if (argc >= 6 && al_streq(argv[1], "logits"))
    return write_logits(&argv[2], argv[3], argv[4], argc - 5, argv + 5);
  if (argc >= 5 && al_streq(argv[1], "transcribe"))
    return transcribe(&argv[2], argv[3], argv[4], argc - 5, argv + 5);
  if (argc == 3 && al_streq(argv[1], "check"))
    return check(&argv[2]);
  return 2;
}
