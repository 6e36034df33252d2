/* An array that slides: it grows to twice what matters, then the tail is moved to the front. */
#include "sched/history.h"

#include "base/alloc.h"

void al_history_init(struct al_history *history, size_t keep)
{
  *history = (struct al_history){ .keep = keep };
}

void al_history_done(struct al_history *history)
{
  al_free(history->tokens);
  *history = (struct al_history){};
}

static void slide(struct al_history *history)
{
  size_t drop = history->count - history->keep;
  memmove(history->tokens, history->tokens + drop, history->keep * sizeof *history->tokens);
  history->count = history->keep;
}

enum al_code al_history_add(struct al_history *history, const int32_t *tokens, size_t n_tokens, struct al_err *err)
{
  if (history->keep == 0 || n_tokens == 0)
    return AL_OK;
  if (n_tokens > history->keep) {
    tokens += n_tokens - history->keep;
    n_tokens = history->keep;
  }
  if (history->keep <= SIZE_MAX / 4 && history->count + n_tokens > 2 * history->keep)
    slide(history);
  void *grown = history->tokens;
  enum al_code code = al_grow(&grown, &history->capacity, history->count + n_tokens, sizeof *history->tokens, err);
  history->tokens = grown;
  AL_TRY(code);
  memcpy(history->tokens + history->count, tokens, n_tokens * sizeof *tokens);
  history->count += n_tokens;
  return AL_OK;
}

const int32_t *al_history_last(const struct al_history *history, size_t n, size_t *count)
{
  *count = al_min_size(n, history->count);
  return history->tokens == nullptr ? nullptr : history->tokens + (history->count - *count);
}
