/* Large pictures through the VAE in tiles. A tile's output counts fully in its middle and fades towards neighbours;
 * what all tiles give a pixel is divided by the weights that went there. */
#include "engine/diffusion/vae.h"

#include "base/alloc.h"

#include <stdckdint.h>

struct plane_size {
  int64_t width, height;
};

struct tiles {
  struct al_sd_compute *compute;
  const struct al_sd_vae_job *job;
  const struct al_cancel *stop;
  struct plane_size in, out; /* of the whole */
  int64_t tile, overlap;     /* in units of the input */
  int64_t n_in, n_out;       /* channels */
  int64_t up, down;          /* out = in * up / down */
  float *tile_in, *tile_out; /* one tile */
  float *weights;            /* float[out.height][out.width]: what has come to each pixel */
};

static void tiles_done(struct tiles *tiles)
{
  al_free(tiles->tile_in);
  al_free(tiles->tile_out);
  al_free(tiles->weights);
}

static enum al_code allocate(int64_t n_planes, int64_t width, int64_t height, float **floats, struct al_err *err)
{
  size_t n;
  if (ckd_mul(&n, (size_t)n_planes, (size_t)width) || ckd_mul(&n, n, (size_t)height))
    return al_fail_oom(err, SIZE_MAX);
  *floats = al_calloc(n, sizeof **floats);
  return *floats != nullptr ? AL_OK : al_fail_oom(err, n * sizeof **floats);
}

/* From 0 outside to 1 beyond the overlap, at distance d from the edge. */
static float ramp(int64_t d, int64_t overlap)
{
  return d >= overlap ? 1.0F : ((float)d + 0.5F) / (float)overlap;
}

/* How much the pixel `at` of a tile [from, to) counts along one side of a picture that is `size` long. */
static float weight_at(int64_t at, int64_t from, int64_t to, int64_t size, int64_t overlap)
{
  float low = from > 0 ? ramp(at - from, overlap) : 1.0F;
  float high = to < size ? ramp(to - 1 - at, overlap) : 1.0F;
  return low * high;
}

static void cut(const struct tiles *tiles, int64_t x0, int64_t y0, struct plane_size size)
{
  float *to = tiles->tile_in;
  for (int64_t c = 0; c < tiles->n_in; c++)
    for (int64_t y = 0; y < size.height; y++, to += size.width)
      memcpy(to, tiles->job->in + (c * tiles->in.height + y0 + y) * tiles->in.width + x0,
             (size_t)size.width * sizeof *to);
}

static void blend(const struct tiles *tiles, int64_t x0, int64_t y0, struct plane_size size)
{
  int64_t overlap = tiles->overlap * tiles->up / tiles->down;
  for (int64_t y = 0; y < size.height; y++) {
    float down = weight_at(y0 + y, y0, y0 + size.height, tiles->out.height, overlap);
    for (int64_t x = 0; x < size.width; x++) {
      float weight = down * weight_at(x0 + x, x0, x0 + size.width, tiles->out.width, overlap);
      tiles->weights[(y0 + y) * tiles->out.width + x0 + x] += weight;
      for (int64_t c = 0; c < tiles->n_out; c++)
        tiles->job->out[(c * tiles->out.height + y0 + y) * tiles->out.width + x0 + x] +=
            weight * tiles->tile_out[(c * size.height + y) * size.width + x];
    }
  }
}

static enum al_code run_tile(const struct tiles *tiles, int64_t x0, int64_t y0, struct plane_size size,
                             struct al_err *err)
{
  struct al_sd_vae_job job = *tiles->job;
  job.width = size.width;
  job.height = size.height;
  job.in = tiles->tile_in;
  job.out = tiles->tile_out;
  cut(tiles, x0, y0, size);
  struct al_sd_run run = { al_sd_vae_build, &job, job.vae->n_weights };
  AL_TRY(al_sd_compute_run(tiles->compute, &run, tiles->stop, err));
  struct plane_size out = { size.width * tiles->up / tiles->down, size.height * tiles->up / tiles->down };
  blend(tiles, x0 * tiles->up / tiles->down, y0 * tiles->up / tiles->down, out);
  return AL_OK;
}

/* Where the tile after the one at `at` begins: the last one ends with the picture. */
static int64_t next_start(int64_t at, int64_t tile, int64_t overlap, int64_t size)
{
  int64_t next = at + tile - overlap;
  return at + tile >= size ? size : next + tile > size ? size - tile : next;
}

static enum al_code run_tiles(struct tiles *tiles, struct al_err *err)
{
  struct plane_size size = { tiles->in.width < tiles->tile ? tiles->in.width : tiles->tile,
                             tiles->in.height < tiles->tile ? tiles->in.height : tiles->tile };
  AL_TRY(allocate(tiles->n_in, size.width, size.height, &tiles->tile_in, err));
  AL_TRY(allocate(tiles->n_out, size.width * tiles->up / tiles->down, size.height * tiles->up / tiles->down,
                  &tiles->tile_out, err));
  AL_TRY(allocate(1, tiles->out.width, tiles->out.height, &tiles->weights, err));
  int64_t n = tiles->out.width * tiles->out.height;
  memset(tiles->job->out, 0, (size_t)(n * tiles->n_out) * sizeof(float));
  for (int64_t y = 0; y < tiles->in.height; y = next_start(y, size.height, tiles->overlap, tiles->in.height))
    for (int64_t x = 0; x < tiles->in.width; x = next_start(x, size.width, tiles->overlap, tiles->in.width))
      AL_TRY(run_tile(tiles, x, y, size, err));
  for (int64_t i = 0; i < n * tiles->n_out; i++)
    tiles->job->out[i] /= tiles->weights[i % n];
  return AL_OK;
}

enum al_code al_sd_vae_run(struct al_sd_compute *compute, const struct al_sd_vae_job *job,
                           const struct al_sd_tiling *tiling, const struct al_cancel *stop, struct al_err *err)
{
  const struct al_sd_vae_config *config = &job->vae->config;
  int64_t factor = al_sd_vae_factor(config);
  int64_t unit = job->decodes ? 1 : factor;
  int64_t tile = tiling->tile * unit;
  if (tile == 0 || (job->width <= tile && job->height <= tile)) {
    struct al_sd_vae_job whole = *job;
    struct al_sd_run run = { al_sd_vae_build, &whole, job->vae->n_weights };
    return al_sd_compute_run(compute, &run, stop, err);
  }
  AL_CLEANUP(tiles_done) struct tiles tiles = { .compute = compute,
                                                .job = job,
                                                .stop = stop,
                                                .in = { job->width, job->height },
                                                .tile = tile,
                                                .overlap = tiling->overlap * unit,
                                                .n_in = job->decodes ? config->latent_channels : 3,
                                                .n_out = job->decodes ? 3 : 2 * config->latent_channels,
                                                .up = job->decodes ? factor : 1,
                                                .down = job->decodes ? 1 : factor };
  tiles.out = (struct plane_size){ job->width * tiles.up / tiles.down, job->height * tiles.up / tiles.down };
  return run_tiles(&tiles, err);
}
