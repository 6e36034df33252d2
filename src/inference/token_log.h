/* Tokens with their probabilities that no event has carried yet. Owner: one choice; not thread-safe. */
#ifndef AL_INFERENCE_TOKEN_LOG_H
#define AL_INFERENCE_TOKEN_LOG_H

#include "base/buf.h"
#include "inference/text.h"
#include "sched/pool.h"

struct al_token_log {
  /* private */
  struct al_buf bytes;
  struct al_log_item *items; /* of every token: itself, then the most probable */
  size_t n_items, items_capacity;
  struct al_text_logprob *logprobs; /* what the tokens of a view point to */
  size_t logprobs_capacity;
  struct al_text_token *tokens;
  size_t *text_bytes; /* of each token */
  size_t n_tokens, tokens_capacity, text_bytes_capacity;
  bool failed;
};

void al_token_log_done(struct al_token_log *log);
/* n_bytes: how much of the text that goes on its way is this token's; 0 when its text is dropped. */
enum al_code al_token_log_add(struct al_token_log *log, const struct al_loaded *loaded,
                              const struct al_generated *token, size_t n_bytes, struct al_err *err);
/* The tokens, but for the last ones whose text lies within the n_held bytes that have not left. Sets *n_tokens.
 * Borrowed until the next call; nullptr when there are none, and with `failed` when memory runs out. */
const struct al_text_token *al_token_log_view(struct al_token_log *log, size_t n_held, size_t *n_tokens);
void al_token_log_drop(struct al_token_log *log, size_t n_tokens); /* the first ones */

#endif
