#include "engine/whisper/parakeet_engine.h"

#include "base/alloc.h"
#include "engine/preflight.h"
#include "engine/whisper/parakeet_model.h"
#include "os/machine.h"

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  if (descriptor->format == AL_FORMAT_GGML && descriptor->n_files == 1 &&
      al_streq(descriptor->architecture, "parakeet"))
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "libparakeet runs ggml files of Parakeet");
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(supports(descriptor, err));
  if (options->quant[0] != '\0')
    return al_fail_param(err, "quant", "a Parakeet file is run as it is, not as \"%s\"", options->quant);
  return al_preflight_run(&al_engine_parakeet, descriptor, options, out, err);
}

static enum al_code open_file(const struct al_model_descriptor *descriptor, struct al_parakeet_source *source,
                              struct al_err *err)
{
  AL_TRY(al_parakeet_source_open(descriptor->files[0], source, err));
  return al_parakeet_backend_start(err);
}

/* In the preflight child. */
static enum al_code preflight(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                              struct al_memory_estimate *out, struct al_err *err)
{
  AL_CLEANUP(al_parakeet_source_close) struct al_parakeet_source source = { .fd = -1 };
  AL_TRY(open_file(descriptor, &source, err));
  return al_parakeet_measure(&source.sizes, al_parakeet_context_params(options->n_gpu_layers), out, err);
}

static void unload(struct al_engine_model *model)
{
  if (model == nullptr)
    return;
  parakeet_free_state(model->state);
  parakeet_free(model->context);
  al_free(model);
}
AL_DEFINE_CLEANUP(struct al_engine_model, unload)

static enum al_code make_state(struct al_engine_model *model, bool use_gpu, struct al_err *err)
{
  al_whisper_stop_new_backends(&model->stop);
  model->state = parakeet_init_state(model->context);
  al_whisper_stop_new_backends(nullptr);
  if (model->state == nullptr)
    return al_fail(err, use_gpu ? AL_OOM_VRAM : AL_OOM_RAM, "there is no room for the buffers to run it");
  return AL_OK;
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **out, struct al_err *err)
{
  struct al_memory_estimate decided;
  AL_TRY(estimate(descriptor, options, &decided, err));
  AL_CLEANUP(al_parakeet_source_close) struct al_parakeet_source source = { .fd = -1 };
  AL_TRY(open_file(descriptor, &source, err));
  AL_CLEANUP(unload_p) struct al_engine_model *model = al_calloc(1, sizeof *model);
  if (model == nullptr)
    return al_fail_oom(err, sizeof *model);
  model->sizes = source.sizes;
  model->n_threads = options->n_threads > 0 ? options->n_threads : al_machine_n_cores();
  struct parakeet_context_params params = al_parakeet_context_params(options->n_gpu_layers);
  AL_TRY(al_parakeet_load(&source, params, progress, user, &model->context, err));
  AL_TRY(make_state(model, params.use_gpu, err));
  model->memory_bytes =
      decided.weights_ram_bytes + decided.kv_ram_bytes + decided.compute_ram_bytes + decided.vram_bytes;
  *out = AL_TAKE(model);
  return AL_OK;
}

const struct al_engine al_engine_parakeet = {
  .runtime = "parakeet_cpp",
  .formats = 1U << AL_FORMAT_GGML,
  .capabilities = AL_CAN_TRANSCRIBE,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
  .transcribe = &al_parakeet_transcribe_ops,
  .preflight = preflight,
};
