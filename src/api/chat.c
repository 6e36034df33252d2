/* POST /v1/chat/completions. */
#include "api/body.h"
#include "api/errors.h"
#include "api/generation.h"
#include "api/messages.h"

#include <stdio.h>

struct chat_request { /* what the tables read into; the shared parameters first */
  struct al_api_text_params text;
  const struct al_json *messages;
  int64_t max_tokens;
  int64_t max_completion_tokens;
};

struct chat {
  struct al_api_generation base; /* first */
  struct al_str head;            /* of every chunk of the stream: up to "choices" */
};

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code check_tool_choice(const struct al_api_param *param, const struct al_json *body, void *target,
                                      struct al_err *err)
{
  (void)target;
  const struct al_json *value = al_json_get(body, param->name);
  struct al_str word = al_json_str(value);
  if (al_str_is(word, "none") || al_str_is(word, "auto"))
    return AL_OK;
  if (al_json_kind(value) == AL_JSON_OBJECT || al_str_is(word, "required"))
    return al_api_unsupported(err, param->name, "tool_choice asks for a tool, but tools are not supported yet");
  if (al_json_kind(value) != AL_JSON_STRING)
    return al_api_wrong_kind(err, param->name, "a string or an object", value);
  return al_fail_param(err, param->name, "tool_choice must be \"none\", \"auto\" or \"required\"");
}

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

static enum al_code check_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                 struct al_err *err)
{
  (void)target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  return al_api_check_text_format(value, param->name, err);
}

#define FIELD(member) offsetof(struct chat_request, member)
#define LATER         "not implemented yet"

static const struct al_api_param own[] = {
  { .name = "messages", .read = al_api_read_array, .offset = FIELD(messages) },
  { .name = "max_tokens", .read = al_api_read_int64, .offset = FIELD(max_tokens), .least = 1, .most = INT32_MAX },
  { .name = "max_completion_tokens",
    .read = al_api_read_int64,
    .offset = FIELD(max_completion_tokens),
    .least = 1,
    .most = INT32_MAX },
  { .name = "n", .read = al_api_check_one },
  { .name = "response_format", .read = check_format },
  { .name = "tools", .read = al_api_check_empty, .words = LATER },
  { .name = "functions", .read = al_api_check_empty, .words = "deprecated; and tools are " LATER },
  { .name = "tool_choice", .read = check_tool_choice },
  { .name = "function_call", .read = al_api_check_word, .words = "none|auto" },
  { .name = "modalities", .read = check_modalities },
  { .name = "logprobs", .read = al_api_check_false, .words = LATER },
  { .name = "top_logprobs", .read = al_api_check_zero, .words = LATER },
  { .name = "audio", .read = al_api_refuse, .words = "only text is answered" },
  { .name = "prediction", .read = al_api_refuse, .words = LATER },
  { .name = "web_search_options", .read = al_api_refuse, .words = "there is no web search here" },
  { .name = "reasoning_effort", .read = al_api_check_word, .words = "none" },
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
    return al_fail_reason(err, al_fail_param(err, "messages", "Missing required parameter: 'messages'"),
                          "missing_required_parameter");
  if (al_json_count(request->messages) == 0)
    return al_fail_param(err, "messages", "messages must not be empty");
  int64_t a = request->max_tokens, b = request->max_completion_tokens;
  if (a != 0 && b != 0 && a != b)
    return al_fail_param(err, "max_completion_tokens", "max_tokens and max_completion_tokens contradict each other");
  request->text.max_tokens = b != 0 ? b : a;
  return AL_OK;
}

static enum al_code make_chat(const struct chat_request *request, struct al_json_doc **chat, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_api_chat_begin(&w);
  AL_TRY(al_api_messages_write(request->messages, &w, err));
  return al_api_chat_end(&w, &request->text, chat, err);
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static void write_usage(struct al_json_writer *w, const struct al_api_generation *generation)
{
  const struct al_usage *usage = &generation->usage;
  al_jw_key(w, "usage");
  al_jw_object(w);
  al_jw_kv_int(w, "prompt_tokens", usage->n_prompt);
  al_jw_kv_int(w, "completion_tokens", usage->n_completion);
  al_jw_kv_int(w, "total_tokens", (int64_t)usage->n_prompt + usage->n_completion);
  al_jw_key(w, "prompt_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "cached_tokens", usage->n_cached);
  al_jw_end(w);
  al_jw_key(w, "completion_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "reasoning_tokens", 0);
  al_jw_end(w);
  al_jw_end(w);
}

static void write_timings(struct al_json_writer *w, const struct al_api_generation *generation)
{
  al_jw_key(w, "timings"); /* ours, beyond OpenAI's */
  al_jw_object(w);
  al_jw_kv_real(w, "prompt_ms", generation->prompt_ms);
  al_jw_kv_real(w, "predicted_ms", generation->predicted_ms);
  al_jw_end(w);
}

static const char *finish_name(const struct al_api_generation *generation)
{
  return generation->finish == AL_FINISH_LENGTH ? "length" : "stop";
}

/* What chunks and whole answers have in common. The object stays open. */
static void write_head(struct al_json_writer *w, const struct al_api_generation *generation, const char *object)
{
  al_jw_object(w);
  al_jw_kv_str(w, "id", generation->id);
  al_jw_kv_str(w, "object", object);
  al_jw_kv_int(w, "created", generation->created_s);
  al_jw_kv_str(w, "model", generation->params.model);
  al_jw_kv_str(w, "service_tier", "default");
  al_jw_kv_str(w, "system_fingerprint", generation->api->fingerprint);
}

static void print(struct al_api_generation *generation, struct al_buf *out)
{
  struct al_json_writer w = al_json_writer(out);
  write_head(&w, generation, "chat.completion");
  al_jw_key(&w, "choices");
  al_jw_array(&w);
  al_jw_object(&w);
  al_jw_kv_int(&w, "index", 0);
  al_jw_key(&w, "message");
  al_jw_object(&w);
  al_jw_kv_str(&w, "role", "assistant");
  al_jw_kv_str_n(&w, "content", al_buf_view(&generation->choices[0].text));
  al_jw_kv_null(&w, "refusal");
  al_jw_key(&w, "annotations");
  al_jw_array(&w);
  al_jw_end(&w);
  al_jw_end(&w);
  al_jw_kv_null(&w, "logprobs");
  al_jw_kv_str(&w, "finish_reason", finish_name(generation));
  al_jw_end(&w);
  al_jw_end(&w);
  write_usage(&w, generation);
  if (generation->params.metadata.size > 0)
    al_jw_kv_raw(&w, "metadata", generation->params.metadata);
  write_timings(&w, generation);
  al_jw_end(&w);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

/* "data: {...,": the same bytes for every chunk, made once. */
static enum al_code make_head(struct chat *chat, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "data: ");
  struct al_json_writer w = al_json_writer(&text);
  write_head(&w, &chat->base, "chat.completion.chunk");
  al_buf_str(&text, ",\"choices\":[");
  AL_TRY(al_buf_check(&text, err));
  chat->head.data = al_arena_strndup(chat->base.arena, text.data, text.size);
  chat->head.size = text.size;
  return chat->head.data != nullptr ? AL_OK : al_fail_oom(err, text.size);
}

static void begin_chunk(const struct al_api_generation *generation, struct al_buf *out)
{
  const struct chat *chat = (const struct chat *)generation;
  al_buf_add(out, chat->head.data, chat->head.size);
}

/* Ends a chunk that has a choice. */
static void send_chunk(struct al_api_generation *generation)
{
  al_buf_str(&generation->out, generation->params.include_usage ? "],\"usage\":null}\n\n" : "]}\n\n");
  al_api_generation_send(generation);
}

static void stream_started(struct al_api_generation *generation)
{
  begin_chunk(generation, &generation->out);
  al_buf_str(&generation->out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},"
                               "\"logprobs\":null,\"finish_reason\":null}");
  send_chunk(generation);
}

static void stream_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  if (event->kind != AL_TEXT_DELTA)
    return;
  struct al_buf *out = &generation->out;
  begin_chunk(generation, out);
  al_buf_str(out, "{\"index\":0,\"delta\":{\"content\":");
  struct al_json_writer w = al_json_writer(out);
  al_jw_str_n(&w, event->text);
  al_buf_str(out, "},\"logprobs\":null,\"finish_reason\":null}");
  send_chunk(generation);
}

/* The last chunk of stream_options.include_usage: no choice, the tokens of the whole request. */
static void send_usage(struct al_api_generation *generation)
{
  al_buf_str(&generation->out, "data: ");
  struct al_json_writer w = al_json_writer(&generation->out);
  write_head(&w, generation, "chat.completion.chunk");
  al_jw_key(&w, "choices");
  al_jw_array(&w);
  al_jw_end(&w);
  write_usage(&w, generation);
  write_timings(&w, generation);
  al_jw_end(&w);
  al_buf_str(&generation->out, "\n\n");
  al_api_generation_send(generation);
}

static void stream_finished(struct al_api_generation *generation)
{
  struct al_buf *out = &generation->out;
  begin_chunk(generation, out);
  al_buf_printf(out, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}", finish_name(generation));
  send_chunk(generation);
  if (generation->params.include_usage)
    send_usage(generation);
  al_buf_str(out, "data: [DONE]\n\n");
  al_api_generation_send(generation);
}

/* The form OpenAI's clients raise as an error; no [DONE] follows, so that nobody takes the text for complete. */
static void stream_failed(struct al_api_generation *generation, const struct al_err *err)
{
  struct al_buf *out = &generation->out;
  al_buf_str(out, "data: ");
  struct al_json_writer w = al_json_writer(out);
  al_api_write_err(&w, err);
  al_buf_str(out, "\n\n");
  al_api_generation_send(generation);
}

static const struct al_api_generation_ops ops = {
  .id_prefix = "chatcmpl-",
  .started = stream_started,
  .event = stream_event,
  .finished = stream_finished,
  .failed = stream_failed,
  .print = print,
};

static enum al_code run(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_generation_new(exchange, api, sizeof(struct chat), &ops, &generation, err));

  struct chat_request request = { .text = generation->params };
  const struct al_api_param_table tables[] = { { own, AL_COUNT(own) }, al_api_text_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), al_json_root(body), &request, err));
  AL_TRY(check(&request, al_json_root(body), err));
  AL_TRY(make_chat(&request, &chat, err));
  generation->params = request.text;
  if (request.text.stream)
    AL_TRY(make_head((struct chat *)generation, err));
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
