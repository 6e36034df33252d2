#include "engine/diffusion/conditioning.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "engine/diffusion/token_chunks.h"

#include <math.h>

constexpr size_t ARENA_BYTES = (size_t)64 << 20;
constexpr int N_SIZES = 6;
constexpr float LEAST_RATIO = 0.1F; /* of means before and after weighting: beyond, the mean says nothing */

struct work {
  struct al_sd_model *model;
  const struct al_conditioning_input *in;
  struct al_conditioning *out;
  struct al_arena *arena;
  const struct al_cancel *stop;
  struct al_token_chunks chunks[2][2]; /* of an encoder and a prompt */
};

static struct al_str prompt_of(const struct work *work, int64_t batch)
{
  bool negative = work->in->guided && batch == 0;
  return negative ? work->in->negative : work->in->prompt;
}

static enum al_code make_chunks(struct work *work, struct al_err *err)
{
  const struct al_sd_config *config = &work->model->config;
  int most = 1;
  for (int e = 0; e < config->n_texts; e++)
    for (int b = 0; b < work->out->n_batch; b++) {
      AL_TRY(al_token_chunks_make(work->model->tokenizers[e], prompt_of(work, b), config->text[e].n_positions,
                                  work->arena, &work->chunks[e][b], err));
      most = work->chunks[e][b].n > most ? work->chunks[e][b].n : most;
    }
  for (int e = 0; e < config->n_texts; e++)
    for (int b = 0; b < work->out->n_batch; b++)
      al_token_chunks_pad(&work->chunks[e][b], work->model->tokenizers[e], most);
  work->out->n_tokens = (int64_t)most * config->text[0].n_positions;
  return AL_OK;
}

/* A chunk's rows times their weights, then back to the mean that they had. */
static void weigh(float *rows, const float *weights, int n_positions, int width)
{
  double before = 0, after = 0;
  for (int i = 0; i < n_positions; i++)
    for (int k = 0; k < width; k++) {
      float *value = &rows[i * width + k];
      before += (double)*value;
      *value *= weights[i];
      after += (double)*value;
    }
  float ratio = (float)(before / after);
  if (!(fabsf(ratio) >= LEAST_RATIO && fabsf(ratio) <= 1 / LEAST_RATIO))
    return;
  for (int i = 0; i < n_positions * width; i++)
    rows[i] *= ratio;
}

/* The rows of encoder e go beside those of the other: [token][widths of the encoders]. */
static void place_rows(const struct work *work, int e, int64_t b, const float *rows)
{
  const struct al_sd_config *config = &work->model->config;
  size_t width = (size_t)config->text[e].width, whole = (size_t)config->unet.cross_dim;
  size_t left = e == 0 ? 0 : (size_t)config->text[0].width;
  float *to = work->out->text + (size_t)(b * work->out->n_tokens) * whole + left;
  for (int64_t i = 0; i < work->out->n_tokens; i++, to += whole, rows += width)
    memcpy(to, rows, width * sizeof *to);
}

static enum al_code encode(const struct work *work, int e, int64_t b, struct al_err *err)
{
  const struct al_sd_text *text = &work->model->text[e];
  const struct al_token_chunks *chunks = &work->chunks[e][b];
  int width = text->config.width, n_positions = text->config.n_positions;
  bool pools = work->out->added != nullptr && text->config.projection > 0;
  size_t n_rows = (size_t)(work->out->n_tokens * width);
  size_t n_pooled = (size_t)(chunks->n * text->config.projection);
  AL_CLEANUP(al_free_p) float *rows = al_alloc((n_rows + n_pooled) * sizeof *rows);
  if (rows == nullptr)
    return al_fail_oom(err, (n_rows + n_pooled) * sizeof *rows);
  int32_t ends[AL_MAX_CHUNKS];
  for (int i = 0; i < chunks->n; i++)
    ends[i] = i * n_positions + chunks->ends[i];
  struct al_sd_text_job job = { .text = text,
                                .tokens = chunks->tokens,
                                .n_batch = chunks->n,
                                .penultimate = work->model->config.penultimate,
                                .rows = rows,
                                .ends = ends,
                                .pooled = pools ? rows + n_rows : nullptr };
  struct al_sd_run run = { al_sd_text_build, &job, text->n_weights };
  AL_TRY(al_sd_compute_run(work->model->compute, &run, work->stop, err));
  for (size_t i = 0; i < (size_t)chunks->n && chunks->is_weighted; i++) {
    size_t first = i * (size_t)n_positions;
    weigh(rows + first * (size_t)width, chunks->weights + first, n_positions, width);
  }
  place_rows(work, e, b, rows);
  if (pools) /* of the first chunk */
    memcpy(work->out->added + b * work->model->config.unet.size_input, rows + n_rows,
           (size_t)text->config.projection * sizeof *rows);
  return AL_OK;
}

/* After the pooled text: the size it was, where it was cut, the size it shall have (height first). */
static void add_sizes(const struct work *work)
{
  const struct al_sd_unet_config *unet = &work->model->config.unet;
  int w = work->in->width, h = work->in->height;
  int sizes[] = { h, w, 0, 0, h, w };
  for (int64_t b = 0; b < work->out->n_batch; b++) {
    float *to = work->out->added + (b + 1) * unet->size_input - (int64_t)N_SIZES * unet->size_dim;
    for (int i = 0; i < N_SIZES; i++, to += unet->size_dim)
      al_sd_embed_number(sizes[i], unet->size_dim, to);
  }
}

static enum al_code make(struct work *work, struct al_err *err)
{
  const struct al_sd_config *config = &work->model->config;
  struct al_conditioning *out = work->out;
  AL_TRY(make_chunks(work, err));
  size_t n_text = (size_t)(out->n_batch * out->n_tokens * config->unet.cross_dim);
  size_t n_added = (size_t)(out->n_batch * config->unet.size_input);
  out->text = al_calloc(n_text, sizeof *out->text);
  out->added = config->unet.size_input > 0 ? al_calloc(n_added, sizeof *out->added) : nullptr;
  if (out->text == nullptr || (config->unet.size_input > 0 && out->added == nullptr))
    return al_fail_oom(err, (n_text + n_added) * sizeof *out->text);
  for (int64_t b = 0; b < out->n_batch; b++) {
    bool zeros = work->in->guided && b == 0 && work->in->negative.size == 0 && config->zeros_for_empty;
    for (int e = 0; e < config->n_texts && !zeros; e++)
      AL_TRY(encode(work, e, b, err));
  }
  if (out->added != nullptr)
    add_sizes(work);
  return AL_OK;
}

enum al_code al_conditioning_make(struct al_sd_model *model, const struct al_conditioning_input *in,
                                  struct al_conditioning *conditioning, const struct al_cancel *stop,
                                  struct al_err *err)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(ARENA_BYTES);
  if (arena == nullptr)
    return al_fail_oom(err, 0);
  struct al_conditioning made = { .n_batch = in->guided ? 2 : 1 };
  struct work work = { .model = model, .in = in, .out = &made, .arena = arena, .stop = stop };
  enum al_code code = make(&work, err);
  if (code == AL_OK)
    *conditioning = made;
  else
    al_conditioning_done(&made);
  return code;
}

void al_conditioning_done(struct al_conditioning *conditioning)
{
  al_free(conditioning->text);
  al_free(conditioning->added);
  *conditioning = (struct al_conditioning){};
}

enum al_code al_conditioning_check(const struct al_sd_model *model, struct al_str prompt, struct al_err *err)
{
  for (int e = 0; e < model->config.n_texts; e++) {
    AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(ARENA_BYTES);
    if (arena == nullptr)
      return al_fail_oom(err, 0);
    struct al_token_chunks chunks;
    AL_TRY(al_token_chunks_make(model->tokenizers[e], prompt, model->config.text[e].n_positions, arena, &chunks, err));
  }
  return AL_OK;
}
