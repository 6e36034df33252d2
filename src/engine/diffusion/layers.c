#include "engine/diffusion/layers.h"

#include <math.h>

/* With fewer scores a head than this the whole matrix is made, which is faster; beyond, flash attention keeps memory
 * from growing with the square of the pixels. */
constexpr int64_t MAX_SCORES = (int64_t)1 << 20;

struct ggml_tensor *al_sd_linear(struct al_sd_graph *graph, const struct al_sd_linear *linear, struct ggml_tensor *x)
{
  x = ggml_mul_mat(graph->context, linear->weight, x);
  return linear->bias != nullptr ? ggml_add(graph->context, x, linear->bias) : x;
}

static struct ggml_tensor *per_channel(struct al_sd_graph *graph, struct ggml_tensor *values)
{
  return ggml_reshape_4d(graph->context, values, 1, 1, values->ne[0], 1);
}

struct ggml_tensor *al_sd_conv(struct al_sd_graph *graph, const struct al_sd_linear *conv, struct ggml_tensor *x,
                               int stride, int padding)
{
  x = ggml_conv_2d_direct(graph->context, conv->weight, x, stride, stride, padding, padding, 1, 1);
  return ggml_add(graph->context, x, per_channel(graph, conv->bias));
}

struct ggml_tensor *al_sd_group_norm(struct al_sd_graph *graph, const struct al_sd_norm *norm, struct ggml_tensor *x,
                                     const struct al_sd_norm_shape *shape)
{
  x = ggml_group_norm(graph->context, x, shape->n_groups, shape->eps);
  x = ggml_mul(graph->context, x, per_channel(graph, norm->weight));
  return ggml_add(graph->context, x, per_channel(graph, norm->bias));
}

struct ggml_tensor *al_sd_layer_norm(struct al_sd_graph *graph, const struct al_sd_norm *norm, struct ggml_tensor *x,
                                     float eps)
{
  x = ggml_mul(graph->context, ggml_norm(graph->context, x, eps), norm->weight);
  return ggml_add(graph->context, x, norm->bias);
}

/* [width, tokens, batch] as [width / n_heads, tokens, n_heads, batch]; a view. */
static struct ggml_tensor *heads(struct al_sd_graph *graph, struct ggml_tensor *x, int n_heads)
{
  x = ggml_reshape_4d(graph->context, x, x->ne[0] / n_heads, n_heads, x->ne[1], x->ne[2]);
  return ggml_permute(graph->context, x, 0, 2, 1, 3);
}

static struct ggml_tensor *flash(struct al_sd_graph *graph, struct ggml_tensor *q, struct ggml_tensor *k,
                                 struct ggml_tensor *v, float scale)
{
  struct ggml_context *context = graph->context;
  if (graph->half_attention) {
    k = ggml_cast(context, k, GGML_TYPE_F16);
    v = ggml_cast(context, v, GGML_TYPE_F16);
  }
  return ggml_flash_attn_ext(context, q, k, v, nullptr, scale, 0, 0);
}

static struct ggml_tensor *whole_scores(struct al_sd_graph *graph, struct ggml_tensor *q, struct ggml_tensor *k,
                                        struct ggml_tensor *v, const struct al_sd_attention_input *in)
{
  struct ggml_context *context = graph->context;
  float scale = 1.0F / sqrtf((float)q->ne[0]);
  struct ggml_tensor *scores = ggml_mul_mat(context, k, q);
  if (in->causal)
    scores = ggml_diag_mask_inf(context, ggml_scale(context, scores, scale), 0);
  scores = ggml_soft_max_ext(context, scores, nullptr, in->causal ? 1.0F : scale, 0);
  v = ggml_cont(context, ggml_permute(context, v, 1, 0, 2, 3));
  struct ggml_tensor *out = ggml_mul_mat(context, v, scores);
  return ggml_cont(context, ggml_permute(context, out, 0, 2, 1, 3));
}

struct ggml_tensor *al_sd_attention(struct al_sd_graph *graph, const struct al_sd_attention_input *in)
{
  int64_t width = in->q->ne[0], n_tokens = in->q->ne[1], n_batch = in->q->ne[2];
  struct ggml_tensor *q = heads(graph, in->q, in->n_heads);
  struct ggml_tensor *k = heads(graph, in->k, in->n_heads);
  struct ggml_tensor *v = heads(graph, in->v, in->n_heads);
  bool small = in->causal || n_tokens * k->ne[1] <= MAX_SCORES;
  struct ggml_tensor *out =
      small ? whole_scores(graph, q, k, v, in) : flash(graph, q, k, v, 1.0F / sqrtf((float)q->ne[0]));
  return ggml_reshape_3d(graph->context, out, width, n_tokens, n_batch);
}

struct ggml_tensor *al_sd_to_rows(struct al_sd_graph *graph, struct ggml_tensor *x)
{
  int64_t n_pixels = x->ne[0] * x->ne[1], n_channels = x->ne[2], n_batch = x->ne[3];
  x = ggml_reshape_3d(graph->context, x, n_pixels, n_channels, n_batch);
  return ggml_cont(graph->context, ggml_permute(graph->context, x, 1, 0, 2, 3));
}

struct ggml_tensor *al_sd_from_rows(struct al_sd_graph *graph, struct ggml_tensor *rows, int64_t width, int64_t height)
{
  int64_t n_channels = rows->ne[0], n_batch = rows->ne[2];
  rows = ggml_cont(graph->context, ggml_permute(graph->context, rows, 1, 0, 2, 3));
  return ggml_reshape_4d(graph->context, rows, width, height, n_channels, n_batch);
}

struct ggml_tensor *al_sd_upscale(struct al_sd_graph *graph, struct ggml_tensor *x, int64_t width, int64_t height)
{
  x = ggml_upscale(graph->context, x, 2, GGML_SCALE_MODE_NEAREST);
  if (x->ne[0] == width && x->ne[1] == height)
    return x;
  x = ggml_view_4d(graph->context, x, width, height, x->ne[2], x->ne[3], x->nb[1], x->nb[2], x->nb[3], 0);
  return ggml_cont(graph->context, x);
}

void al_sd_resnet_want(const struct al_sd_scope *scope, struct al_sd_resnet *resnet,
                       const struct al_sd_resnet_shape *shape)
{
  struct al_sd_scope in = al_sd_scope_in(scope, "norm1");
  al_sd_want_norm(&in, &resnet->norm1, shape->n_in);
  in = al_sd_scope_in(scope, "conv1");
  al_sd_want_conv(&in, &resnet->conv1, shape->n_in, shape->n_out, 3);
  in = al_sd_scope_in(scope, "time_emb_proj");
  if (shape->time_dim > 0)
    al_sd_want_linear(&in, &resnet->time, shape->time_dim, shape->n_out, true);
  in = al_sd_scope_in(scope, "norm2");
  al_sd_want_norm(&in, &resnet->norm2, shape->n_out);
  in = al_sd_scope_in(scope, "conv2");
  al_sd_want_conv(&in, &resnet->conv2, shape->n_out, shape->n_out, 3);
  in = al_sd_scope_in(scope, "conv_shortcut");
  if (shape->n_in != shape->n_out)
    al_sd_want_conv(&in, &resnet->shortcut, shape->n_in, shape->n_out, 1);
}

struct ggml_tensor *al_sd_resnet(struct al_sd_graph *graph, const struct al_sd_resnet *resnet, struct ggml_tensor *x,
                                 struct ggml_tensor *time, const struct al_sd_norm_shape *norm)
{
  struct ggml_context *context = graph->context;
  struct ggml_tensor *h = al_sd_group_norm(graph, &resnet->norm1, x, norm);
  h = al_sd_conv(graph, &resnet->conv1, ggml_silu(context, h), 1, 1);
  if (resnet->time.weight != nullptr) {
    struct ggml_tensor *shift = al_sd_linear(graph, &resnet->time, time);
    h = ggml_add(context, h, ggml_reshape_4d(context, shift, 1, 1, shift->ne[0], shift->ne[1]));
  }
  h = al_sd_group_norm(graph, &resnet->norm2, h, norm);
  h = al_sd_conv(graph, &resnet->conv2, ggml_silu(context, h), 1, 1);
  if (resnet->shortcut.weight != nullptr)
    x = al_sd_conv(graph, &resnet->shortcut, x, 1, 0);
  return ggml_add(context, h, x);
}
