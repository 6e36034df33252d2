/* The layers that the models share, as nodes of a graph. Pictures are [width, height, channels, batch] in ggml's order
 * (innermost first), token rows [width, tokens, batch]. */
#ifndef AL_ENGINE_DIFFUSION_LAYERS_H
#define AL_ENGINE_DIFFUSION_LAYERS_H

#include "engine/diffusion/compute.h"
#include "engine/diffusion/weights.h"

struct ggml_tensor *al_sd_linear(struct al_sd_graph *graph, const struct al_sd_linear *linear, struct ggml_tensor *x);
struct ggml_tensor *al_sd_conv(struct al_sd_graph *graph, const struct al_sd_linear *conv, struct ggml_tensor *x,
                               int stride, int padding);
struct al_sd_norm_shape {
  int n_groups;
  float eps;
};
struct ggml_tensor *al_sd_group_norm(struct al_sd_graph *graph, const struct al_sd_norm *norm, struct ggml_tensor *x,
                                     const struct al_sd_norm_shape *shape);
struct ggml_tensor *al_sd_layer_norm(struct al_sd_graph *graph, const struct al_sd_norm *norm, struct ggml_tensor *x,
                                     float eps);

/* Scaled dot products of q [width, tokens, batch] with k and v [width, others, batch], in n_heads heads. causal: a
 * token sees itself and those before it. */
struct al_sd_attention_input {
  struct ggml_tensor *q, *k, *v;
  int n_heads;
  bool causal;
};
struct ggml_tensor *al_sd_attention(struct al_sd_graph *graph, const struct al_sd_attention_input *in);

/* A picture as rows of tokens [channels, width * height, batch], and back. */
struct ggml_tensor *al_sd_to_rows(struct al_sd_graph *graph, struct ggml_tensor *x);
struct ggml_tensor *al_sd_from_rows(struct al_sd_graph *graph, struct ggml_tensor *rows, int64_t width, int64_t height);

/* Twice as large by repeating pixels, then cut to width and height. */
struct ggml_tensor *al_sd_upscale(struct al_sd_graph *graph, struct ggml_tensor *x, int64_t width, int64_t height);

/* Two convolutions with group norms around, and the way past them: the block of UNet and VAE. */
struct al_sd_resnet {
  struct al_sd_norm norm1, norm2;
  struct al_sd_linear conv1, conv2;
  struct al_sd_linear time;     /* not in a VAE */
  struct al_sd_linear shortcut; /* where the channels differ */
};
struct al_sd_resnet_shape {
  int n_in, n_out, time_dim; /* time_dim 0: a VAE's */
};
void al_sd_resnet_want(const struct al_sd_scope *scope, struct al_sd_resnet *resnet,
                       const struct al_sd_resnet_shape *shape);
/* time: SiLU of the embedded time [time_dim, batch], or nullptr. */
struct ggml_tensor *al_sd_resnet(struct al_sd_graph *graph, const struct al_sd_resnet *resnet, struct ggml_tensor *x,
                                 struct ggml_tensor *time, const struct al_sd_norm_shape *norm);

#endif
