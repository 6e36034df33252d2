#include "inference/token_task.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "codec/utf8.h"
#include "inference/impl.h"
#include "inference/pieces.h"
#include "inference/text_model.h"

struct token_task {
  struct al_task task;             /* first */
  struct al_token_request request; /* strings in the task's arena */
  struct al_str chat_json;         /* data nullptr: none */
  /* the answer */
  struct al_tokens tokens;
  struct al_buf bytes;
  struct al_str *pieces;
};

static void free_task(struct token_task *task)
{
  if (task == nullptr)
    return;
  al_free(task->tokens.ids);
  al_free(task->pieces);
  al_buf_done(&task->bytes);
  al_task_fini(&task->task);
  al_free(task);
}
AL_DEFINE_CLEANUP(struct token_task, free_task)

static void finish(struct token_task *task, const struct al_token_result *result)
{
  struct al_task_runner *runner = task->task.runner;
  al_task_release(&task->task, &(struct al_pool_use){});
  task->request.done(task->request.user, result);
  free_task(task);
  al_task_done(runner);
}

static void fail(struct al_task *task, const struct al_err *err)
{
  finish((struct token_task *)task, &(struct al_token_result){ .err = *err });
}

/* --- the work --------------------------------------------------------------------------------------------------- */

static enum al_code tokenize(struct token_task *task, const struct al_loaded *loaded, struct al_err *err)
{
  const struct al_token_request *request = &task->request;
  unsigned flags = (request->add_special ? (unsigned)AL_TOKENIZE_BOS : 0U) |
                   (request->parse_special ? (unsigned)AL_TOKENIZE_SPECIAL : 0U);
  AL_TRY(al_text_tokenize(loaded, request->text, flags, &task->tokens, err));
  task->pieces = al_calloc(task->tokens.count, sizeof *task->pieces);
  if (task->pieces == nullptr)
    return al_fail_oom(err, task->tokens.count * sizeof *task->pieces);
  for (size_t i = 0; i < task->tokens.count; i++) {
    size_t before = task->bytes.size;
    (void)al_piece_add(loaded, task->tokens.ids[i], &task->bytes);
    task->pieces[i].size = task->bytes.size - before;
  }
  AL_TRY(al_buf_check(&task->bytes, err));
  for (size_t i = 0, at = 0; i < task->tokens.count; at += task->pieces[i++].size)
    task->pieces[i].data = task->bytes.data + at;
  return AL_OK;
}

static enum al_code detokenize(struct token_task *task, const struct al_loaded *loaded, struct al_err *err)
{
  struct al_token_span span = task->request.tokens;
  AL_CLEANUP(al_buf_done) struct al_buf raw = {};
  for (size_t i = 0; i < span.count; i++) {
    if (span.ids[i] < 0 || span.ids[i] >= loaded->info.n_vocab)
      return al_fail_param(err, "tokens", "%d is no token of '%s', which has %d", span.ids[i], loaded->descriptor->id,
                           loaded->info.n_vocab);
    (void)al_piece_add(loaded, span.ids[i], &raw);
  }
  AL_TRY(al_buf_check(&raw, err));
  if (raw.size > 0)
    al_utf8_sanitize(al_buf_view(&raw), &task->bytes);
  return al_buf_check(&task->bytes, err);
}

static enum al_code render(struct token_task *task, const struct al_loaded *loaded, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  struct al_text_model *model;
  AL_TRY(al_text_model_of(loaded, &model, err));
  AL_TRY(al_json_parse(task->chat_json, &chat, err));
  return al_chat_render(model->chat, al_json_root(chat), &task->bytes, err);
}

static enum al_code count(struct token_task *task, const struct al_loaded *loaded, struct al_err *err)
{
  if (task->chat_json.data == nullptr)
    return al_chat_tokenize(loaded, task->request.text, &task->tokens, err);
  AL_TRY(render(task, loaded, err));
  return al_chat_tokenize(loaded, al_buf_view(&task->bytes), &task->tokens, err);
}

static enum al_code work(struct token_task *task, const struct al_loaded *loaded, struct al_err *err)
{
  AL_TRY(al_task_still_wanted(&task->task, err));
  if (loaded->scheduler == nullptr)
    return al_inference_wrong_kind(loaded->descriptor, "works on text", err);
  switch (task->request.task) {
  case AL_TASK_TOKENIZE: return tokenize(task, loaded, err);
  case AL_TASK_DETOKENIZE: return detokenize(task, loaded, err);
  case AL_TASK_RENDER: return render(task, loaded, err);
  case AL_TASK_COUNT: return count(task, loaded, err);
  }
  return AL_OK;
}

static void prepare(struct al_task *base)
{
  struct token_task *task = (struct token_task *)base;
  const struct al_loaded *loaded = al_pool_loaded(base->lease);
  struct al_err err = {};
  al_task_started(base);
  if (work(task, loaded, &err) != AL_OK) {
    fail(base, &err);
    return;
  }
  bool has_text = task->request.task == AL_TASK_DETOKENIZE || task->request.task == AL_TASK_RENDER;
  struct al_token_result result = {
    .tokens = { task->tokens.ids, task->tokens.count },
    .text = has_text && task->bytes.size > 0 ? al_buf_view(&task->bytes) : al_str(""),
    .pieces = task->pieces,
    .n_ctx = loaded->info.n_ctx,
  };
  finish(task, &result);
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static enum al_code copy_all(struct token_task *task, struct al_err *err)
{
  struct al_token_request *request = &task->request;
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  AL_TRY(al_task_copy_name(&task->task, &request->model, err));
  AL_TRY(al_task_copy_str(&task->task, &request->text, err));
  int32_t *ids = al_arena_array(task->task.arena, request->tokens.count, sizeof *ids);
  if (ids == nullptr)
    return al_fail_oom(err, request->tokens.count * sizeof *ids);
  if (request->tokens.count > 0)
    memcpy(ids, request->tokens.ids, request->tokens.count * sizeof *ids);
  request->tokens.ids = ids;
  if (request->chat == nullptr)
    return AL_OK;
  al_json_print(&json, request->chat);
  AL_TRY(al_buf_check(&json, err));
  request->chat = nullptr; /* was borrowed */
  task->chat_json = al_buf_view(&json);
  return al_task_copy_str(&task->task, &task->chat_json, err);
}

enum al_code al_tokens_submit(struct al_task_runner *runner, const struct al_token_request *request, struct al_err *err)
{
  static const struct al_task_ops ops = { .prepare = prepare, .fail = fail };
  bool wants_chat = request->task == AL_TASK_RENDER;
  if (wants_chat && request->chat == nullptr)
    return al_fail_param(err, "messages", "there are no messages to render");
  AL_CLEANUP(free_task_p) struct token_task *task = al_calloc(1, sizeof *task);
  if (task == nullptr)
    return al_fail_oom(err, sizeof *task);
  task->request = *request;
  AL_TRY(al_task_init(&task->task, &ops, request->cancel, err));
  AL_TRY(copy_all(task, err));
  AL_TRY(al_task_start(runner, &task->task, task->request.model, err));
  task = nullptr;
  return AL_OK;
}
