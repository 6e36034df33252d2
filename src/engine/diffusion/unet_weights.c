/* Which tensors a UNet has. */
#include "engine/diffusion/unet.h"

static void want_cross(const struct al_sd_scope *scope, int number, struct al_sd_cross *cross, int width, int other)
{
  struct al_sd_scope in = al_sd_scope_in(scope, "norm%d", number);
  al_sd_want_norm(&in, &cross->norm, width);
  in = al_sd_scope_in(scope, "attn%d.to_q", number);
  al_sd_want_linear(&in, &cross->q, width, width, false);
  in = al_sd_scope_in(scope, "attn%d.to_k", number);
  al_sd_want_linear(&in, &cross->k, other, width, false);
  in = al_sd_scope_in(scope, "attn%d.to_v", number);
  al_sd_want_linear(&in, &cross->v, other, width, false);
  in = al_sd_scope_in(scope, "attn%d.to_out.0", number);
  al_sd_want_linear(&in, &cross->out, width, width, true);
}

static void want_block(const struct al_sd_scope *scope, struct al_sd_transformer_block *block, int width, int text)
{
  want_cross(scope, 1, &block->self, width, width);
  want_cross(scope, 2, &block->text, width, text);
  struct al_sd_scope in = al_sd_scope_in(scope, "norm3");
  al_sd_want_norm(&in, &block->norm, width);
  in = al_sd_scope_in(scope, "ff.net.0.proj");
  al_sd_want_linear(&in, &block->up, width, 8 * width, true);
  in = al_sd_scope_in(scope, "ff.net.2");
  al_sd_want_linear(&in, &block->down, 4 * width, width, true);
}

static void want_transformer(const struct al_sd_scope *scope, struct al_sd_transformer *transformer,
                             const struct al_sd_unet_config *config, int level)
{
  int width = config->channels[level];
  transformer->depth = config->depth[level];
  transformer->n_heads = config->n_heads[level];
  struct al_sd_scope in = al_sd_scope_in(scope, "norm");
  al_sd_want_norm(&in, &transformer->norm, width);
  in = al_sd_scope_in(scope, "proj_in");
  al_sd_want_linear(&in, &transformer->in, width, width, true);
  for (int i = 0; i < transformer->depth; i++) {
    in = al_sd_scope_in(scope, "transformer_blocks.%d", i);
    want_block(&in, &transformer->blocks[i], width, config->cross_dim);
  }
  in = al_sd_scope_in(scope, "proj_out");
  al_sd_want_linear(&in, &transformer->out, width, width, true);
}

static void want_down(const struct al_sd_scope *scope, struct al_sd_unet *unet, int level)
{
  const struct al_sd_unet_config *config = &unet->config;
  struct al_sd_unet_level *down = &unet->down[level];
  int n_out = config->channels[level];
  down->has_attention = config->down_attention[level];
  for (int i = 0; i < config->n_layers; i++) {
    int n_in = i > 0 ? n_out : config->channels[level > 0 ? level - 1 : 0];
    struct al_sd_scope in = al_sd_scope_in(scope, "resnets.%d", i);
    al_sd_resnet_want(&in, &down->resnets[i], &(struct al_sd_resnet_shape){ n_in, n_out, 4 * config->channels[0] });
    in = al_sd_scope_in(scope, "attentions.%d", i);
    if (down->has_attention)
      want_transformer(&in, &down->attentions[i], config, level);
  }
  struct al_sd_scope in = al_sd_scope_in(scope, "downsamplers.0.conv");
  if (level + 1 < config->n_levels)
    al_sd_want_conv(&in, &down->resize, n_out, n_out, 3);
}

/* What the block at `place` of an upward level joins from the way down: the level's own blocks from the last to the
 * first, then what came into the level. */
static int skip_channels(const struct al_sd_unet_config *config, int level, int place)
{
  bool own = place < config->n_layers;
  return config->channels[own || level == 0 ? level : level - 1];
}

/* Level `at` on the way up is level n - 1 - at of the way down. */
static void want_up(const struct al_sd_scope *scope, struct al_sd_unet *unet, int at)
{
  const struct al_sd_unet_config *config = &unet->config;
  struct al_sd_unet_level *up = &unet->up[at];
  int level = config->n_levels - 1 - at;
  int n_out = config->channels[level];
  up->has_attention = config->up_attention[at];
  for (int i = 0; i <= config->n_layers; i++) {
    int from_below = i > 0 || at == 0 ? n_out : config->channels[level + 1];
    int n_in = from_below + skip_channels(config, level, i);
    struct al_sd_scope in = al_sd_scope_in(scope, "resnets.%d", i);
    al_sd_resnet_want(&in, &up->resnets[i], &(struct al_sd_resnet_shape){ n_in, n_out, 4 * config->channels[0] });
    in = al_sd_scope_in(scope, "attentions.%d", i);
    if (up->has_attention)
      want_transformer(&in, &up->attentions[i], config, level);
  }
  struct al_sd_scope in = al_sd_scope_in(scope, "upsamplers.0.conv");
  if (level > 0)
    al_sd_want_conv(&in, &up->resize, n_out, n_out, 3);
}

static void want_middle(const struct al_sd_scope *scope, struct al_sd_unet *unet)
{
  const struct al_sd_unet_config *config = &unet->config;
  int width = config->channels[config->n_levels - 1];
  struct al_sd_resnet_shape shape = { width, width, 4 * config->channels[0] };
  struct al_sd_scope in = al_sd_scope_in(scope, "mid_block.resnets.0");
  al_sd_resnet_want(&in, &unet->mid1, &shape);
  in = al_sd_scope_in(scope, "mid_block.attentions.0");
  want_transformer(&in, &unet->mid, config, config->n_levels - 1);
  in = al_sd_scope_in(scope, "mid_block.resnets.1");
  al_sd_resnet_want(&in, &unet->mid2, &shape);
}

static void want_time(const struct al_sd_scope *scope, struct al_sd_unet *unet)
{
  const struct al_sd_unet_config *config = &unet->config;
  int width = config->channels[0];
  struct al_sd_scope in = al_sd_scope_in(scope, "time_embedding.linear_1");
  al_sd_want_linear(&in, &unet->time1, width, 4 * width, true);
  in = al_sd_scope_in(scope, "time_embedding.linear_2");
  al_sd_want_linear(&in, &unet->time2, 4 * width, 4 * width, true);
  in = al_sd_scope_in(scope, "time_embedding.cond_proj");
  if (config->cond_dim > 0)
    al_sd_want_linear(&in, &unet->time_cond, config->cond_dim, width, false);
  if (config->size_dim == 0)
    return;
  in = al_sd_scope_in(scope, "add_embedding.linear_1");
  al_sd_want_linear(&in, &unet->add1, config->size_input, 4 * width, true);
  in = al_sd_scope_in(scope, "add_embedding.linear_2");
  al_sd_want_linear(&in, &unet->add2, 4 * width, 4 * width, true);
}

void al_sd_unet_want(struct al_sd_unet *unet, const struct al_sd_unet_config *config, struct al_sd_weights *weights)
{
  memset(unet, 0, sizeof *unet);
  unet->config = *config;
  struct al_sd_scope scope = al_sd_scope(weights, AL_SD_UNET);
  want_time(&scope, unet);
  struct al_sd_scope in = al_sd_scope_in(&scope, "conv_in");
  al_sd_want_conv(&in, &unet->conv_in, config->in_channels, config->channels[0], 3);
  for (int i = 0; i < config->n_levels; i++) {
    in = al_sd_scope_in(&scope, "down_blocks.%d", i);
    want_down(&in, unet, i);
  }
  want_middle(&scope, unet);
  for (int i = 0; i < config->n_levels; i++) {
    in = al_sd_scope_in(&scope, "up_blocks.%d", i);
    want_up(&in, unet, i);
  }
  in = al_sd_scope_in(&scope, "conv_norm_out");
  al_sd_want_norm(&in, &unet->norm_out, config->channels[0]);
  in = al_sd_scope_in(&scope, "conv_out");
  al_sd_want_conv(&in, &unet->conv_out, config->channels[0], config->out_channels, 3);
}
