#include "engine/diffusion/vae.h"

constexpr float NORM_EPS = 1e-6F;
constexpr int N_COLOURS = 3;

int al_sd_vae_factor(const struct al_sd_vae_config *config)
{
  return 1 << (config->n_levels - 1);
}

static void want_resnet(const struct al_sd_scope *scope, struct al_sd_resnet *resnet, int n_in, int n_out)
{
  al_sd_resnet_want(scope, resnet, &(struct al_sd_resnet_shape){ n_in, n_out, 0 });
}

static void want_attention(const struct al_sd_scope *scope, struct al_sd_vae_attention *attention, int width)
{
  struct al_sd_scope in = al_sd_scope_in(scope, "group_norm");
  al_sd_want_norm(&in, &attention->norm, width);
  in = al_sd_scope_in(scope, "to_q");
  al_sd_want_linear(&in, &attention->q, width, width, true);
  in = al_sd_scope_in(scope, "to_k");
  al_sd_want_linear(&in, &attention->k, width, width, true);
  in = al_sd_scope_in(scope, "to_v");
  al_sd_want_linear(&in, &attention->v, width, width, true);
  in = al_sd_scope_in(scope, "to_out.0");
  al_sd_want_linear(&in, &attention->out, width, width, true);
}

static void want_middle(const struct al_sd_scope *scope, struct al_sd_vae_side *side,
                        const struct al_sd_vae_config *config)
{
  int width = config->channels[config->n_levels - 1];
  struct al_sd_scope in = al_sd_scope_in(scope, "mid_block.resnets.0");
  want_resnet(&in, &side->mid1, width, width);
  in = al_sd_scope_in(scope, "mid_block.attentions.0");
  if (config->mid_attention)
    want_attention(&in, &side->attention, width);
  in = al_sd_scope_in(scope, "mid_block.resnets.1");
  want_resnet(&in, &side->mid2, width, width);
}

struct ends { /* channels */
  int n_in, first, last, n_out;
};

static void want_ends(const struct al_sd_scope *scope, struct al_sd_vae_side *side, const struct ends *ends)
{
  struct al_sd_scope in = al_sd_scope_in(scope, "conv_in");
  al_sd_want_conv(&in, &side->conv_in, ends->n_in, ends->first, 3);
  in = al_sd_scope_in(scope, "conv_norm_out");
  al_sd_want_norm(&in, &side->norm_out, ends->last);
  in = al_sd_scope_in(scope, "conv_out");
  al_sd_want_conv(&in, &side->conv_out, ends->last, ends->n_out, 3);
}

static void want_encoder(const struct al_sd_scope *scope, struct al_sd_vae *vae)
{
  const struct al_sd_vae_config *config = &vae->config;
  struct al_sd_vae_side *side = &vae->encoder;
  int last = config->n_levels - 1;
  want_ends(scope, side,
            &(struct ends){ N_COLOURS, config->channels[0], config->channels[last], 2 * config->latent_channels });
  want_middle(scope, side, config);
  for (int i = 0; i <= last; i++) {
    int n_in = config->channels[i > 0 ? i - 1 : 0], n_out = config->channels[i];
    for (int k = 0; k < config->n_layers; k++) {
      struct al_sd_scope in = al_sd_scope_in(scope, "down_blocks.%d.resnets.%d", i, k);
      want_resnet(&in, &side->levels[i][k], k > 0 ? n_out : n_in, n_out);
    }
    struct al_sd_scope in = al_sd_scope_in(scope, "down_blocks.%d.downsamplers.0.conv", i);
    if (i < last)
      al_sd_want_conv(&in, &side->resize[i], n_out, n_out, 3);
  }
}

static void want_decoder(const struct al_sd_scope *scope, struct al_sd_vae *vae)
{
  const struct al_sd_vae_config *config = &vae->config;
  struct al_sd_vae_side *side = &vae->decoder;
  int last = config->n_levels - 1;
  want_ends(scope, side,
            &(struct ends){ config->latent_channels, config->channels[last], config->channels[0], N_COLOURS });
  want_middle(scope, side, config);
  for (int i = 0; i <= last; i++) {
    int n_in = config->channels[i > 0 ? last - i + 1 : last], n_out = config->channels[last - i];
    for (int k = 0; k <= config->n_layers; k++) {
      struct al_sd_scope in = al_sd_scope_in(scope, "up_blocks.%d.resnets.%d", i, k);
      want_resnet(&in, &side->levels[i][k], k > 0 ? n_out : n_in, n_out);
    }
    struct al_sd_scope in = al_sd_scope_in(scope, "up_blocks.%d.upsamplers.0.conv", i);
    if (i < last)
      al_sd_want_conv(&in, &side->resize[i], n_out, n_out, 3);
  }
}

void al_sd_vae_want(struct al_sd_vae *vae, const struct al_sd_vae_config *config, struct al_sd_weights *weights)
{
  memset(vae, 0, sizeof *vae);
  vae->config = *config;
  size_t before = al_sd_weights_count(weights);
  int latents = config->latent_channels;
  struct al_sd_scope scope = al_sd_scope(weights, AL_SD_VAE);
  scope.exact = config->force_upcast;
  struct al_sd_scope in = al_sd_scope_in(&scope, "encoder");
  want_encoder(&in, vae);
  in = al_sd_scope_in(&scope, "decoder");
  want_decoder(&in, vae);
  in = al_sd_scope_in(&scope, "quant_conv");
  if (config->quant_conv)
    al_sd_want_conv(&in, &vae->encoder.quant, 2 * latents, 2 * latents, 1);
  in = al_sd_scope_in(&scope, "post_quant_conv");
  if (config->post_quant_conv)
    al_sd_want_conv(&in, &vae->decoder.quant, latents, latents, 1);
  vae->n_weights = al_sd_weights_count(weights) - before;
}

/* One build of the graph. */
struct work {
  struct al_sd_graph *graph;
  struct al_sd_norm_shape norm;
  const struct al_sd_vae_config *config;
};

static struct ggml_tensor *resnet(const struct work *work, const struct al_sd_resnet *resnet, struct ggml_tensor *x)
{
  return al_sd_resnet(work->graph, resnet, x, nullptr, &work->norm);
}

static struct ggml_tensor *attention(const struct work *work, const struct al_sd_vae_attention *attention,
                                     struct ggml_tensor *x)
{
  struct al_sd_graph *graph = work->graph;
  struct ggml_tensor *rows = al_sd_to_rows(graph, al_sd_group_norm(graph, &attention->norm, x, &work->norm));
  struct al_sd_attention_input in = { .q = al_sd_linear(graph, &attention->q, rows),
                                      .k = al_sd_linear(graph, &attention->k, rows),
                                      .v = al_sd_linear(graph, &attention->v, rows),
                                      .n_heads = 1 };
  rows = al_sd_linear(graph, &attention->out, al_sd_attention(graph, &in));
  return ggml_add(graph->context, x, al_sd_from_rows(graph, rows, x->ne[0], x->ne[1]));
}

static struct ggml_tensor *middle(const struct work *work, const struct al_sd_vae_side *side, struct ggml_tensor *x)
{
  x = resnet(work, &side->mid1, x);
  if (side->attention.q.weight != nullptr)
    x = attention(work, &side->attention, x);
  return resnet(work, &side->mid2, x);
}

static struct ggml_tensor *finish(const struct work *work, const struct al_sd_vae_side *side, struct ggml_tensor *x)
{
  x = ggml_silu(work->graph->context, al_sd_group_norm(work->graph, &side->norm_out, x, &work->norm));
  return al_sd_conv(work->graph, &side->conv_out, x, 1, 1);
}

static struct ggml_tensor *encode(const struct work *work, const struct al_sd_vae_side *side, struct ggml_tensor *x)
{
  x = al_sd_conv(work->graph, &side->conv_in, x, 1, 1);
  for (int i = 0; i < work->config->n_levels; i++) {
    for (int k = 0; k < work->config->n_layers; k++)
      x = resnet(work, &side->levels[i][k], x);
    if (side->resize[i].weight == nullptr)
      continue;
    x = ggml_pad(work->graph->context, x, 1, 1, 0, 0); /* at the right and below alone */
    x = al_sd_conv(work->graph, &side->resize[i], x, 2, 0);
  }
  x = finish(work, side, middle(work, side, x));
  return side->quant.weight != nullptr ? al_sd_conv(work->graph, &side->quant, x, 1, 0) : x;
}

static struct ggml_tensor *decode(const struct work *work, const struct al_sd_vae_side *side, struct ggml_tensor *x)
{
  if (side->quant.weight != nullptr)
    x = al_sd_conv(work->graph, &side->quant, x, 1, 0);
  x = middle(work, side, al_sd_conv(work->graph, &side->conv_in, x, 1, 1));
  for (int i = 0; i < work->config->n_levels; i++) {
    for (int k = 0; k <= work->config->n_layers; k++)
      x = resnet(work, &side->levels[i][k], x);
    if (side->resize[i].weight == nullptr)
      continue;
    x = al_sd_upscale(work->graph, x, 2 * x->ne[0], 2 * x->ne[1]);
    x = al_sd_conv(work->graph, &side->resize[i], x, 1, 1);
  }
  return finish(work, side, x);
}

void al_sd_vae_build(struct al_sd_graph *graph, void *user)
{
  const struct al_sd_vae_job *job = user;
  const struct al_sd_vae_config *config = &job->vae->config;
  struct work work = { .graph = graph, .norm = { config->n_groups, NORM_EPS }, .config = config };
  int64_t channels = job->decodes ? config->latent_channels : N_COLOURS;
  struct ggml_tensor *x =
      al_sd_graph_input(graph, GGML_TYPE_F32, (int64_t[4]){ job->width, job->height, channels, 1 }, job->in);
  x = job->decodes ? decode(&work, &job->vae->decoder, x) : encode(&work, &job->vae->encoder, x);
  al_sd_graph_output(graph, x, job->out);
}
