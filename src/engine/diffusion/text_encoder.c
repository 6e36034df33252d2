#include "engine/diffusion/text_encoder.h"

static void want_layer(const struct al_sd_scope *scope, struct al_sd_text_layer *layer,
                       const struct al_sd_text_config *config)
{
  struct {
    const char *name;
    struct al_sd_linear *linear;
    int n_in, n_out;
  } linears[] = {
    { "self_attn.q_proj", &layer->q, config->width, config->width },
    { "self_attn.k_proj", &layer->k, config->width, config->width },
    { "self_attn.v_proj", &layer->v, config->width, config->width },
    { "self_attn.out_proj", &layer->out, config->width, config->width },
    { "mlp.fc1", &layer->up, config->width, config->n_inner },
    { "mlp.fc2", &layer->down, config->n_inner, config->width },
  };
  struct al_sd_scope in = al_sd_scope_in(scope, "layer_norm1");
  al_sd_want_norm(&in, &layer->norm1, config->width);
  in = al_sd_scope_in(scope, "layer_norm2");
  al_sd_want_norm(&in, &layer->norm2, config->width);
  for (size_t i = 0; i < AL_COUNT(linears); i++) {
    in = al_sd_scope_in(scope, "%s", linears[i].name);
    al_sd_want_linear(&in, linears[i].linear, linears[i].n_in, linears[i].n_out, true);
  }
}

void al_sd_text_want(struct al_sd_text *text, const struct al_sd_text_config *config, enum al_sd_part part,
                     struct al_sd_weights *weights)
{
  memset(text, 0, sizeof *text);
  text->config = *config;
  size_t before = al_sd_weights_count(weights);
  struct al_sd_scope scope = al_sd_scope(weights, part);
  struct al_sd_scope in = al_sd_scope_in(&scope, "text_model.embeddings.token_embedding");
  al_sd_want_rows(&in, &text->tokens, config->width, config->n_vocab);
  in = al_sd_scope_in(&scope, "text_model.embeddings.position_embedding");
  al_sd_want_rows(&in, &text->positions, config->width, config->n_positions);
  for (int i = 0; i < config->n_layers; i++) {
    in = al_sd_scope_in(&scope, "text_model.encoder.layers.%d", i);
    want_layer(&in, &text->layers[i], config);
  }
  in = al_sd_scope_in(&scope, "text_model.final_layer_norm");
  al_sd_want_norm(&in, &text->norm, config->width);
  in = al_sd_scope_in(&scope, "text_projection");
  if (config->projection > 0)
    al_sd_want_linear(&in, &text->projection, config->width, config->projection, false);
  text->n_weights = al_sd_weights_count(weights) - before;
}

static struct ggml_tensor *embed(struct al_sd_graph *graph, const struct al_sd_text_job *job)
{
  const struct al_sd_text *text = job->text;
  int64_t n = text->config.n_positions;
  struct ggml_tensor *ids =
      al_sd_graph_input(graph, GGML_TYPE_I32, (int64_t[4]){ n * job->n_batch, 1, 1, 1 }, job->tokens);
  struct ggml_tensor *x = ggml_get_rows(graph->context, text->tokens, ids);
  x = ggml_reshape_3d(graph->context, x, text->config.width, n, job->n_batch);
  struct ggml_tensor *positions = ggml_cast(graph->context, text->positions, GGML_TYPE_F32);
  return ggml_add(graph->context, x, positions);
}

/* x * sigmoid(1.702 x). ggml_gelu_quick looks it up in a table of F16 on the CPU: four digits instead of seven. */
static struct ggml_tensor *quick_gelu(struct ggml_context *context, struct ggml_tensor *x)
{
  return ggml_mul(context, x, ggml_sigmoid(context, ggml_scale(context, x, 1.702F)));
}

static struct ggml_tensor *run_layer(struct al_sd_graph *graph, const struct al_sd_text *text,
                                     const struct al_sd_text_layer *layer, struct ggml_tensor *x)
{
  struct ggml_context *context = graph->context;
  float eps = text->config.norm_eps;
  struct ggml_tensor *normed = al_sd_layer_norm(graph, &layer->norm1, x, eps);
  struct al_sd_attention_input in = { .q = al_sd_linear(graph, &layer->q, normed),
                                      .k = al_sd_linear(graph, &layer->k, normed),
                                      .v = al_sd_linear(graph, &layer->v, normed),
                                      .n_heads = text->config.n_heads,
                                      .causal = true };
  x = ggml_add(context, x, al_sd_linear(graph, &layer->out, al_sd_attention(graph, &in)));
  struct ggml_tensor *h = al_sd_linear(graph, &layer->up, al_sd_layer_norm(graph, &layer->norm2, x, eps));
  h = text->config.quick_gelu ? quick_gelu(context, h) : ggml_gelu_erf(context, h);
  return ggml_add(context, x, al_sd_linear(graph, &layer->down, h));
}

void al_sd_text_build(struct al_sd_graph *graph, void *user)
{
  const struct al_sd_text_job *job = user;
  const struct al_sd_text *text = job->text;
  int n_layers = text->config.n_layers;
  bool whole = !job->penultimate || job->pooled != nullptr;
  struct ggml_tensor *x = embed(graph, job);
  struct ggml_tensor *penultimate = x;
  for (int i = 0; i < n_layers - !whole; i++) {
    x = run_layer(graph, text, &text->layers[i], x);
    if (i == n_layers - 2)
      penultimate = x;
  }
  struct ggml_tensor *last = whole ? al_sd_layer_norm(graph, &text->norm, x, text->config.norm_eps) : nullptr;
  al_sd_graph_output(graph, job->penultimate ? penultimate : last, job->rows);
  if (job->pooled == nullptr)
    return;
  struct ggml_tensor *ends = al_sd_graph_input(graph, GGML_TYPE_I32, (int64_t[4]){ job->n_batch, 1, 1, 1 }, job->ends);
  last = ggml_reshape_2d(graph->context, last, text->config.width, last->ne[1] * last->ne[2]);
  struct ggml_tensor *pooled = ggml_get_rows(graph->context, last, ends);
  al_sd_graph_output(graph, al_sd_linear(graph, &text->projection, pooled), job->pooled);
}
