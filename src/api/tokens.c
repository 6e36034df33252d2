/* POST /tokenize, /detokenize and /apply-template, in llama-server's form (and vLLM's: "prompt" for "content", with the
 * count and the context length in the answer). */
#include "api/body.h"
#include "api/errors.h"
#include "api/job.h"
#include "api/messages.h"
#include "api/text_params.h"
#include "codec/utf8.h"

constexpr size_t ARENA_CAP = (size_t)64 << 20;

struct tokens_job {
  struct al_api_job job; /* first */
  enum al_token_task task;
  const struct al_json *content;
  const struct al_json *tokens;
  bool add_special;
  bool parse_special;
  bool with_pieces;
};

/* --- the answers ------------------------------------------------------------------------------------------------- */

/* As text where it is text, else (part of a character) as an array of byte values, like llama-server. */
static void write_piece(struct al_json_writer *w, struct al_str piece)
{
  if (al_utf8_valid(piece)) {
    al_jw_str_n(w, piece);
    return;
  }
  al_jw_array(w);
  for (size_t i = 0; i < piece.size; i++)
    al_jw_int(w, (unsigned char)piece.data[i]);
  al_jw_end(w);
}

static void write_token(struct al_json_writer *w, const struct tokens_job *job, const struct al_token_result *result,
                        size_t i)
{
  if (!job->with_pieces) {
    al_jw_int(w, result->tokens.ids[i]);
    return;
  }
  al_jw_object(w);
  al_jw_kv_int(w, "id", result->tokens.ids[i]);
  al_jw_key(w, "piece");
  write_piece(w, result->pieces[i]);
  al_jw_end(w);
}

static void print(const struct tokens_job *job, const struct al_token_result *result, struct al_buf *text)
{
  struct al_json_writer w = al_json_writer(text);
  al_jw_object(&w);
  if (job->task == AL_TASK_DETOKENIZE)
    al_jw_kv_str_n(&w, "content", result->text);
  if (job->task == AL_TASK_RENDER)
    al_jw_kv_str_n(&w, "prompt", result->text);
  if (job->task == AL_TASK_TOKENIZE) {
    al_jw_key(&w, "tokens");
    al_jw_array(&w);
    for (size_t i = 0; i < result->tokens.count; i++)
      write_token(&w, job, result, i);
    al_jw_end(&w);
    al_jw_kv_int(&w, "count", (int64_t)result->tokens.count);
    al_jw_kv_int(&w, "max_model_len", result->n_ctx);
  }
  al_jw_end(&w);
}

static void on_done(void *user, const struct al_token_result *result)
{
  struct tokens_job *job = user;
  if (result->err.code != AL_OK) {
    al_api_reply_err(job->job.exchange, &result->err);
  } else {
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    print(job, result, &text);
    al_api_job_reply(&job->job, &text);
  }
  al_api_job_free(&job->job);
}

/* --- the requests ------------------------------------------------------------------------------------------------ */

static enum al_code submit(struct al_api_job **made, const struct al_api *api, struct al_token_request *request,
                           struct al_err *err)
{
  struct tokens_job *job = (struct tokens_job *)*made;
  if (job->job.model == nullptr)
    AL_TRY(al_api_job_only_model(&job->job, api, err));
  request->model = job->job.model;
  request->task = job->task;
  request->cancel = al_http_cancel(job->job.exchange);
  request->done = on_done;
  request->user = job;
  AL_TRY(al_inference_tokens(api->inference, request, err));
  (void)AL_TAKE(*made);
  return AL_OK;
}

static enum al_code new_job(struct al_http_exchange *exchange, enum al_token_task task, struct al_api_job **made,
                            struct al_err *err)
{
  AL_TRY(al_api_job_new(exchange, sizeof(struct tokens_job), ARENA_CAP, made, err));
  struct tokens_job *job = (struct tokens_job *)*made;
  job->task = task;
  job->parse_special = true;
  return AL_OK;
}

#define FIELD(member) offsetof(struct tokens_job, member)

static const struct al_api_param tokenize_params[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(job.model) },
  { .name = "content", .read = al_api_read_value, .offset = FIELD(content) },
  { .name = "prompt", .read = al_api_read_value, .offset = FIELD(content) },
  { .name = "add_special", .read = al_api_read_bool, .offset = FIELD(add_special) },
  { .name = "add_special_tokens", .read = al_api_read_bool, .offset = FIELD(add_special) },
  { .name = "parse_special", .read = al_api_read_bool, .offset = FIELD(parse_special) },
  { .name = "with_pieces", .read = al_api_read_bool, .offset = FIELD(with_pieces) },
};

static enum al_code tokenize(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(new_job(exchange, AL_TASK_TOKENIZE, &made, err));
  struct tokens_job *job = (struct tokens_job *)made;
  const struct al_api_param_table table = { tokenize_params, AL_COUNT(tokenize_params) };
  AL_TRY(al_api_params_read(&table, 1, al_json_root(body), job, err));
  if (job->content == nullptr)
    return al_api_missing(err, "content");
  if (al_json_kind(job->content) != AL_JSON_STRING)
    return al_api_wrong_kind(err, "content", "a string", job->content);
  struct al_token_request request = {
    .text = al_json_str(job->content),
    .add_special = job->add_special,
    .parse_special = job->parse_special,
  };
  return submit(&made, api, &request, err);
}

static const struct al_api_param detokenize_params[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(job.model) },
  { .name = "tokens", .read = al_api_read_array, .offset = FIELD(tokens) },
};

static enum al_code detokenize(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(new_job(exchange, AL_TASK_DETOKENIZE, &made, err));
  struct tokens_job *job = (struct tokens_job *)made;
  const struct al_api_param_table table = { detokenize_params, AL_COUNT(detokenize_params) };
  AL_TRY(al_api_params_read(&table, 1, al_json_root(body), job, err));
  if (job->tokens == nullptr)
    return al_api_missing(err, "tokens");
  struct al_token_request request = {};
  AL_TRY(al_api_read_tokens(made->arena, job->tokens, "tokens", &request.tokens, err));
  return submit(&made, api, &request, err);
}

/* The members that shape the prompt, read by the code that chat completions use, so that both see the same prompt. */
struct template_request {
  struct al_api_text_params text; /* first */
  const struct al_json *messages;
};

static const struct al_api_param template_params[] = {
  { .name = "messages", .read = al_api_read_array, .offset = offsetof(struct template_request, messages) },
};

static enum al_code apply_template(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(new_job(exchange, AL_TASK_RENDER, &made, err));
  struct template_request read = {};
  al_api_text_params_init(&read.text, made->arena);
  const struct al_api_param_table tables[] = { { template_params, AL_COUNT(template_params) }, al_api_text_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), al_json_root(body), &read, err));
  if (read.messages == nullptr)
    return al_api_missing(err, "messages");
  made->model = read.text.model;
  struct al_json_writer w = al_json_writer(&text);
  al_api_chat_begin(&w);
  AL_TRY(al_api_messages_write(read.messages, &w, err));
  AL_TRY(al_api_chat_end(&w, &read.text, &chat, err));
  struct al_token_request request = { .chat = al_json_root(chat) };
  return submit(&made, api, &request, err);
}

typedef enum al_code tokens_fn(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err);

static void answer(struct al_http_exchange *exchange, const struct al_api *api, tokens_fn *run)
{
  struct al_err err;
  if (run(exchange, api, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}

void al_api_tokenize(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, tokenize);
}

void al_api_detokenize(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, detokenize);
}

void al_api_apply_template(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, apply_template);
}
