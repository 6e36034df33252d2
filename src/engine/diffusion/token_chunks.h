/* A prompt as the text encoder takes it: chunks of as many tokens as it has positions, each with begin, end and
 * padding, and a weight for each token. */
#ifndef AL_ENGINE_DIFFUSION_TOKEN_CHUNKS_H
#define AL_ENGINE_DIFFUSION_TOKEN_CHUNKS_H

#include "base/arena.h"
#include "base/str.h"
#include "engine/diffusion/clip_tokenizer.h"

constexpr int AL_MAX_CHUNKS = 16;

struct al_token_chunks {
  int n_positions;             /* of a chunk */
  int n;                       /* at least 1 */
  int32_t *tokens;             /* in the arena: int32_t[AL_MAX_CHUNKS][n_positions] */
  float *weights;              /* likewise */
  int32_t ends[AL_MAX_CHUNKS]; /* position of a chunk's first end token */
  bool is_weighted;            /* some weight is not 1 */
};

/* AL_INVALID_REQUEST when the prompt does not parse or has more than AL_MAX_CHUNKS chunks. */
enum al_code al_token_chunks_make(const struct al_clip_tokenizer *tokenizer, struct al_str prompt, int n_positions,
                                  struct al_arena *arena, struct al_token_chunks *chunks, struct al_err *err);
/* Appends empty chunks up to n. */
void al_token_chunks_pad(struct al_token_chunks *chunks, const struct al_clip_tokenizer *tokenizer, int n);

#endif
