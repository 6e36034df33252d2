#include "base/alloc.h"
#include "sched/dry.h"
#include "sched/scheduler_impl.h"

static struct al_str piece_of(struct al_scheduler *s, int32_t token, bool special)
{
  constexpr size_t ENOUGH = 64;
  al_buf_clear(&s->piece);
  size_t size = ENOUGH;
  for (size_t room = 0; room < size;) {
    room = size;
    char *bytes = al_buf_room(&s->piece, room);
    if (bytes == nullptr)
      return (struct al_str){};
    s->options.ops->piece(s->options.model, token, special, bytes, room, &size);
  }
  al_buf_grew(&s->piece, size);
  return al_buf_view(&s->piece);
}

void al_scheduler_piece(struct al_scheduler *s, struct al_generated *token)
{
  token->piece = piece_of(s, token->token, false);
  if (token->piece.size > 0)
    return;
  token->piece = piece_of(s, token->token, true);
  token->is_control = token->piece.size > 0;
}

enum al_code al_scheduler_need_end_tokens(struct al_scheduler *s, struct al_err *err)
{
  if (s->end_tokens != nullptr)
    return AL_OK;
  void *tokens = nullptr;
  size_t count = 0, capacity = 0;
  enum al_code code = al_grow(&tokens, &capacity, 1, sizeof *s->end_tokens, err);
  for (int32_t token = 0; token < s->info.n_vocab && code == AL_OK; token++) {
    if (!s->options.ops->ends_generation(s->options.model, token))
      continue;
    code = al_grow(&tokens, &capacity, count + 1, sizeof *s->end_tokens, err);
    if (code == AL_OK)
      ((int32_t *)tokens)[count++] = token;
  }
  if (code != AL_OK) {
    al_free(tokens);
    return code;
  }
  s->end_tokens = tokens;
  s->n_end_tokens = count;
  return AL_OK;
}

enum al_code al_scheduler_need_dry_breakers(struct al_scheduler *s, struct al_err *err)
{
  if (s->dry_breakers != nullptr)
    return AL_OK;
  size_t n_bytes = (size_t)s->info.n_vocab / 8 + 1;
  uint8_t *bits = al_calloc(n_bytes, 1);
  if (bits == nullptr)
    return al_fail_oom(err, n_bytes);
  for (int32_t token = 0; token < s->info.n_vocab; token++) {
    struct al_str piece = piece_of(s, token, false);
    bool breaks = false;
    for (size_t i = 0; i < piece.size; i++)
      breaks = breaks || memchr(AL_DRY_BREAKERS, piece.data[i], sizeof AL_DRY_BREAKERS - 1) != nullptr;
    if (breaks)
      bits[token / 8] |= (uint8_t)(1U << (token % 8));
  }
  s->dry_breakers = bits;
  return AL_OK;
}
