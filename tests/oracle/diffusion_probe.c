/* Parts of the diffusion engine for tests in Python: diffusion-probe MODEL QUANT, then commands on stdin, one a line;
 * floats come from and go to files. Answers "ok" or "error CODE MESSAGE" for each.
 *   unet WIDTH HEIGHT BATCH TOKENS TIMESTEP GUIDANCE IN OUT   in: latents, text, added
 *   decode|encode WIDTH HEIGHT TILE OVERLAP IN OUT
 *   text WHICH BATCH PENULTIMATE IN OUT                       in: int32 tokens, int32 ends; out: rows, pooled
 *   draw WIDTH HEIGHT STEPS GUIDANCE RESCALE SEED SAMPLER STRENGTH IMAGE MASK PROMPT NEGATIVE IN OUT
 *        texts in hex ("-": none); IMAGE and MASK 0 or 1: whether `in` has such bytes; out: RGB8
 *   tokens WHICH HEX                                          "ok ID ID ..." */
#include "base/alloc.h"
#include "engine/diffusion/clip_tokenizer.h"
#include "engine/diffusion/draw.h"
#include "engine/diffusion/model.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

constexpr size_t MAX_FILE_BYTES = (size_t)1 << 30;

static enum al_code write_floats(const char *path, const float *floats, size_t n)
{
  FILE *file = fopen(path, "wb");
  if (file == nullptr)
    return AL_INTERNAL;
  bool whole = fwrite(floats, sizeof *floats, n, file) == n;
  return fclose(file) == 0 && whole ? AL_OK : AL_INTERNAL;
}

static enum al_code read_floats(const char *path, struct al_buf *bytes, size_t n, struct al_err *err)
{
  al_buf_init(bytes, MAX_FILE_BYTES + 1);
  AL_TRY(al_file_read(path, MAX_FILE_BYTES, bytes, err));
  return bytes->size == n * sizeof(float)
             ? AL_OK
             : al_fail(err, AL_INVALID_REQUEST, "%zu bytes instead of %zu", bytes->size, n * sizeof(float));
}

static enum al_code unet(struct al_sd_model *model, const char *line, struct al_err *err)
{
  char from[512], to[512];
  AL_CLEANUP(al_free_p) struct al_sd_unet_input *in = al_calloc(1, sizeof *in);
  long w, h, b, t;
  double time, guidance;
  if (in == nullptr ||
      sscanf(line, "%ld %ld %ld %ld %lf %lf %511s %511s", &w, &h, &b, &t, &time, &guidance, from, to) != 8)
    return al_fail(err, AL_INVALID_REQUEST, "unet: bad arguments");
  const struct al_sd_unet_config *config = &model->config.unet;
  size_t n_latents = (size_t)(w * h * b * config->in_channels), n_text = (size_t)(b * t * config->cross_dim);
  size_t n_out = (size_t)(w * h * b * config->out_channels);
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  AL_TRY(read_floats(from, &bytes, n_latents + n_text + (size_t)(b * config->size_input), err));
  const float *floats = (const float *)(const void *)bytes.data;
  AL_CLEANUP(al_free_p) float *out = al_calloc(n_out, sizeof *out);
  *in = (struct al_sd_unet_input){ .width = w,
                                   .height = h,
                                   .n_batch = b,
                                   .n_tokens = t,
                                   .latents = floats,
                                   .text = floats + n_latents,
                                   .added = config->size_input > 0 ? floats + n_latents + n_text : nullptr,
                                   .timestep = (float)time,
                                   .guidance = guidance,
                                   .out = out,
                                   .unet = &model->unet };
  struct al_sd_run run = { al_sd_unet_build, in, model->n_unet_weights };
  AL_TRY(al_sd_compute_run(model->compute, &run, nullptr, err));
  return write_floats(to, out, n_out);
}

static enum al_code vae(struct al_sd_model *model, bool decodes, const char *line, struct al_err *err)
{
  char from[512], to[512];
  long w, h, tile, overlap;
  if (sscanf(line, "%ld %ld %ld %ld %511s %511s", &w, &h, &tile, &overlap, from, to) != 6)
    return al_fail(err, AL_INVALID_REQUEST, "vae: bad arguments");
  const struct al_sd_vae_config *config = &model->config.vae;
  long factor = al_sd_vae_factor(config);
  size_t n_in = (size_t)(w * h * (decodes ? config->latent_channels : 3));
  size_t n_out =
      (size_t)(decodes ? w * h * factor * factor * 3 : w * h / factor / factor * 2 * config->latent_channels);
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  AL_TRY(read_floats(from, &bytes, n_in, err));
  AL_CLEANUP(al_free_p) float *out = al_calloc(n_out, sizeof *out);
  struct al_sd_vae_job job = { .vae = &model->vae,
                               .decodes = decodes,
                               .width = w,
                               .height = h,
                               .in = (const float *)(const void *)bytes.data,
                               .out = out };
  AL_TRY(al_sd_vae_run(model->compute, &job, &(struct al_sd_tiling){ tile, overlap }, nullptr, err));
  return write_floats(to, out, n_out);
}

static enum al_code text(struct al_sd_model *model, const char *line, struct al_err *err)
{
  char from[512], to[512];
  int which, penultimate;
  long b;
  if (sscanf(line, "%d %ld %d %511s %511s", &which, &b, &penultimate, from, to) != 5 || which < 0 || which > 1)
    return al_fail(err, AL_INVALID_REQUEST, "text: bad arguments");
  const struct al_sd_text_config *config = &model->config.text[which];
  size_t n_tokens = (size_t)(b * config->n_positions), n_rows = n_tokens * (size_t)config->width;
  size_t n_pooled = (size_t)(b * config->projection);
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  AL_TRY(read_floats(from, &bytes, n_tokens + (size_t)b, err));
  AL_CLEANUP(al_free_p) float *out = al_calloc(n_rows + n_pooled, sizeof *out);
  const int32_t *tokens = (const int32_t *)(const void *)bytes.data;
  struct al_sd_text_job job = { .text = &model->text[which],
                                .tokens = tokens,
                                .n_batch = b,
                                .penultimate = penultimate != 0,
                                .rows = out,
                                .ends = tokens + n_tokens,
                                .pooled = n_pooled > 0 ? out + n_rows : nullptr };
  struct al_sd_run run = { al_sd_text_build, &job, model->text[which].n_weights };
  AL_TRY(al_sd_compute_run(model->compute, &run, nullptr, err));
  return write_floats(to, out, n_rows + n_pooled);
}

static bool keep_picture(void *user, int, const struct al_picture *picture)
{
  FILE *file = fopen(user, "wb");
  size_t n = 3 * (size_t)picture->width * (size_t)picture->height;
  bool whole = file != nullptr && fwrite(picture->rgb, 1, n, file) == n;
  return file != nullptr && fclose(file) == 0 && whole;
}

static void from_hex(const char *hex, struct al_buf *text)
{
  unsigned byte;
  for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
    al_buf_char(text, (char)byte);
}

static enum al_code draw(struct al_sd_model *model, const char *line, struct al_err *err)
{
  static char prompt_hex[1 << 14], negative_hex[1 << 14];
  char from[512], to[512], sampler[32];
  int has_image, has_mask;
  unsigned long long seed;
  struct al_draw_request request = { .n_images = 1, .sampler = sampler };
  if (sscanf(line, "%d %d %d %lf %lf %llu %31s %lf %d %d %16383s %16383s %511s %511s", &request.width, &request.height,
             &request.n_steps, &request.guidance, &request.guidance_rescale, &seed, sampler, &request.strength,
             &has_image, &has_mask, prompt_hex, negative_hex, from, to) != 14)
    return al_fail(err, AL_INVALID_REQUEST, "draw: bad arguments");
  AL_CLEANUP(al_buf_done) struct al_buf prompt = {};
  AL_CLEANUP(al_buf_done) struct al_buf negative = {};
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  request.seed = seed;
  from_hex(prompt_hex, &prompt);
  from_hex(negative_hex, &negative);
  request.prompt = al_buf_view(&prompt);
  request.negative_prompt = al_buf_view(&negative);
  al_buf_init(&bytes, MAX_FILE_BYTES + 1);
  AL_TRY(al_file_read(from, MAX_FILE_BYTES, &bytes, err));
  size_t n = (size_t)request.width * (size_t)request.height;
  if (bytes.size != n * (size_t)(3 * has_image + has_mask))
    return al_fail(err, AL_INVALID_REQUEST, "draw: %zu bytes", bytes.size);
  struct al_picture image = { request.width, request.height, (const uint8_t *)bytes.data };
  request.image = has_image ? &image : nullptr;
  request.mask = has_mask ? image.rgb + 3 * n : nullptr;
  struct al_draw_sink sink = { .picture = keep_picture, .user = to };
  return al_sd_draw(model, &request, &sink, nullptr, err);
}

static enum al_code tokens(const struct al_sd_model *model, const char *line, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  int which = 0, used = 0;
  unsigned byte;
  if (sscanf(line, "%d %n", &which, &used) != 1)
    return al_fail(err, AL_INVALID_REQUEST, "tokens: bad arguments");
  for (line += used; sscanf(line, "%2x", &byte) == 1; line += 2)
    al_buf_char(&bytes, (char)byte);
  static int32_t ids[1 << 16];
  size_t count = 0;
  AL_TRY(al_clip_tokenizer_encode(model->tokenizers[which], al_buf_view(&bytes), ids, AL_COUNT(ids), &count, err));
  printf("ok");
  for (size_t i = 0; i < count; i++)
    printf(" %d", ids[i]);
  printf("\n");
  return AL_OK;
}

static enum al_code run(struct al_sd_model *model, const char *line, struct al_err *err)
{
  if (al_str_starts(al_str(line), al_str("unet ")))
    return unet(model, line + 5, err);
  if (al_str_starts(al_str(line), al_str("decode ")))
    return vae(model, true, line + 7, err);
  if (al_str_starts(al_str(line), al_str("encode ")))
    return vae(model, false, line + 7, err);
  if (al_str_starts(al_str(line), al_str("text ")))
    return text(model, line + 5, err);
  if (al_str_starts(al_str(line), al_str("draw ")))
    return draw(model, line + 5, err);
  return al_fail(err, AL_INVALID_REQUEST, "unknown command");
}

int main(int argc, char **argv)
{
  struct al_err err = {};
  AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *model = nullptr;
  struct al_sd_options options = { .quant = argc > 2 ? argv[2] : "" };
  if (argc < 2 || al_sd_model_open(argv[1], &options, &model, &err) != AL_OK ||
      al_sd_model_load(model, nullptr, nullptr, &err) != AL_OK) {
    printf("error %s %s\n", al_code_name(err.code), err.message);
    return 1;
  }
  printf("ok\n");
  (void)fflush(stdout);
  static char line[1 << 18];
  while (fgets(line, sizeof line, stdin) != nullptr) {
    bool is_tokens = al_str_starts(al_str(line), al_str("tokens "));
    enum al_code code = is_tokens ? tokens(model, line + 7, &err) : run(model, line, &err);
    if (code != AL_OK)
      printf("error %s %s\n", al_code_name(code), err.message);
    else if (!is_tokens)
      printf("ok\n");
    (void)fflush(stdout);
  }
  return 0;
}
