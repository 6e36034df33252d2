#include "engine/diffusion/unet.h"

#include <assert.h>
#include <math.h>

constexpr float TRANSFORMER_NORM_EPS = 1e-6F;
constexpr float LAYER_NORM_EPS = 1e-5F;
constexpr int MAX_SKIPS = AL_SD_MAX_LEVELS * (AL_SD_MAX_LAYERS + 1) + 1;

/* One build of the graph. */
struct work {
  struct al_sd_graph *graph;
  const struct al_sd_unet *unet;
  struct al_sd_norm_shape norm;
  struct ggml_tensor *text;             /* [cross_dim, n_tokens, n_batch] */
  struct ggml_tensor *time;             /* SiLU of the embedded time */
  struct ggml_tensor *skips[MAX_SKIPS]; /* outputs of the way down */
  int n_skips;
};

/* Sinusoidal embedding of "Attention is all you need", cosines first. In float, as the models were trained. */
void al_sd_embed_number(double value, int dim, float *out)
{
  int half = dim / 2;
  for (int i = 0; i < half; i++) {
    float angle = (float)value * expf(-logf(10000.0F) * (float)i / (float)half);
    out[i] = cosf(angle);
    out[half + i] = sinf(angle);
  }
}

static struct ggml_tensor *cross(struct work *work, const struct al_sd_cross *cross, struct ggml_tensor *x,
                                 struct ggml_tensor *other, int n_heads)
{
  struct al_sd_graph *graph = work->graph;
  struct ggml_tensor *normed = al_sd_layer_norm(graph, &cross->norm, x, LAYER_NORM_EPS);
  if (other == nullptr)
    other = normed;
  struct al_sd_attention_input in = { .q = al_sd_linear(graph, &cross->q, normed),
                                      .k = al_sd_linear(graph, &cross->k, other),
                                      .v = al_sd_linear(graph, &cross->v, other),
                                      .n_heads = n_heads };
  return ggml_add(graph->context, x, al_sd_linear(graph, &cross->out, al_sd_attention(graph, &in)));
}

static struct ggml_tensor *transformer_block(struct work *work, const struct al_sd_transformer_block *block,
                                             struct ggml_tensor *x, int n_heads)
{
  struct al_sd_graph *graph = work->graph;
  x = cross(work, &block->self, x, nullptr, n_heads);
  x = cross(work, &block->text, x, work->text, n_heads);
  struct ggml_tensor *h = al_sd_linear(graph, &block->up, al_sd_layer_norm(graph, &block->norm, x, LAYER_NORM_EPS));
  h = ggml_geglu_erf_swapped(graph->context, h); /* the second half is the gate */
  return ggml_add(graph->context, x, al_sd_linear(graph, &block->down, h));
}

static struct ggml_tensor *transformer(struct work *work, const struct al_sd_transformer *transformer,
                                       struct ggml_tensor *x)
{
  struct al_sd_graph *graph = work->graph;
  struct al_sd_norm_shape norm = { work->norm.n_groups, TRANSFORMER_NORM_EPS };
  struct ggml_tensor *rows = al_sd_to_rows(graph, al_sd_group_norm(graph, &transformer->norm, x, &norm));
  rows = al_sd_linear(graph, &transformer->in, rows);
  for (int i = 0; i < transformer->depth; i++)
    rows = transformer_block(work, &transformer->blocks[i], rows, transformer->n_heads);
  rows = al_sd_linear(graph, &transformer->out, rows);
  return ggml_add(graph->context, x, al_sd_from_rows(graph, rows, x->ne[0], x->ne[1]));
}

static struct ggml_tensor *push(struct work *work, struct ggml_tensor *x)
{
  assert(work->n_skips < MAX_SKIPS);
  work->skips[work->n_skips++] = x;
  return x;
}

static struct ggml_tensor *down(struct work *work, int level, struct ggml_tensor *x)
{
  const struct al_sd_unet_level *block = &work->unet->down[level];
  for (int i = 0; i < work->unet->config.n_layers; i++) {
    x = al_sd_resnet(work->graph, &block->resnets[i], x, work->time, &work->norm);
    if (block->has_attention)
      x = transformer(work, &block->attentions[i], x);
    (void)push(work, x);
  }
  if (block->resize.weight == nullptr)
    return x;
  return push(work, al_sd_conv(work->graph, &block->resize, x, 2, 1));
}

static struct ggml_tensor *up(struct work *work, int at, struct ggml_tensor *x)
{
  const struct al_sd_unet_level *block = &work->unet->up[at];
  for (int i = 0; i <= work->unet->config.n_layers; i++) {
    x = ggml_concat(work->graph->context, x, work->skips[--work->n_skips], 2);
    x = al_sd_resnet(work->graph, &block->resnets[i], x, work->time, &work->norm);
    if (block->has_attention)
      x = transformer(work, &block->attentions[i], x);
  }
  if (block->resize.weight == nullptr)
    return x;
  const struct ggml_tensor *next = work->skips[work->n_skips - 1]; /* has the size to come up to */
  x = al_sd_upscale(work->graph, x, next->ne[0], next->ne[1]);
  return al_sd_conv(work->graph, &block->resize, x, 1, 1);
}

/* As LCM was trained: (guidance - 1) * 1000, sines first, the last frequency reached. */
static void embed_guidance(double guidance, int dim, float *out)
{
  int half = dim / 2;
  for (int i = 0; i < half; i++) {
    double frequency = exp(-log(10000.0) * i / (half > 1 ? half - 1 : 1));
    out[i] = (float)sin((guidance - 1) * 1000 * frequency);
    out[half + i] = (float)cos((guidance - 1) * 1000 * frequency);
  }
}

static struct ggml_tensor *embed_time(struct work *work, struct al_sd_unet_input *in)
{
  struct al_sd_graph *graph = work->graph;
  struct ggml_context *context = graph->context;
  const struct al_sd_unet *unet = work->unet;
  int width = unet->config.channels[0];
  al_sd_embed_number((double)in->timestep, width, in->embedded_time);
  struct ggml_tensor *time = al_sd_graph_input(graph, GGML_TYPE_F32, (int64_t[4]){ width, 1, 1, 1 }, in->embedded_time);
  if (unet->config.cond_dim > 0) {
    embed_guidance(in->guidance, unet->config.cond_dim, in->embedded_cond);
    struct ggml_tensor *cond =
        al_sd_graph_input(graph, GGML_TYPE_F32, (int64_t[4]){ unet->config.cond_dim, 1, 1, 1 }, in->embedded_cond);
    time = ggml_add(context, time, al_sd_linear(graph, &unet->time_cond, cond));
  }
  time = ggml_silu(context, al_sd_linear(graph, &unet->time1, time));
  time = al_sd_linear(graph, &unet->time2, time);
  if (unet->config.size_dim > 0) {
    struct ggml_tensor *added =
        al_sd_graph_input(graph, GGML_TYPE_F32, (int64_t[4]){ unet->config.size_input, in->n_batch, 1, 1 }, in->added);
    added = ggml_silu(context, al_sd_linear(graph, &unet->add1, added));
    time = ggml_add(context, al_sd_linear(graph, &unet->add2, added), time);
  }
  return ggml_silu(context, time);
}

void al_sd_unet_build(struct al_sd_graph *graph, void *user)
{
  struct al_sd_unet_input *in = user;
  const struct al_sd_unet_config *config = &in->unet->config;
  struct work work = { .graph = graph, .unet = in->unet, .norm = { config->n_groups, config->norm_eps } };
  work.time = embed_time(&work, in);
  work.text = al_sd_graph_input(graph, GGML_TYPE_F32, (int64_t[4]){ config->cross_dim, in->n_tokens, in->n_batch, 1 },
                                in->text);
  struct ggml_tensor *x = al_sd_graph_input(
      graph, GGML_TYPE_F32, (int64_t[4]){ in->width, in->height, config->in_channels, in->n_batch }, in->latents);
  x = push(&work, al_sd_conv(graph, &in->unet->conv_in, x, 1, 1));
  for (int i = 0; i < config->n_levels; i++)
    x = down(&work, i, x);
  x = al_sd_resnet(graph, &in->unet->mid1, x, work.time, &work.norm);
  x = transformer(&work, &in->unet->mid, x);
  x = al_sd_resnet(graph, &in->unet->mid2, x, work.time, &work.norm);
  for (int i = 0; i < config->n_levels; i++)
    x = up(&work, i, x);
  x = ggml_silu(graph->context, al_sd_group_norm(graph, &in->unet->norm_out, x, &work.norm));
  al_sd_graph_output(graph, al_sd_conv(graph, &in->unet->conv_out, x, 1, 1), in->out);
}
