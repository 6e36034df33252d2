/* A Stable Diffusion model: opened (everything checked, nothing allocated but what describes it), then loaded. */
#ifndef AL_ENGINE_DIFFUSION_MODEL_H
#define AL_ENGINE_DIFFUSION_MODEL_H

#include "engine/diffusion/config.h"
#include "engine/diffusion/text_encoder.h"
#include "engine/diffusion/unet.h"
#include "engine/diffusion/vae.h"

struct al_clip_tokenizer;

struct al_sd_options {
  const char *quant; /* "": types as in the files; "f32", "f16", "q8_0", "q4_0", ... */
  int n_threads;     /* 0: the usable cores */
  bool with_gpu;
};

struct al_sd_model { /* read by the folder's own code alone */
  struct al_sd_config config;
  struct al_sd_files *files;
  struct al_sd_weights *weights;
  struct al_sd_compute *compute;
  struct al_clip_tokenizer *tokenizers[2];
  size_t n_unet_weights;
  struct al_sd_tiling tiling;
  struct al_sd_unet unet;
  struct al_sd_vae vae;
  struct al_sd_text text[2];
};

/* path: a Diffusers directory, or a checkpoint. Every tensor is there and has its shape when this returns AL_OK. */
enum al_code al_sd_model_open(const char *path, const struct al_sd_options *options, struct al_sd_model **model,
                              struct al_err *err);
/* Allocates and reads the weights. */
enum al_code al_sd_model_load(struct al_sd_model *model, al_sd_progress_fn *progress, void *user, struct al_err *err);
void al_sd_model_free(struct al_sd_model *model); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_sd_model, al_sd_model_free)

struct al_sd_memory {
  uint64_t weights_bytes; /* on the device when there is one, otherwise RAM */
  uint64_t compute_ram_bytes, compute_vram_bytes;
};

/* What loading and then drawing pictures of that size (in pixels) takes, before anything is allocated. */
enum al_code al_sd_model_measure(struct al_sd_model *model, int width, int height, struct al_sd_memory *memory,
                                 struct al_err *err);

#endif
