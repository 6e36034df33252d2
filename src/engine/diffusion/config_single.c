#include "engine/diffusion/config_single.h"

#include "base/macros.h"

#include <stdio.h>

constexpr int N_GROUPS = 32;
constexpr int N_TRAIN_STEPS = 1000;

struct family {
  int n_heads;   /* the same at every level (SD 1.x), or */
  int head_dim;  /* as many as there are of this width */
  float scaling; /* of the latents */
  bool openclip; /* the only text encoder is OpenCLIP's (SD 2.x) */
  int n_texts;
};
static const struct family sd1 = { .n_heads = 8, .scaling = 0.18215F, .n_texts = 1 };
static const struct family sd2 = { .head_dim = 64, .scaling = 0.18215F, .openclip = true, .n_texts = 1 };
static const struct family sdxl = { .head_dim = 64, .scaling = 0.13025F, .n_texts = 2 };

static const char unet_root[] = "model.diffusion_model.";

/* Looks for root + the formatted name; the shape's dimension `dim` when it is there, otherwise 0. */
AL_PRINTF(3, 4) static int size_of(const struct al_sd_files *files, int dim, const char *format, ...)
{
  char name[200];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(name, sizeof name, format, args);
  va_end(args);
  struct al_sd_stored stored;
  if (!al_sd_files_find(files, AL_SD_UNET, name, &stored) || stored.shape[dim] > INT32_MAX)
    return 0;
  return (int)stored.shape[dim];
}

/* ResNet blocks of the first level: what comes before the block that halves the size (or before the end). */
static int count_layers(const struct al_sd_files *files)
{
  int n = 0;
  while (n < AL_SD_MAX_LAYERS && size_of(files, 0, "%sinput_blocks.%d.0.in_layers.2.weight", unet_root, n + 1) > 0)
    n++;
  return n;
}

static int depth_of(const struct al_sd_files *files, int block)
{
  int n = 0;
  while (n <= AL_SD_MAX_DEPTH &&
         size_of(files, 0, "%sinput_blocks.%d.1.transformer_blocks.%d.norm1.weight", unet_root, block, n) > 0)
    n++;
  return n;
}

static int middle_depth(const struct al_sd_files *files)
{
  int n = 0;
  while (n <= AL_SD_MAX_DEPTH &&
         size_of(files, 0, "%smiddle_block.1.transformer_blocks.%d.norm1.weight", unet_root, n) > 0)
    n++;
  return n;
}

static void guess_levels(const struct al_sd_files *files, struct al_sd_unet_config *unet)
{
  for (int level = 0; level < AL_SD_MAX_LEVELS; level++) {
    int block = 1 + level * (unet->n_layers + 1);
    int channels = size_of(files, 0, "%sinput_blocks.%d.0.in_layers.2.weight", unet_root, block);
    if (channels == 0)
      break;
    unet->channels[level] = channels;
    unet->depth[level] = depth_of(files, block);
    unet->down_attention[level] = unet->depth[level] > 0;
    unet->n_levels = level + 1;
  }
  int last = unet->n_levels - 1;
  if (last >= 0 && unet->depth[last] == 0)
    unet->depth[last] = middle_depth(files);
  for (int level = 0; level <= last; level++)
    unet->up_attention[level] = unet->down_attention[last - level];
}

static enum al_code check_levels(const struct al_sd_unet_config *unet, struct al_err *err)
{
  if (unet->n_layers < 1 || unet->n_levels < 1)
    return al_fail(err, AL_UNSUPPORTED, "no Stable Diffusion checkpoint: its UNet has no input blocks");
  for (int i = 0; i < unet->n_levels; i++) {
    int channels = unet->channels[i];
    if (channels > AL_SD_MAX_CHANNELS || channels % unet->n_groups != 0 || unet->n_heads[i] < 1 ||
        channels % unet->n_heads[i] != 0)
      return al_fail(err, AL_UNSUPPORTED, "a UNet with %d channels in level %d, which no known family has", channels,
                     i);
    if (unet->depth[i] > AL_SD_MAX_DEPTH)
      return al_fail(err, AL_UNSUPPORTED, "more than %d transformer blocks in one place", AL_SD_MAX_DEPTH);
  }
  return AL_OK;
}

static enum al_code guess_unet(const struct al_sd_files *files, const struct family *family,
                               struct al_sd_unet_config *unet, struct al_err *err)
{
  unet->in_channels = size_of(files, 1, "%sinput_blocks.0.0.weight", unet_root);
  unet->out_channels = size_of(files, 0, "%sout.2.weight", unet_root);
  unet->n_layers = count_layers(files);
  unet->cross_dim = size_of(files, 1, "%smiddle_block.1.transformer_blocks.0.attn2.to_k.weight", unet_root);
  unet->n_groups = N_GROUPS;
  unet->norm_eps = 1e-5F;
  unet->cond_dim = size_of(files, 1, "%stime_embed.cond_proj.weight", unet_root);
  unet->size_input = size_of(files, 1, "%slabel_emb.0.0.weight", unet_root);
  unet->size_dim = unet->size_input > 0 ? 256 : 0;
  unet->sample_size = family->n_texts == 2 ? 128 : 64;
  guess_levels(files, unet);
  for (int i = 0; i < unet->n_levels; i++)
    unet->n_heads[i] = family->head_dim > 0 ? unet->channels[i] / family->head_dim : family->n_heads;
  return check_levels(unet, err);
}

static enum al_code guess_vae(const struct al_sd_files *files, const struct family *family,
                              struct al_sd_vae_config *vae, struct al_err *err)
{
  static const char root[] = "first_stage_model.";
  *vae = (struct al_sd_vae_config){ .n_groups = N_GROUPS, .scaling = family->scaling, .mid_attention = true };
  vae->latent_channels = size_of(files, 1, "%sdecoder.conv_in.weight", root);
  while (vae->n_layers < AL_SD_MAX_LAYERS &&
         size_of(files, 0, "%sencoder.down.0.block.%d.conv1.weight", root, vae->n_layers) > 0)
    vae->n_layers++;
  while (vae->n_levels < AL_SD_MAX_LEVELS) {
    int channels = size_of(files, 0, "%sencoder.down.%d.block.0.conv1.weight", root, vae->n_levels);
    if (channels == 0)
      break;
    vae->channels[vae->n_levels++] = channels;
  }
  vae->quant_conv = size_of(files, 0, "%squant_conv.weight", root) > 0;
  vae->post_quant_conv = size_of(files, 0, "%spost_quant_conv.weight", root) > 0;
  vae->force_upcast = family->n_texts == 2;
  for (int i = 0; i < vae->n_levels; i++)
    if (vae->channels[i] % N_GROUPS != 0 || vae->channels[i] > AL_SD_MAX_CHANNELS)
      return al_fail(err, AL_UNSUPPORTED, "a VAE with %d channels in level %d", vae->channels[i], i);
  if (vae->n_levels == 0 || vae->n_layers == 0)
    return al_fail(err, AL_UNSUPPORTED, "the checkpoint has no VAE (\"first_stage_model.\")");
  return AL_OK;
}

/* The two ways in which checkpoints have a CLIP. */
struct text_names {
  const char *tokens, *positions, *inner, *projection;
};
static const struct text_names clip_names = {
  "transformer.text_model.embeddings.token_embedding.weight",
  "transformer.text_model.embeddings.position_embedding.weight",
  "transformer.text_model.encoder.layers.0.mlp.fc1.weight",
  "transformer.text_projection.weight",
};
static const struct text_names openclip_names = {
  "model.token_embedding.weight",
  "model.positional_embedding",
  "model.transformer.resblocks.0.mlp.c_fc.weight",
  "model.text_projection",
};

static int count_text_layers(const struct al_sd_files *files, const char *root, bool openclip)
{
  for (int n = 0;; n++) {
    int size = openclip ? size_of(files, 0, "%smodel.transformer.resblocks.%d.ln_1.weight", root, n)
                        : size_of(files, 0, "%stransformer.text_model.encoder.layers.%d.layer_norm1.weight", root, n);
    if (size == 0 || n > AL_SD_MAX_TEXT_LAYERS)
      return n;
  }
}

static enum al_code guess_text(const struct al_sd_files *files, const char *root, bool projects,
                               struct al_sd_text_config *text, struct al_err *err)
{
  bool openclip = size_of(files, 0, "%s%s", root, openclip_names.tokens) > 0;
  const struct text_names *names = openclip ? &openclip_names : &clip_names;
  *text = (struct al_sd_text_config){
    .width = size_of(files, 1, "%s%s", root, names->tokens),
    .n_vocab = size_of(files, 0, "%s%s", root, names->tokens),
    .n_positions = size_of(files, 0, "%s%s", root, names->positions),
    .n_inner = size_of(files, 0, "%s%s", root, names->inner),
    .n_layers = count_text_layers(files, root, openclip),
    .quick_gelu = !openclip,
    .norm_eps = 1e-5F,
  };
  text->n_heads = text->width / 64;
  if (projects)
    text->projection = size_of(files, openclip ? 1 : 0, "%s%s", root, names->projection);
  if (text->width < 64 || text->width > AL_SD_MAX_CHANNELS || text->width % 64 != 0 || text->n_layers < 2 ||
      text->n_layers > AL_SD_MAX_TEXT_LAYERS || text->n_positions < 3 || text->n_positions > 1024)
    return al_fail(err, AL_UNSUPPORTED, "the checkpoint has no text encoder that is known here (\"%s\")", root);
  return AL_OK;
}

static enum al_code guess_texts(const struct al_sd_files *files, const struct family *family,
                                struct al_sd_config *config, struct al_err *err)
{
  config->n_texts = family->n_texts;
  config->penultimate = family->n_texts == 2;
  config->zeros_for_empty = family->n_texts == 2;
  if (family->n_texts == 1)
    AL_TRY(guess_text(files, "cond_stage_model.", false, &config->text[0], err));
  if (family->openclip) /* trained on the last layer but one, with the final norm: the last layer is not used */
    config->text[0].n_layers--;
  if (family->n_texts == 1)
    return AL_OK;
  AL_TRY(guess_text(files, "conditioner.embedders.0.", false, &config->text[0], err));
  return guess_text(files, "conditioner.embedders.1.", true, &config->text[1], err);
}

static enum al_code find_family(const struct al_sd_files *files, const struct family **family, struct al_err *err)
{
  int cross = size_of(files, 1, "%smiddle_block.1.transformer_blocks.0.attn2.to_k.weight", unet_root);
  if (cross == 0)
    return al_fail(err, AL_UNSUPPORTED,
                   "no Stable Diffusion checkpoint: there is no tensor \"%smiddle_block.1.transformer_blocks...\"",
                   unet_root);
  if (size_of(files, 0, "%slabel_emb.0.0.weight", unet_root) > 0)
    *family = &sdxl;
  else
    *family = size_of(files, 0, "cond_stage_model.%s", openclip_names.tokens) > 0 ? &sd2 : &sd1;
  if (*family == &sdxl && size_of(files, 0, "conditioner.embedders.1.%s", openclip_names.tokens) == 0)
    return al_fail(err, AL_UNSUPPORTED, "an SDXL checkpoint without its two text encoders (a refiner?)");
  return AL_OK;
}

/* The schedule that all of them were trained with. What a checkpoint predicts stands in it only by the presence of a
 * tensor named "v_pred"; SD 2.x with 768 pixels does not say it at all. */
static void guess_schedule(const struct al_sd_files *files, struct al_sd_schedule_config *schedule)
{
  struct al_sd_stored stored;
  *schedule = (struct al_sd_schedule_config){
    .n_train_steps = N_TRAIN_STEPS,
    .beta_start = 0.00085,
    .beta_end = 0.012,
    .betas = AL_SD_BETAS_SCALED_LINEAR,
    .prediction = al_sd_files_find(files, AL_SD_UNET, "v_pred", &stored) ? AL_SD_V : AL_SD_EPSILON,
    .spacing = AL_SD_LEADING,
    .steps_offset = 1,
    .zero_terminal_snr = al_sd_files_find(files, AL_SD_UNET, "ztsnr", &stored),
    .shift = 1,
    .sampler = "euler",
  };
}

enum al_code al_sd_config_guess(const struct al_sd_files *files, struct al_sd_config *config, struct al_err *err)
{
  const struct family *family;
  AL_TRY(find_family(files, &family, err));
  struct al_sd_config made = {};
  AL_TRY(guess_unet(files, family, &made.unet, err));
  AL_TRY(guess_vae(files, family, &made.vae, err));
  AL_TRY(guess_texts(files, family, &made, err));
  guess_schedule(files, &made.schedule);
  AL_TRY(al_sd_config_check(&made, err));
  *config = made;
  return AL_OK;
}
