#include "base/alloc.h"
#include "engine/diffusion/diffusion_engine.h"
#include "engine/diffusion/draw.h"
#include "engine/preflight.h"
#include "os/file.h"

#include <limits.h>

/* The model's object of the engine interface is ours by another name. */
static struct al_sd_model *model_of(struct al_engine_model *model)
{
  return (struct al_sd_model *)model;
}

static const struct al_sd_model *const_model_of(const struct al_engine_model *model)
{
  return (const struct al_sd_model *)model;
}

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  if (descriptor->type != AL_TYPE_IMAGE)
    return al_fail(err, AL_UNSUPPORTED, "no image model");
  return al_sd_config_knows(descriptor->architecture, err);
}

/* A pipeline is a directory; anything else is a checkpoint, one file. */
static const char *path_of(const struct al_model_descriptor *descriptor)
{
  char index[PATH_MAX];
  struct al_file_info info;
  bool is_pipeline = descriptor->n_files != 1 ||
                     (al_path_join(index, sizeof index, descriptor->directory, "model_index.json", nullptr) == AL_OK &&
                      al_file_stat(index, &info, nullptr) == AL_OK);
  return is_pipeline ? descriptor->directory : descriptor->files[0];
}

static enum al_code open_model(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                               struct al_sd_model **model, struct al_err *err)
{
  struct al_sd_options wanted = { .quant = options->quant,
                                  .n_threads = options->n_threads,
                                  .with_gpu = options->n_gpu_layers != 0 };
  return al_sd_model_open(path_of(descriptor), &wanted, model, err);
}

static enum al_code preflight(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                              struct al_memory_estimate *estimate, struct al_err *err)
{
  AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *model = nullptr;
  AL_TRY(open_model(descriptor, options, &model, err));
  struct al_draw_info info;
  struct al_sd_memory memory;
  al_sd_draw_info(model, &info);
  AL_TRY(al_sd_model_measure(model, info.width, info.height, &memory, err));
  bool on_gpu = al_sd_compute_has_gpu(model->compute);
  *estimate = (struct al_memory_estimate){
    .weights_ram_bytes = on_gpu ? 0 : memory.weights_bytes,
    .compute_ram_bytes = memory.compute_ram_bytes,
    .vram_bytes = memory.compute_vram_bytes + (on_gpu ? memory.weights_bytes : 0),
  };
  return AL_OK;
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(supports(descriptor, err));
  return al_preflight_run(&al_engine_diffusion, descriptor, options, out, err);
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **model, struct al_err *err)
{
  AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *made = nullptr;
  AL_TRY(open_model(descriptor, options, &made, err));
  AL_TRY(al_sd_model_load(made, progress, user, err));
  *model = (struct al_engine_model *)AL_TAKE(made);
  return AL_OK;
}

static void unload(struct al_engine_model *model)
{
  al_sd_model_free(model_of(model));
}

static void info(const struct al_engine_model *model, struct al_draw_info *out)
{
  al_sd_draw_info(const_model_of(model), out);
}

static enum al_code check(const struct al_engine_model *model, const struct al_draw_request *request,
                          struct al_err *err)
{
  return al_sd_draw_check(const_model_of(model), request, err);
}

static enum al_code draw(struct al_engine_model *model, const struct al_draw_request *request,
                         const struct al_draw_sink *sink, const struct al_cancel *stop, struct al_err *err)
{
  return al_sd_draw(model_of(model), request, sink, stop, err);
}

static const struct al_draw_ops draw_ops = { .info = info, .check = check, .draw = draw };

const struct al_engine al_engine_diffusion = {
  .runtime = "diffusion",
  .formats = 1U << AL_FORMAT_SAFETENSORS | 1U << AL_FORMAT_GGUF,
  .capabilities = AL_CAN_DRAW,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
  .draw = &draw_ops,
  .preflight = preflight,
};
