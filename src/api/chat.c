/* POST /v1/chat/completions. */
#include "api/body.h"
#include "api/chat_answer.h"
#include "api/errors.h"
#include "api/format.h"
#include "api/messages.h"
#include "api/tools.h"

#include <stdio.h>

struct chat_request { /* what the tables read into; the shared parameters first */
  struct al_api_text_params text;
  const struct al_json *messages;
  int64_t max_tokens;
  int64_t max_completion_tokens;
  const struct al_json *tools;
  const struct al_json *tool_choice;
  bool logprobs;
  int top_logprobs;
};

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code check_modalities(const struct al_api_param *param, const struct al_json *body, void *target,
                                     struct al_err *err)
{
  (void)target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array", value);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it))
    if (!al_str_is(al_json_str(it.value), "text")) {
      char path[32];
      (void)snprintf(path, sizeof path, "modalities[%zu]", it.index);
      return al_api_unsupported(err, path, "%s: only \"text\" is supported", path);
    }
  return AL_OK;
}

static enum al_code read_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  struct chat_request *request = target;
  return al_api_format_read(al_json_get(body, param->name), param->name, AL_API_FORMAT_CHAT, &request->text, err);
}

#define FIELD(member) offsetof(struct chat_request, member)

static const struct al_api_param own[] = {
  { .name = "messages", .read = al_api_read_array, .offset = FIELD(messages) },
  { .name = "max_tokens", .read = al_api_read_int64, .offset = FIELD(max_tokens), .least = 1, .most = INT32_MAX },
  { .name = "max_completion_tokens",
    .read = al_api_read_int64,
    .offset = FIELD(max_completion_tokens),
    .least = 1,
    .most = INT32_MAX },
  { .name = "n", .read = al_api_read_int, .offset = FIELD(text.n), .least = 1, .most = AL_API_MAX_CHOICES },
  { .name = "response_format", .read = read_format },
  { .name = "json_schema", .read = al_api_read_json_schema },
  { .name = "tools", .read = al_api_read_array, .offset = FIELD(tools) },
  { .name = "tool_choice", .read = al_api_read_value, .offset = FIELD(tool_choice) },
  { .name = "functions", .read = al_api_check_empty, .words = "it is deprecated: send tools" },
  { .name = "function_call", .read = al_api_check_word, .words = "none|auto" },
  { .name = "modalities", .read = check_modalities },
  { .name = "logprobs", .read = al_api_read_bool, .offset = FIELD(logprobs) },
  { .name = "top_logprobs",
    .read = al_api_read_int,
    .offset = FIELD(top_logprobs),
    .least = 0,
    .most = AL_API_MAX_TOP_LOGPROBS },
  { .name = "audio", .read = al_api_refuse, .words = "only text is answered" },
  { .name = "prediction", .read = al_api_refuse, .words = "a predicted output would speed nothing up here" },
  { .name = "web_search_options", .read = al_api_refuse, .words = "there is no web search here" },
  { .name = "reasoning_effort", .read = al_api_read_reasoning_effort },
  { .name = "verbosity", .read = al_api_check_word, .words = "medium" },
  { .name = "store", .read = al_api_check_false, .words = "answers are not stored" },
  { .name = "service_tier", .read = al_api_check_word, .words = "auto|default" },
  { .name = "user", .read = al_api_check_str },
  { .name = "safety_identifier", .read = al_api_check_str },
  { .name = "prompt_cache_key", .read = al_api_check_str },
};

static enum al_code check(struct chat_request *request, const struct al_json *body, struct al_err *err)
{
  AL_TRY(al_api_text_params_check(&request->text, body, err));
  if (request->messages == nullptr)
    return al_api_missing(err, "messages");
  if (al_json_count(request->messages) == 0)
    return al_fail_param(err, "messages", "messages must not be empty");
  int64_t a = request->max_tokens, b = request->max_completion_tokens;
  if (a != 0 && b != 0 && a != b)
    return al_fail_param(err, "max_completion_tokens", "max_tokens and max_completion_tokens contradict each other");
  request->text.max_tokens = b != 0 ? b : a;
  if (request->top_logprobs > 0 && !request->logprobs)
    return al_fail_param(err, "top_logprobs", "top_logprobs needs logprobs: true");
  request->text.logprobs = request->logprobs ? request->top_logprobs + 1 : 0;
  return al_api_tools_read(request->tools, request->tool_choice, AL_API_TOOLS_CHAT, &request->text, err);
}

static enum al_code make_chat(const struct chat_request *request, struct al_json_doc **chat, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_api_chat_begin(&w);
  AL_TRY(al_api_messages_write(request->messages, &w, err));
  return al_api_chat_end(&w, &request->text, chat, err);
}

static enum al_code run(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_generation_new(exchange, api, sizeof(struct al_api_chat_answer), &al_api_chat_ops, &generation, err));

  struct chat_request request = { .text = generation->params };
  const struct al_api_param_table tables[] = { { own, AL_COUNT(own) }, al_api_text_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), al_json_root(body), &request, err));
  AL_TRY(check(&request, al_json_root(body), err));
  AL_TRY(make_chat(&request, &chat, err));
  generation->params = request.text;
  AL_TRY(al_api_chat_prepare(generation, err));
  AL_TRY(al_api_generation_submit(generation, al_json_root(chat), false, err));
  (void)AL_TAKE(generation);
  return AL_OK;
}

void al_api_chat(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
