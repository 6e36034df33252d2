#include "sched/chunk.h"

#include "base/macros.h"

constexpr size_t START = 128;
constexpr size_t LEAST = 32; /* smaller ones waste the machine on both sides */

void al_chunk_init(struct al_chunk *chunk, size_t n_batch)
{
  *chunk = (struct al_chunk){ .size = al_min_size(START, n_batch), .n_batch = n_batch };
}

size_t al_chunk_limit(const struct al_chunk *chunk, bool others_stream)
{
  return others_stream ? chunk->size : chunk->n_batch;
}

static double target_ns(const struct al_chunk *chunk)
{
  double of_steps = 3 * chunk->plain_ns;
  return of_steps > (double)AL_CHUNK_TARGET_NS ? of_steps : (double)AL_CHUNK_TARGET_NS;
}

void al_chunk_learn(struct al_chunk *chunk, size_t n_prompt, int64_t took_ns)
{
  if (n_prompt == 0) {
    chunk->plain_ns = chunk->plain_ns > 0 ? 0.8 * chunk->plain_ns + 0.2 * (double)took_ns : (double)took_ns;
    return;
  }
  double ratio = target_ns(chunk) / ((double)took_ns + 1);
  if (ratio < 0.9) /* too slow: at once to where it should be */
    chunk->size = al_max_size((size_t)((double)n_prompt * ratio), LEAST);
  else if (ratio > 1.25 && n_prompt >= chunk->size) /* room: feel the way up */
    chunk->size += chunk->size / 4 + 1;
  chunk->size = al_min_size(chunk->size, chunk->n_batch);
}
