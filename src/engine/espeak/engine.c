#include "engine/espeak/espeak_engine.h"

#include "base/alloc.h"
#include "engine/espeak/library.h"
#include "engine/espeak/speak.h"
#include "engine/espeak/voices.h"

#include <stdatomic.h>

/* Phonemes, and the largest dictionary (Russian's 8 MB), read into memory. */
constexpr uint64_t MEMORY_BYTES = (uint64_t)16 << 20;

struct al_engine_model {
  struct al_espeak_voices *voices;
  int sample_rate;    /* as the library says; 0: it is not initialised */
  bool needs_restart; /* the last speech was broken off */
};

/* The library's variables are the process's: whoever has set this flag owns them. */
static atomic_flag is_loaded = ATOMIC_FLAG_INIT;

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  if (descriptor->format != AL_FORMAT_NONE || descriptor->type != AL_TYPE_TTS)
    return al_fail(err, AL_UNSUPPORTED, "eSpeak NG speaks as the built-in voice alone");
  return AL_OK;
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *result, struct al_err *err)
{
  (void)options;
  AL_TRY(supports(descriptor, err));
  *result = (struct al_memory_estimate){ .weights_ram_bytes = MEMORY_BYTES };
  return AL_OK;
}

static enum al_code start(struct al_engine_model *model, struct al_err *err)
{
  AL_TRY(al_espeak_library_open(err));
  int rate = al_espeak.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, nullptr, espeakINITIALIZE_DONT_EXIT);
  if (rate <= 0) {
    const char *path = nullptr;
    (void)al_espeak.espeak_Info(&path);
    return al_fail(err, AL_NOT_FOUND,
                   "eSpeak NG's data cannot be read (%.200s): install the package espeak-ng-data, or set "
                   "ESPEAK_DATA_PATH to the directory that holds espeak-ng-data",
                   path != nullptr ? path : "no path");
  }
  model->sample_rate = rate;
  model->needs_restart = false;
  al_espeak_speak_setup();
  return AL_OK;
}

static void stop(struct al_engine_model *model)
{
  if (model->sample_rate > 0)
    (void)al_espeak.espeak_Terminate();
  model->sample_rate = 0;
}

static void unload(struct al_engine_model *model)
{
  if (model == nullptr)
    return;
  stop(model);
  al_espeak_voices_free(model->voices);
  al_free(model);
  atomic_flag_clear(&is_loaded);
}
AL_DEFINE_CLEANUP(struct al_engine_model, unload)

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **model, struct al_err *err)
{
  (void)options;
  AL_TRY(supports(descriptor, err));
  if (progress != nullptr && !progress(user, 0))
    return al_fail(err, AL_CANCELLED, "the load was stopped");
  if (atomic_flag_test_and_set(&is_loaded))
    return al_fail(err, AL_LOAD_FAILED, "eSpeak NG is loaded already; a process can have it once");
  AL_CLEANUP(unload_p) struct al_engine_model *made = al_calloc(1, sizeof *made);
  if (made == nullptr) {
    atomic_flag_clear(&is_loaded);
    return al_fail_oom(err, sizeof *made);
  }
  AL_TRY(start(made, err));
  AL_TRY(al_espeak_voices_new(&made->voices, err));
  if (progress != nullptr && !progress(user, 1))
    return al_fail(err, AL_CANCELLED, "the load was stopped");
  *model = AL_TAKE(made);
  return AL_OK;
}

static void info(const struct al_engine_model *model, struct al_speak_info *result)
{
  *result = (struct al_speak_info){
    .sample_rate = model->sample_rate,
    .n_voices = al_espeak_voices_count(model->voices),
    .memory_bytes = MEMORY_BYTES,
  };
}

static bool voice(const struct al_engine_model *model, size_t index, struct al_voice *result)
{
  return al_espeak_voices_get(model->voices, index, result);
}

static enum al_code check_voice(const struct al_engine_model *model, const char *name, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  return al_espeak_voices_find(model->voices, name, &file, err);
}

static enum al_code check_speed(double speed, struct al_err *err)
{
  if (speed >= AL_ESPEAK_MIN_SPEED && speed <= AL_ESPEAK_MAX_SPEED)
    return AL_OK;
  return al_fail_param(err, "speed", "the speed must be between %g and %g", AL_ESPEAK_MIN_SPEED, AL_ESPEAK_MAX_SPEED);
}

static enum al_code speak(struct al_engine_model *model, struct al_str text, const struct al_speak_options *options,
                          al_speak_sink_fn *sink, void *user, const struct al_cancel *stop_token, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  AL_TRY(al_espeak_voices_find(model->voices, options->voice, &file, err));
  AL_TRY(check_speed(options->speed, err));
  if (model->needs_restart) {
    stop(model);
    AL_TRY(start(model, err));
  }
  const struct al_espeak_job job = {
    .voice = file.data,
    .speed = options->speed,
    .sample_rate = model->sample_rate,
    .sink = sink,
    .user = user,
    .stop = stop_token,
  };
  model->needs_restart = true;
  AL_TRY(al_espeak_speak(&job, text, err));
  model->needs_restart = false;
  return AL_OK;
}

static const struct al_speak_ops speak_ops = {
  .info = info,
  .voice = voice,
  .check_voice = check_voice,
  .speak = speak,
};

const struct al_engine al_engine_espeak = {
  .runtime = "espeak_ng",
  .formats = 1U << AL_FORMAT_NONE,
  .capabilities = AL_CAN_SPEAK,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
  .speak = &speak_ops,
};
