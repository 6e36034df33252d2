#include "inference/token_log.h"

#include "base/alloc.h"
#include "inference/pieces.h"

struct al_log_item {
  int32_t token;
  float logprob;
  size_t at, size; /* in `bytes` */
};

void al_token_log_done(struct al_token_log *log)
{
  al_buf_done(&log->bytes);
  al_free(log->items);
  al_free(log->logprobs);
  al_free(log->tokens);
  al_free(log->text_bytes);
  *log = (struct al_token_log){};
}

static enum al_code add_item(struct al_token_log *log, int32_t token, float logprob, size_t at, struct al_err *err)
{
  AL_TRY(al_buf_check(&log->bytes, err));
  void *items = log->items;
  AL_TRY(al_grow(&items, &log->items_capacity, log->n_items + 1, sizeof *log->items, err));
  log->items = items;
  log->items[log->n_items++] = (struct al_log_item){ token, logprob, at, log->bytes.size - at };
  return AL_OK;
}

static enum al_code reserve_token(struct al_token_log *log, struct al_err *err)
{
  void *tokens = log->tokens, *text_bytes = log->text_bytes;
  enum al_code code = al_grow(&tokens, &log->tokens_capacity, log->n_tokens + 1, sizeof *log->tokens, err);
  log->tokens = tokens;
  AL_TRY(code);
  code = al_grow(&text_bytes, &log->text_bytes_capacity, log->n_tokens + 1, sizeof *log->text_bytes, err);
  log->text_bytes = text_bytes;
  return code;
}

enum al_code al_token_log_add(struct al_token_log *log, const struct al_loaded *loaded,
                              const struct al_generated *token, size_t n_bytes, struct al_err *err)
{
  AL_TRY(reserve_token(log, err));
  size_t at = log->bytes.size;
  al_buf_add(&log->bytes, token->piece.data, token->piece.size);
  AL_TRY(add_item(log, token->token, token->logprob, at, err));
  for (size_t i = 0; i < token->n_top; i++) {
    at = log->bytes.size;
    (void)al_piece_add(loaded, token->top[i].token, &log->bytes);
    AL_TRY(add_item(log, token->top[i].token, token->top[i].logprob, at, err));
  }
  log->text_bytes[log->n_tokens] = n_bytes;
  log->tokens[log->n_tokens++] = (struct al_text_token){ .n_top = token->n_top };
  return AL_OK;
}

/* How many have left, at least in part. */
static size_t n_gone(const struct al_token_log *log, size_t n_held)
{
  size_t n = log->n_tokens;
  while (n > 0 && n_held > 0 && log->text_bytes[n - 1] <= n_held)
    n_held -= log->text_bytes[--n];
  return n;
}

const struct al_text_token *al_token_log_view(struct al_token_log *log, size_t n_held, size_t *n_tokens)
{
  *n_tokens = n_gone(log, n_held);
  void *logprobs = log->logprobs;
  if (*n_tokens == 0)
    return nullptr;
  if (al_grow(&logprobs, &log->logprobs_capacity, log->n_items, sizeof *log->logprobs, nullptr) != AL_OK) {
    log->failed = true;
    *n_tokens = 0;
    return nullptr;
  }
  log->logprobs = logprobs;
  for (size_t i = 0; i < log->n_items; i++) {
    const struct al_log_item *item = &log->items[i];
    log->logprobs[i] = (struct al_text_logprob){
      .token = item->token,
      .bytes = al_str_n(log->bytes.data + item->at, item->size),
      .logprob = item->logprob,
    };
  }
  for (size_t i = 0, item = 0; i < log->n_tokens; i++) {
    log->tokens[i].chosen = log->logprobs[item++];
    log->tokens[i].top = &log->logprobs[item];
    item += log->tokens[i].n_top;
  }
  return log->tokens;
}

void al_token_log_drop(struct al_token_log *log, size_t n_tokens)
{
  size_t n_items = 0;
  for (size_t i = 0; i < n_tokens; i++)
    n_items += 1 + log->tokens[i].n_top;
  log->n_tokens -= n_tokens;
  log->n_items -= n_items;
  if (log->n_tokens == 0) {
    al_buf_clear(&log->bytes);
    return;
  }
  memmove(log->tokens, log->tokens + n_tokens, log->n_tokens * sizeof *log->tokens);
  memmove(log->text_bytes, log->text_bytes + n_tokens, log->n_tokens * sizeof *log->text_bytes);
  memmove(log->items, log->items + n_items, log->n_items * sizeof *log->items);
}
