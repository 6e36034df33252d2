/* The sampler of one request: from logits to the next token, in llama.cpp's order.
 *
 *   bias, penalties, DRY -> top-k -> typical -> top-p -> min-p -> XTC -> temperature -> a draw
 *
 * Temperature 0 is greedy: the largest logit after bias, penalties and DRY, in one pass over the vocabulary. With
 * mirostat on, it alone shortens the list (the truncating samplers of the middle are off), after the temperature.
 * The probability that the truncating samplers see is that of temperature 1.
 *
 * Owned by one request, used by one thread; its draws depend on its seed alone, not on what runs beside it. */
#ifndef AL_SCHED_SAMPLER_H
#define AL_SCHED_SAMPLER_H

#include "base/err.h"
#include "sched/sampling.h"

struct al_sampler;

struct al_sampler_options {
  struct al_sampling sampling; /* resolved: no NaN, no -1 top_k; logit_bias is copied */
  size_t n_vocab;
  const uint8_t *dry_breakers; /* borrowed for the sampler's life, bit per token (dry.h); nullptr: none */
};

enum al_code al_sampler_new(const struct al_sampler_options *options, struct al_sampler **sampler, struct al_err *err);
void al_sampler_free(struct al_sampler *sampler); /* accepts nullptr */

/* Tokens that now belong to the text, prompt and answer alike: the penalties look back at them. */
enum al_code al_sampler_accept(struct al_sampler *sampler, const int32_t *tokens, size_t n_tokens, struct al_err *err);

/* Chooses from float[n_vocab], which is changed in place. NaN and infinities are tolerated; AL_INTERNAL when no token
 * has a usable logit. Does not accept the token. */
enum al_code al_sampler_choose(struct al_sampler *sampler, float *logits, int32_t *token, struct al_err *err);
/* The last choice does not count: what it taught the sampler is forgotten. The draws go on, the same for the same seed.
 */
void al_sampler_take_back(struct al_sampler *sampler);

#endif
