#include "engine/diffusion/token_chunks.h"

#include "engine/diffusion/prompt.h"

struct filler {
  const struct al_clip_tokenizer *tokenizer;
  struct al_token_chunks *chunks;
  int at; /* tokens in the last chunk so far, without begin */
  struct al_err *err;
};

/* Where a chunk begins in tokens and weights. */
static size_t start_of(const struct al_token_chunks *chunks, int chunk)
{
  return (size_t)chunk * (size_t)chunks->n_positions;
}

/* The last chunk is complete: end and padding. */
static void end_chunk(struct al_token_chunks *chunks, const struct al_clip_tokenizer *tokenizer, int n_tokens)
{
  int32_t *tokens = chunks->tokens + start_of(chunks, chunks->n - 1);
  tokens[n_tokens + 1] = al_clip_tokenizer_end(tokenizer);
  for (int i = n_tokens + 2; i < chunks->n_positions; i++)
    tokens[i] = al_clip_tokenizer_pad(tokenizer);
  chunks->ends[chunks->n - 1] = n_tokens + 1;
}

static void begin_chunk(struct al_token_chunks *chunks, const struct al_clip_tokenizer *tokenizer)
{
  size_t start = start_of(chunks, chunks->n);
  chunks->tokens[start] = al_clip_tokenizer_begin(tokenizer);
  for (int i = 0; i < chunks->n_positions; i++)
    chunks->weights[start + (size_t)i] = 1;
  chunks->n++;
}

static enum al_code too_long(struct filler *filler)
{
  return al_fail(filler->err, AL_INVALID_REQUEST, "the prompt has more than %d tokens",
                 AL_MAX_CHUNKS * (filler->chunks->n_positions - 2));
}

static enum al_code next_chunk(struct filler *filler)
{
  if (filler->chunks->n == AL_MAX_CHUNKS)
    return too_long(filler);
  end_chunk(filler->chunks, filler->tokenizer, filler->at);
  begin_chunk(filler->chunks, filler->tokenizer);
  filler->at = 0;
  return AL_OK;
}

static enum al_code add_run(struct filler *filler, const struct al_prompt_run *run, int32_t *ids, size_t capacity)
{
  size_t count;
  if (run->breaks)
    return next_chunk(filler);
  AL_TRY(al_clip_tokenizer_encode(filler->tokenizer, run->text, ids, capacity, &count, filler->err));
  struct al_token_chunks *chunks = filler->chunks;
  if (count > capacity)
    return too_long(filler);
  for (size_t i = 0; i < count; i++) {
    if (filler->at == chunks->n_positions - 2)
      AL_TRY(next_chunk(filler));
    size_t place = start_of(chunks, chunks->n - 1) + 1 + (size_t)filler->at++;
    chunks->tokens[place] = ids[i];
    chunks->weights[place] = run->weight;
    chunks->is_weighted = chunks->is_weighted || run->weight != 1;
  }
  return AL_OK;
}

enum al_code al_token_chunks_make(const struct al_clip_tokenizer *tokenizer, struct al_str prompt, int n_positions,
                                  struct al_arena *arena, struct al_token_chunks *chunks, struct al_err *err)
{
  struct al_prompt parsed;
  AL_TRY(al_prompt_parse(prompt, arena, &parsed, err));
  size_t capacity = (size_t)AL_MAX_CHUNKS * (size_t)n_positions;
  struct al_token_chunks made = { .n_positions = n_positions,
                                  .tokens = al_arena_array(arena, capacity, sizeof(int32_t)),
                                  .weights = al_arena_array(arena, capacity, sizeof(float)) };
  int32_t *ids = al_arena_array(arena, capacity, sizeof *ids);
  if (made.tokens == nullptr || made.weights == nullptr || ids == nullptr)
    return al_fail_oom(err, capacity * sizeof *ids);
  struct filler filler = { tokenizer, &made, 0, err };
  begin_chunk(&made, tokenizer);
  for (size_t i = 0; i < parsed.n; i++)
    AL_TRY(add_run(&filler, &parsed.runs[i], ids, capacity));
  end_chunk(&made, tokenizer, filler.at);
  *chunks = made;
  return AL_OK;
}

void al_token_chunks_pad(struct al_token_chunks *chunks, const struct al_clip_tokenizer *tokenizer, int n)
{
  while (chunks->n < n) {
    begin_chunk(chunks, tokenizer);
    end_chunk(chunks, tokenizer, 0);
  }
}
