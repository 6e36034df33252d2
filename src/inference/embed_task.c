#include "inference/embed_task.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "inference/chat.h"
#include "inference/impl.h"

constexpr size_t MOST_TEXTS = 2048;
constexpr size_t MOST_TOKENS = (size_t)4 << 20; /* of all texts */

struct embed_task {
  struct al_task task;             /* first */
  struct al_embed_request request; /* strings in the task's arena */
  struct al_embedding_text *texts; /* in the arena; their tokens are owned one by one */
  int n_tokens;
};

static void free_task(struct embed_task *embed)
{
  if (embed == nullptr)
    return;
  for (size_t i = 0; embed->texts != nullptr && i < embed->request.n_texts; i++) {
    void *tokens = (void *)(uintptr_t)embed->texts[i].tokens; /* the scheduler sees them const */
    al_free(tokens);
  }
  al_task_fini(&embed->task);
  al_free(embed);
}
AL_DEFINE_CLEANUP(struct embed_task, free_task)

static void finish(struct embed_task *embed, const struct al_embed_result *result)
{
  struct al_task_runner *runner = embed->task.runner;
  al_task_release(&embed->task, &(struct al_pool_use){ .n_prompt = result->n_tokens });
  embed->request.done(embed->request.user, result);
  free_task(embed);
  al_task_done(runner);
}

static void fail(struct al_task *task, const struct al_err *err)
{
  finish((struct embed_task *)task, &(struct al_embed_result){ .err = *err });
}

/* --- tokens ----------------------------------------------------------------------------------------------------- */

static bool is_rerank(const struct embed_task *embed)
{
  return embed->request.query.data != nullptr;
}

static enum al_code tokenize_pair(const struct al_loaded *loaded, struct al_str query, struct al_str document,
                                  struct al_tokens *tokens, struct al_err *err)
{
  constexpr size_t BYTES_PER_TOKEN = 3;
  AL_CLEANUP(al_free_p) int32_t *ids = nullptr;
  size_t capacity = (query.size + document.size) / BYTES_PER_TOKEN + 32, count = 0;
  for (int attempt = 0; attempt < 2; attempt++) {
    al_free(AL_TAKE(ids));
    ids = al_alloc(capacity * sizeof *ids);
    if (ids == nullptr)
      return al_fail_oom(err, capacity * sizeof *ids);
    AL_TRY(loaded->engine->text->tokenize_pair(loaded->model, query, document, ids, capacity, &count, err));
    if (count <= capacity)
      break;
    capacity = count;
  }
  if (count > capacity)
    return al_fail(err, AL_INTERNAL, "the tokeniser contradicts itself: %zu tokens, then %zu", capacity, count);
  *tokens = (struct al_tokens){ AL_TAKE(ids), count };
  return AL_OK;
}

static enum al_code tokenize(const struct embed_task *embed, struct al_str text, struct al_tokens *tokens,
                             struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(embed->task.lease);
  if (is_rerank(embed))
    return tokenize_pair(loaded, embed->request.query, text, tokens, err);
  return al_text_tokenize(loaded, text, AL_TOKENIZE_SPECIAL | AL_TOKENIZE_BOS, tokens, err);
}

static enum al_code too_long(const struct al_loaded *loaded, size_t i, size_t count, size_t most, struct al_err *err)
{
  enum al_code code = al_fail(err, AL_INVALID_REQUEST,
                              "text %zu has %zu tokens, but '%s' takes %zu at once; shorten it, or ask for truncation",
                              i + 1, count, loaded->descriptor->id, most);
  return al_fail_reason(err, code, "context_length_exceeded");
}

static size_t whole_characters(struct al_str text, size_t size)
{
  while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
    size--;
  return size;
}

/* The longest beginning whose tokens fit, by bisection, so that whatever the tokenizer puts at the end stays. */
static enum al_code shorten(const struct embed_task *embed, struct al_str text, size_t most, struct al_tokens *tokens,
                            struct al_err *err)
{
  size_t fits = 0, too_many = text.size; /* sizes */
  struct al_tokens best = {};
  while (too_many - fits > 1) {
    struct al_tokens tried = {};
    size_t size = fits + (too_many - fits) / 2;
    enum al_code code = tokenize(embed, al_str_n(text.data, whole_characters(text, size)), &tried, err);
    if (code != AL_OK) {
      al_free(best.ids);
      return code;
    }
    struct al_tokens *loser = tried.count <= most ? &best : &tried;
    al_free(loser->ids);
    *loser = (struct al_tokens){};
    if (loser == &best) {
      best = tried;
      fits = size;
    } else {
      too_many = size;
    }
  }
  al_free(tokens->ids);
  *tokens = best;
  return AL_OK;
}

static enum al_code copy_span(const struct al_loaded *loaded, struct al_token_span span, struct al_tokens *tokens,
                              struct al_err *err)
{
  for (size_t i = 0; i < span.count; i++)
    if (span.ids[i] < 0 || span.ids[i] >= loaded->info.n_vocab)
      return al_fail_param(err, "input", "%d is no token of '%s', which has %d", span.ids[i], loaded->descriptor->id,
                           loaded->info.n_vocab);
  tokens->ids = al_alloc(span.count * sizeof *tokens->ids);
  if (tokens->ids == nullptr)
    return al_fail_oom(err, span.count * sizeof *tokens->ids);
  memcpy(tokens->ids, span.ids, span.count * sizeof *tokens->ids);
  tokens->count = span.count;
  return AL_OK;
}

static enum al_code make_text(struct embed_task *embed, size_t i, struct al_tokens *tokens, struct al_err *err)
{
  const struct al_embed_request *request = &embed->request;
  const struct al_loaded *loaded = al_pool_loaded(embed->task.lease);
  const struct al_text_info *info = &loaded->info;
  size_t most = (size_t)(info->n_ctx < info->n_batch ? info->n_ctx : info->n_batch);
  bool has_span = request->tokens != nullptr && request->tokens[i].count > 0;
  if (has_span)
    AL_TRY(copy_span(loaded, request->tokens[i], tokens, err));
  else
    AL_TRY(tokenize(embed, request->texts[i], tokens, err));
  if (tokens->count > most && !request->truncate)
    return too_long(loaded, i, tokens->count, most, err);
  if (tokens->count > most && has_span)
    tokens->count = most;
  if (tokens->count > most)
    AL_TRY(shorten(embed, request->texts[i], most, tokens, err));
  if (tokens->count == 0)
    return al_fail_param(err, is_rerank(embed) ? "documents" : "input",
                         "text %zu has no tokens: there is nothing to embed", i + 1);
  return AL_OK;
}

static enum al_code make_texts(struct embed_task *embed, struct al_err *err)
{
  size_t total = 0;
  for (size_t i = 0; i < embed->request.n_texts; i++) {
    struct al_tokens tokens = {};
    AL_TRY(al_task_still_wanted(&embed->task, err));
    enum al_code code = make_text(embed, i, &tokens, err);
    embed->texts[i] = (struct al_embedding_text){ tokens.ids, tokens.count };
    AL_TRY(code);
    total += tokens.count;
    if (total > MOST_TOKENS)
      return al_fail_param(err, "input", "the texts have more than %zu tokens together", MOST_TOKENS);
  }
  embed->n_tokens = (int)total;
  return AL_OK;
}

/* --- the scheduler's side --------------------------------------------------------------------------------------- */

static void on_rows(void *user, const float *rows, const struct al_err *err)
{
  struct embed_task *embed = user;
  const struct al_loaded *loaded = al_pool_loaded(embed->task.lease);
  struct al_embed_result result = {
    .err = *err,
    .n_rows = embed->request.n_texts,
    .n_dims = (size_t)loaded->info.n_embd,
    .rows = rows,
    .n_tokens = embed->n_tokens,
  };
  finish(embed, &result);
}

static enum al_code check_model(const struct embed_task *embed, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(embed->task.lease);
  const struct al_text_ops *ops = loaded->engine->text;
  bool ranks = ops != nullptr && loaded->info.pooling == AL_POOLING_RANK && ops->tokenize_pair != nullptr;
  bool embeds = ops != nullptr && ops->embed != nullptr && loaded->info.pooling != AL_POOLING_NONE;
  const char *id = loaded->descriptor->id;
  if (ops == nullptr)
    return al_inference_wrong_kind(loaded->descriptor, is_rerank(embed) ? "ranks documents" : "makes embeddings", err);
  if (is_rerank(embed))
    return ranks ? AL_OK : al_fail(err, AL_UNSUPPORTED, "'%s' is no reranker", id);
  if (loaded->info.pooling == AL_POOLING_RANK)
    return al_fail(err, AL_UNSUPPORTED, "'%s' is a reranker; it makes scores, not embeddings", id);
  return embeds ? AL_OK : al_fail(err, AL_UNSUPPORTED, "'%s' makes no embeddings", id);
}

static enum al_code submit(struct embed_task *embed, struct al_err *err)
{
  struct al_embedding_job job = {
    .texts = embed->texts,
    .n_texts = embed->request.n_texts,
    .cancel = embed->request.cancel,
    .done = on_rows,
    .user = embed,
  };
  al_task_started(&embed->task);
  return al_scheduler_embed(al_pool_loaded(embed->task.lease)->scheduler, &job, err);
}

static void prepare(struct al_task *task)
{
  struct embed_task *embed = (struct embed_task *)task;
  struct al_err err = {};
  enum al_code code = al_task_still_wanted(task, &err);
  if (code == AL_OK)
    code = check_model(embed, &err);
  if (code == AL_OK)
    code = make_texts(embed, &err);
  if (code == AL_OK)
    code = submit(embed, &err);
  if (code != AL_OK)
    fail(task, &err);
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static enum al_code copy_spans(struct embed_task *embed, struct al_err *err)
{
  struct al_embed_request *request = &embed->request;
  if (request->tokens == nullptr)
    return AL_OK;
  struct al_token_span *copies = al_arena_array(embed->task.arena, request->n_texts, sizeof *copies);
  if (copies == nullptr)
    return al_fail_oom(err, request->n_texts * sizeof *copies);
  for (size_t i = 0; i < request->n_texts; i++) {
    struct al_token_span span = request->tokens[i];
    if (span.count == 0)
      continue;
    int32_t *ids = al_arena_array(embed->task.arena, span.count, sizeof *ids);
    if (ids == nullptr)
      return al_fail_oom(err, span.count * sizeof *ids);
    memcpy(ids, span.ids, span.count * sizeof *ids);
    copies[i] = (struct al_token_span){ ids, span.count };
  }
  request->tokens = copies;
  return AL_OK;
}

static enum al_code copy_all(struct embed_task *embed, struct al_err *err)
{
  struct al_embed_request *request = &embed->request;
  struct al_str *texts = al_arena_array(embed->task.arena, request->n_texts, sizeof *texts);
  embed->texts = al_arena_array(embed->task.arena, request->n_texts, sizeof *embed->texts);
  if (texts == nullptr || embed->texts == nullptr)
    return al_fail_oom(err, request->n_texts * sizeof *texts);
  for (size_t i = 0; i < request->n_texts; i++) {
    texts[i] = request->texts != nullptr ? request->texts[i] : al_str("");
    AL_TRY(al_task_copy_str(&embed->task, &texts[i], err));
  }
  request->texts = texts;
  AL_TRY(al_task_copy_name(&embed->task, &request->model, err));
  if (request->query.data != nullptr)
    AL_TRY(al_task_copy_str(&embed->task, &request->query, err));
  return copy_spans(embed, err);
}

enum al_code al_embed_submit(struct al_task_runner *runner, const struct al_embed_request *request, struct al_err *err)
{
  static const struct al_task_ops ops = { .prepare = prepare, .fail = fail };
  if (request->n_texts == 0 || request->n_texts > MOST_TEXTS)
    return al_fail_param(err, request->query.data != nullptr ? "documents" : "input",
                         "1 to %zu texts go together, not %zu", MOST_TEXTS, request->n_texts);
  AL_CLEANUP(free_task_p) struct embed_task *embed = al_calloc(1, sizeof *embed);
  if (embed == nullptr)
    return al_fail_oom(err, sizeof *embed);
  embed->request = *request;
  AL_TRY(al_task_init(&embed->task, &ops, request->cancel, err));
  AL_TRY(copy_all(embed, err));
  AL_TRY(al_task_start(runner, &embed->task, embed->request.model, err));
  embed = nullptr;
  return AL_OK;
}
