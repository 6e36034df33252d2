#include "engine/diffusion/config.h"

#include "engine/diffusion/config_reader.h"

static const char *const pipelines[] = { "StableDiffusionPipeline",          "StableDiffusionImg2ImgPipeline",
                                         "StableDiffusionInpaintPipeline",   "LatentConsistencyModelPipeline",
                                         "StableDiffusionXLPipeline",        "StableDiffusionXLImg2ImgPipeline",
                                         "StableDiffusionXLInpaintPipeline", nullptr };
constexpr int FIRST_XL = 4;

enum al_code al_sd_config_knows(const char *pipeline, struct al_err *err)
{
  if (pipeline == nullptr || pipeline[0] == '\0')
    return AL_OK;
  for (size_t i = 0; pipelines[i] != nullptr; i++)
    if (al_streq(pipelines[i], pipeline))
      return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "a pipeline of the class \"%.80s\" cannot be drawn with yet", pipeline);
}

static enum al_code need(const char *directory, const char *file, struct al_json_doc **doc, struct al_err *err)
{
  enum al_code code = al_config_parse(directory, file, doc, err);
  if (code == AL_NOT_FOUND)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is missing from the model's directory", file);
  return code;
}

static enum al_code read_index(const char *directory, struct al_sd_config *config, struct al_err *err)
{
  static const char file[] = "model_index.json";
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(need(directory, file, &doc, err));
  struct al_config_reader reader = { .root = al_json_root(doc), .file = file, .err = err };
  int pipeline = al_config_word(&reader, "_class_name", pipelines, 0);
  if (al_config_bool(&reader, "requires_aesthetics_score", false))
    al_config_fail(&reader, AL_UNSUPPORTED, "a refiner (\"requires_aesthetics_score\") cannot run yet");
  bool is_xl = pipeline >= FIRST_XL;
  config->n_texts = is_xl ? 2 : 1;
  config->penultimate = is_xl;
  config->zeros_for_empty = is_xl && al_config_bool(&reader, "force_zeros_for_empty_prompt", true);
  return reader.code;
}

static enum al_code read_unet(const char *directory, struct al_sd_config *config, struct al_err *err)
{
  static const char file[] = "unet/config.json";
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(need(directory, file, &doc, err));
  return al_sd_config_unet(al_json_root(doc), file, &config->unet, err);
}

static enum al_code read_vae(const char *directory, struct al_sd_config *config, struct al_err *err)
{
  static const char file[] = "vae/config.json";
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(need(directory, file, &doc, err));
  return al_sd_config_vae(al_json_root(doc), file, &config->vae, err);
}

static enum al_code read_texts(const char *directory, struct al_sd_config *config, struct al_err *err)
{
  static const char *const files[] = { "text_encoder/config.json", "text_encoder_2/config.json" };
  for (int i = 0; i < config->n_texts; i++) {
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    AL_TRY(need(directory, files[i], &doc, err));
    AL_TRY(al_sd_config_text(al_json_root(doc), files[i], &config->text[i], err));
  }
  return AL_OK;
}

static enum al_code read_schedule(const char *directory, struct al_sd_config *config, struct al_err *err)
{
  static const char file[] = "scheduler/scheduler_config.json";
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(need(directory, file, &doc, err));
  return al_sd_config_schedule(al_json_root(doc), file, &config->schedule, err);
}

enum al_code al_sd_config_read(const char *directory, struct al_sd_config *config, struct al_err *err)
{
  struct al_sd_config made = {};
  AL_TRY(read_index(directory, &made, err));
  AL_TRY(read_unet(directory, &made, err));
  AL_TRY(read_vae(directory, &made, err));
  AL_TRY(read_texts(directory, &made, err));
  AL_TRY(read_schedule(directory, &made, err));
  AL_TRY(al_sd_config_check(&made, err));
  *config = made;
  return AL_OK;
}

static enum al_code check_texts(const struct al_sd_config *config, struct al_err *err)
{
  int width = 0;
  for (int i = 0; i < config->n_texts; i++)
    width += config->text[i].width;
  if (width != config->unet.cross_dim)
    return al_fail(err, AL_MODEL_CORRUPT, "the UNet expects text vectors of %d, but the text encoders give %d",
                   config->unet.cross_dim, width);
  if (config->n_texts == 2 && config->text[0].n_positions != config->text[1].n_positions)
    return al_fail(err, AL_MODEL_CORRUPT, "the text encoders take %d and %d tokens; they must agree",
                   config->text[0].n_positions, config->text[1].n_positions);
  if (config->penultimate && (config->text[0].n_layers < 2 || config->text[1].n_layers < 2))
    return al_fail(err, AL_MODEL_CORRUPT, "a text encoder with one layer has no last layer but one");
  return AL_OK;
}

enum al_code al_sd_config_check(const struct al_sd_config *config, struct al_err *err)
{
  const struct al_sd_unet_config *unet = &config->unet;
  int latents = config->vae.latent_channels;
  AL_TRY(check_texts(config, err));
  if (unet->out_channels != latents)
    return al_fail(err, AL_MODEL_CORRUPT, "the UNet makes %d latent channels, but the VAE takes %d", unet->out_channels,
                   latents);
  if (unet->in_channels != latents && unet->in_channels != 2 * latents + 1)
    return al_fail(err, AL_UNSUPPORTED,
                   "a UNet with %d input channels: only %d (latents) and %d (inpainting) can be computed",
                   unet->in_channels, latents, 2 * latents + 1);
  if ((config->n_texts == 2) != (unet->size_dim > 0))
    return al_fail(err, AL_UNSUPPORTED, "size conditioning (text_time) comes with two text encoders, or neither");
  if (unet->size_dim > 0 && unet->size_input != config->text[1].projection + 6 * unet->size_dim)
    return al_fail(err, AL_MODEL_CORRUPT,
                   "the UNet expects %d pooled and size values, but %d of the text encoder and six sizes of %d come",
                   unet->size_input, config->text[1].projection, unet->size_dim);
  return AL_OK;
}
