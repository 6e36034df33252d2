/* Probabilities of tokens in the form that Chat Completions and Responses share. */
#ifndef AL_API_LOGPROBS_H
#define AL_API_LOGPROBS_H

#include "codec/json.h"
#include "inference/text.h"

/* Appends {"token", "logprob", "bytes", "top_logprobs"} for each, separated by commas, to elements that may already be
 * there: an array's inside. Tokens that are no whole UTF-8 have U+FFFD in "token"; "bytes" is exact. */
void al_api_logprobs_append(struct al_buf *out, const struct al_text_token *tokens, size_t n_tokens);

/* What a client reads in the place of a probability that is unknown or zero: JSON has neither NaN nor infinity. */
double al_api_logprob_value(float logprob);

#endif
