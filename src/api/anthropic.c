/* POST /v1/messages and /v1/messages/count_tokens: Anthropic's API. */
#include "api/anthropic.h"

#include "api/body.h"
#include "api/job.h"

constexpr size_t COUNT_ARENA_CAP = (size_t)64 << 20;

static enum al_code make_chat(const struct al_api_anthropic_request *request, struct al_json_doc **chat,
                              struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_api_chat_begin(&w);
  AL_TRY(al_api_anthropic_messages_write(request->system, request->messages, &w, err));
  return al_api_chat_end(&w, &request->text, chat, err);
}

/* --- /v1/messages ------------------------------------------------------------------------------------------------ */

static enum al_code run(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_generation_new(exchange, api, sizeof(struct al_api_anthropic_answer), &al_api_anthropic_ops,
                               &generation, err));
  struct al_api_anthropic_request request = { .text = generation->params };
  const struct al_api_param_table tables[] = { al_api_anthropic_conversation, al_api_anthropic_sampling,
                                               al_api_text_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), al_json_root(body), &request, err));
  AL_TRY(al_api_anthropic_check(&request, err));
  if (request.text.max_tokens == 0)
    return al_api_missing(err, "max_tokens");
  AL_TRY(make_chat(&request, &chat, err));
  generation->params = request.text;
  ((struct al_api_anthropic_answer *)generation)->hides_thinking = request.hides_thinking;
  AL_TRY(al_api_generation_submit(generation, al_json_root(chat), false, err));
  (void)AL_TAKE(generation);
  return AL_OK;
}

void al_api_anthropic_messages(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  al_http_add_header(exchange, "request-id", al_http_request_id(exchange)); /* where Anthropic's clients look */
  if (run(exchange, app, &err) != AL_OK)
    al_api_anthropic_reply_err(exchange, &err);
}

/* --- /v1/messages/count_tokens ----------------------------------------------------------------------------------- */

static void on_counted(void *user, const struct al_token_result *result)
{
  struct al_api_job *job = user;
  if (result->err.code != AL_OK) {
    al_api_anthropic_reply_err(job->exchange, &result->err);
  } else {
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    struct al_json_writer w = al_json_writer(&text);
    al_jw_object(&w);
    al_jw_kv_int(&w, "input_tokens", (int64_t)result->tokens.count);
    al_jw_end(&w);
    al_api_job_reply(job, &text);
  }
  al_api_job_free(job);
}

static enum al_code count(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *job = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_job_new(exchange, sizeof *job, COUNT_ARENA_CAP, &job, err));

  struct al_api_anthropic_request request = {};
  al_api_text_params_init(&request.text, job->arena);
  AL_TRY(al_api_params_read(&al_api_anthropic_conversation, 1, al_json_root(body), &request, err));
  AL_TRY(al_api_anthropic_check(&request, err));
  AL_TRY(make_chat(&request, &chat, err));
  job->model = request.text.model;
  struct al_token_request submission = {
    .model = job->model,
    .task = AL_TASK_COUNT,
    .chat = al_json_root(chat),
    .cancel = al_http_cancel(exchange),
    .done = on_counted,
    .user = job,
  };
  AL_TRY(al_inference_tokens(api->inference, &submission, err));
  (void)AL_TAKE(job);
  return AL_OK;
}

void al_api_anthropic_count(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  al_http_add_header(exchange, "request-id", al_http_request_id(exchange));
  if (count(exchange, app, &err) != AL_OK)
    al_api_anthropic_reply_err(exchange, &err);
}
