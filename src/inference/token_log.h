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
  size_t n_tokens, tokens_capacity;
};

void al_token_log_done(struct al_token_log *log);
enum al_code al_token_log_add(struct al_token_log *log, const struct al_loaded *loaded,
                              const struct al_generated *token, struct al_err *err);
/* Sets *n_tokens. Borrowed until the next add; nullptr also when memory runs out, with *n_tokens 0. */
const struct al_text_token *al_token_log_view(struct al_token_log *log, size_t *n_tokens);
void al_token_log_clear(struct al_token_log *log);

#endif
