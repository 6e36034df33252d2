#include "engine/diffusion/model.h"

#include "base/alloc.h"
#include "engine/diffusion/clip_tokenizer.h"
#include "engine/diffusion/config_single.h"
#include "os/file.h"

#include <stdio.h>

/* In latents a side: up to 768 pixels a picture goes through the VAE whole. */
constexpr int64_t TILE = 96;
constexpr int64_t TILE_OVERLAP = 16;

static bool wants_full(const char *quant)
{
  return al_streq(quant, "f32");
}

static enum al_code open_files(const char *path, const char *quant, struct al_sd_model *model, struct al_err *err)
{
  struct al_file_info info;
  AL_TRY(al_file_stat(path, &info, err));
  if (!info.is_directory) {
    AL_TRY(al_sd_files_open_single(path, &model->files, err));
    return al_sd_config_guess(model->files, &model->config, err);
  }
  AL_TRY(al_sd_config_read(path, &model->config, err));
  return al_sd_files_open_directory(path, model->config.n_texts, !wants_full(quant), &model->files, err);
}

static enum al_code want_all(struct al_sd_model *model, const char *quant, struct al_err *err)
{
  const struct al_sd_config *config = &model->config;
  struct al_sd_naming naming = { .is_single = al_sd_files_is_single(model->files),
                                 .is_xl = config->n_texts == 2,
                                 .n_layers = config->unet.n_layers,
                                 .n_vae_levels = config->vae.n_levels };
  AL_TRY(al_sd_weights_new(model->files, &naming, quant, &model->weights, err));
  al_sd_unet_want(&model->unet, &config->unet, model->weights);
  model->n_unet_weights = al_sd_weights_count(model->weights);
  al_sd_vae_want(&model->vae, &config->vae, model->weights);
  for (int i = 0; i < config->n_texts; i++)
    al_sd_text_want(&model->text[i], &config->text[i], i == 0 ? AL_SD_TEXT : AL_SD_TEXT_2, model->weights);
  return al_sd_weights_check(model->weights, err);
}

/* The vocabulary stands in the directory; for a checkpoint beside it, as no checkpoint has one. */
static enum al_code open_tokenizers(const char *path, struct al_sd_model *model, struct al_err *err)
{
  static const char *const folders[] = { "tokenizer", "tokenizer_2" };
  char beside[4096];
  if (al_sd_files_is_single(model->files)) {
    size_t length = (size_t)(al_path_last(path) - path);
    if (snprintf(beside, sizeof beside, "%.*s", (int)length, length > 0 ? path : "") >= (int)sizeof beside)
      return al_fail(err, AL_INVALID_REQUEST, "the path of the checkpoint is too long");
    path = length > 0 ? beside : ".";
  }
  for (int i = 0; i < model->config.n_texts; i++) {
    AL_TRY(al_clip_tokenizer_open(path, folders[i], &model->tokenizers[i], err));
    if (al_clip_tokenizer_n_vocab(model->tokenizers[i]) > model->config.text[i].n_vocab)
      return al_fail(err, AL_MODEL_CORRUPT, "%s knows %d tokens, but its text encoder only %d", folders[i],
                     al_clip_tokenizer_n_vocab(model->tokenizers[i]), model->config.text[i].n_vocab);
  }
  return AL_OK;
}

enum al_code al_sd_model_open(const char *path, const struct al_sd_options *options, struct al_sd_model **model,
                              struct al_err *err)
{
  AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->tiling = (struct al_sd_tiling){ TILE, TILE_OVERLAP };
  AL_TRY(open_files(path, options->quant, made, err));
  AL_TRY(want_all(made, options->quant, err));
  AL_TRY(open_tokenizers(path, made, err));
  AL_TRY(al_sd_compute_new(options->n_threads, options->with_gpu, &made->compute, err));
  *model = AL_TAKE(made);
  return AL_OK;
}

enum al_code al_sd_model_load(struct al_sd_model *model, al_sd_progress_fn *progress, void *user, struct al_err *err)
{
  return al_sd_weights_load(model->weights, al_sd_compute_weights_type(model->compute), progress, user, err);
}

static enum al_code measure_unet(struct al_sd_model *model, int64_t width, int64_t height, struct al_sd_memory *memory,
                                 struct al_err *err)
{
  AL_CLEANUP(al_free_p) struct al_sd_unet_input *in = al_calloc(1, sizeof *in);
  if (in == nullptr)
    return al_fail_oom(err, sizeof *in);
  *in = (struct al_sd_unet_input){ .width = width, .height = height, .n_batch = 2, .unet = &model->unet };
  in->n_tokens = model->config.text[0].n_positions;
  struct al_sd_run run = { al_sd_unet_build, in, model->n_unet_weights };
  return al_sd_compute_measure(model->compute, &run, &memory->compute_ram_bytes, &memory->compute_vram_bytes, err);
}

static enum al_code measure_vae(struct al_sd_model *model, int64_t width, int64_t height, struct al_sd_memory *memory,
                                struct al_err *err)
{
  int64_t tile = model->tiling.tile;
  struct al_sd_vae_job job = { .vae = &model->vae, .decodes = true, .width = width, .height = height };
  if (tile > 0 && (width > tile || height > tile)) {
    job.width = width < tile ? width : tile;
    job.height = height < tile ? height : tile;
  }
  struct al_sd_run run = { al_sd_vae_build, &job, job.vae->n_weights };
  uint64_t ram, vram;
  AL_TRY(al_sd_compute_measure(model->compute, &run, &ram, &vram, err));
  memory->compute_ram_bytes = ram > memory->compute_ram_bytes ? ram : memory->compute_ram_bytes;
  memory->compute_vram_bytes = vram > memory->compute_vram_bytes ? vram : memory->compute_vram_bytes;
  return AL_OK;
}

enum al_code al_sd_model_measure(struct al_sd_model *model, int width, int height, struct al_sd_memory *memory,
                                 struct al_err *err)
{
  int factor = al_sd_vae_factor(&model->config.vae);
  struct al_sd_memory made = { .weights_bytes = al_sd_weights_size_bytes(model->weights,
                                                                         al_sd_compute_weights_type(model->compute)) };
  AL_TRY(al_sd_weights_pretend(model->weights, al_sd_compute_weights_type(model->compute), err));
  AL_TRY(measure_unet(model, width / factor, height / factor, &made, err));
  AL_TRY(measure_vae(model, width / factor, height / factor, &made, err));
  *memory = made;
  return AL_OK;
}

void al_sd_model_free(struct al_sd_model *model)
{
  if (model == nullptr)
    return;
  al_sd_weights_free(model->weights);
  al_sd_compute_free(model->compute);
  al_sd_files_close(model->files);
  al_clip_tokenizer_free(model->tokenizers[0]);
  al_clip_tokenizer_free(model->tokenizers[1]);
  al_free(model);
}
