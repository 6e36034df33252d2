#include "engine/whisper/model.h"
#include "engine/whisper/whisper_engine.h"

#include "base/alloc.h"
#include "engine/preflight.h"
#include "os/file.h"
#include "os/machine.h"

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  if (al_streq(descriptor->architecture, "parakeet"))
    return al_fail(err, AL_UNSUPPORTED, "it is a Parakeet model, which libwhisper does not run");
  if (descriptor->format == AL_FORMAT_GGML && descriptor->n_files == 1)
    return AL_OK;
  if (descriptor->format == AL_FORMAT_SAFETENSORS &&
      (descriptor->architecture == nullptr || descriptor->architecture[0] == '\0' ||
       al_streq(descriptor->architecture, "WhisperForConditionalGeneration")))
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "libwhisper runs files of whisper.cpp and WhisperForConditionalGeneration");
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(supports(descriptor, err));
  return al_preflight_run(&al_engine_whisper, descriptor, options, out, err);
}

/* In the preflight child. */
static enum al_code preflight(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                              struct al_memory_estimate *out, struct al_err *err)
{
  AL_CLEANUP(al_whisper_stream_close) struct al_whisper_stream stream = { .fd = -1 };
  AL_TRY(al_whisper_stream_open(descriptor, options, &stream, err));
  AL_TRY(al_whisper_backend_start(err));
  return al_whisper_measure(&stream, options, out, err);
}

static void unload(struct al_engine_model *model)
{
  if (model == nullptr)
    return;
  if (model->state != nullptr)
    whisper_free_state(model->state);
  whisper_free(model->context);
  al_free(model);
}
AL_DEFINE_CLEANUP(struct al_engine_model, unload)

static enum al_code new_model(const struct al_whisper_stream *stream, const struct al_load_options *options,
                              struct al_engine_model **out, struct al_err *err)
{
  struct al_engine_model *model = al_calloc(1, sizeof *model);
  if (model == nullptr)
    return al_fail_oom(err, sizeof *model);
  model->sizes = stream->sizes;
  model->suppresses_blank = stream->has_space_token;
  model->n_threads = options->n_threads > 0 ? options->n_threads : al_machine_n_cores();
  *out = model;
  return AL_OK;
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **out, struct al_err *err)
{
  struct al_memory_estimate decided;
  AL_TRY(estimate(descriptor, options, &decided, err));
  AL_CLEANUP(al_whisper_stream_close) struct al_whisper_stream stream = { .fd = -1 };
  AL_TRY(al_whisper_stream_open(descriptor, options, &stream, err));
  AL_TRY(al_whisper_backend_start(err));
  AL_CLEANUP(unload_p) struct al_engine_model *model = nullptr;
  AL_TRY(new_model(&stream, options, &model, err));
  stream.n_threads = model->n_threads;
  struct whisper_context_params params = al_whisper_context_params(options->n_gpu_layers);
  AL_TRY(al_whisper_load_stream(&stream, params, progress, user, &model->context, err));
  model->state = al_whisper_state_new(model->context, &model->stop);
  if (model->state == nullptr)
    return al_fail(err, params.use_gpu ? AL_OOM_VRAM : AL_OOM_RAM, "there is no room for the buffers to run it");
  model->memory_bytes =
      decided.weights_ram_bytes + decided.kv_ram_bytes + decided.compute_ram_bytes + decided.vram_bytes;
  *out = AL_TAKE(model);
  return AL_OK;
}

const struct al_engine al_engine_whisper = {
  .runtime = "whisper_cpp",
  .formats = 1U << AL_FORMAT_GGML | 1U << AL_FORMAT_SAFETENSORS,
  .capabilities = AL_CAN_TRANSCRIBE,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
  .transcribe = &al_whisper_transcribe_ops,
  .preflight = preflight,
};
