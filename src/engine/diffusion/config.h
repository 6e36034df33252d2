/* What a Stable Diffusion model is made of: the numbers in a Diffusers directory's config files, or what a single
 * checkpoint's shapes say. Everything is bounded and consistent once it is here (heads divide channels, groups divide
 * channels, ...); what a file asks for beyond this is refused by its name. Plain values, no pointers. */
#ifndef AL_ENGINE_DIFFUSION_CONFIG_H
#define AL_ENGINE_DIFFUSION_CONFIG_H

#include "base/err.h"

#include <stdint.h>

constexpr int AL_SD_MAX_LEVELS = 6;
constexpr int AL_SD_MAX_CHANNELS = 8192;
constexpr int AL_SD_MAX_LAYERS = 4; /* ResNet blocks a level */
constexpr int AL_SD_MAX_DEPTH = 16; /* transformer blocks a ResNet block */
constexpr int AL_SD_MAX_TEXT_LAYERS = 48;
constexpr int AL_SD_MAX_TRAIN_STEPS = 10'000;

struct al_sd_unet_config {
  int in_channels; /* 4; 9: made for inpainting (mask and masked picture come along) */
  int out_channels;
  int n_levels;
  int channels[AL_SD_MAX_LEVELS];
  int n_layers; /* ResNet blocks a level on the way down; one more on the way up */
  int n_heads[AL_SD_MAX_LEVELS];
  int depth[AL_SD_MAX_LEVELS]; /* transformer blocks after each ResNet block where there is attention */
  bool down_attention[AL_SD_MAX_LEVELS];
  bool up_attention[AL_SD_MAX_LEVELS]; /* in the order of the way up */
  int cross_dim;                       /* width of the text's vectors */
  int n_groups;
  float norm_eps;
  bool linear_projection; /* which shape proj_in has; the arithmetic is the same */
  int cond_dim;           /* LCM: width of the embedded guidance; 0: none */
  int size_dim;           /* SDXL: width of each embedded size; 0: no size conditioning */
  int size_input;         /* SDXL: pooled text and six sizes together */
  int sample_size;        /* latents a side it was trained for */
};

struct al_sd_vae_config {
  int latent_channels;
  int n_levels;
  int channels[AL_SD_MAX_LEVELS];
  int n_layers;
  int n_groups;
  float scaling, shift;
  bool force_upcast; /* its activations leave what F16 can hold: convolutions in F32 */
  bool quant_conv, post_quant_conv;
  bool mid_attention;
};

struct al_sd_text_config {
  int width;
  int n_inner; /* of the MLP */
  int n_layers;
  int n_heads;
  int n_vocab;
  int n_positions;
  int projection; /* width of the pooled vector; 0: none */
  bool quick_gelu;
  float norm_eps;
};

enum al_sd_prediction { AL_SD_EPSILON, AL_SD_V, AL_SD_FLOW };
enum al_sd_betas { AL_SD_BETAS_LINEAR, AL_SD_BETAS_SCALED_LINEAR };
enum al_sd_spacing { AL_SD_LEADING, AL_SD_TRAILING, AL_SD_LINSPACE };

struct al_sd_schedule_config {
  int n_train_steps;
  double beta_start, beta_end;
  enum al_sd_betas betas;
  enum al_sd_prediction prediction;
  enum al_sd_spacing spacing;
  int steps_offset;
  bool final_alpha_one;   /* the alpha after the last step is 1, not that of step 0 */
  bool zero_terminal_snr; /* betas rescaled so that the first step sees pure noise */
  bool karras;
  double shift;     /* of flow matching */
  char sampler[24]; /* the default one: "euler", ... */
};

struct al_sd_config {
  struct al_sd_unet_config unet;
  struct al_sd_vae_config vae;
  struct al_sd_text_config text[2];
  int n_texts;          /* SDXL has two */
  bool penultimate;     /* the text's vectors come from the last layer but one, without the final norm */
  bool zeros_for_empty; /* an empty negative prompt means zeros instead of an encoded "" */
  struct al_sd_schedule_config schedule;
};

/* Reads model_index.json and the config.json of every part. AL_UNSUPPORTED names the file and the key that asks for
 * something unknown; AL_MODEL_CORRUPT what contradicts itself. */
enum al_code al_sd_config_read(const char *directory, struct al_sd_config *config, struct al_err *err);

/* Whether a pipeline of that class (model_index.json's _class_name; "" and nullptr: unknown yet) can be drawn with. */
enum al_code al_sd_config_knows(const char *pipeline, struct al_err *err);

/* The parts, from their JSON; `file` names it in errors. */
struct al_json;
enum al_code al_sd_config_unet(const struct al_json *json, const char *file, struct al_sd_unet_config *unet,
                               struct al_err *err);
enum al_code al_sd_config_vae(const struct al_json *json, const char *file, struct al_sd_vae_config *vae,
                              struct al_err *err);
enum al_code al_sd_config_text(const struct al_json *json, const char *file, struct al_sd_text_config *text,
                               struct al_err *err);
enum al_code al_sd_config_schedule(const struct al_json *json, const char *file, struct al_sd_schedule_config *schedule,
                                   struct al_err *err);

/* Whether the parts fit each other, wherever they come from. */
enum al_code al_sd_config_check(const struct al_sd_config *config, struct al_err *err);

#endif
