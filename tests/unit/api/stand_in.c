#include "stand_in.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- net --------------------------------------------------------------------------------------------------------- */

void exchange_init(struct al_http_exchange *exchange, const char *body)
{
  *exchange = (struct al_http_exchange){ .path = "/", .n_refs = 1, .body = al_str(body) };
  exchange->cancel = al_cancel_new();
  assert_non_null(exchange->cancel);
}

void exchange_done(struct al_http_exchange *exchange)
{
  assert_int_equal(exchange->n_refs, 1);
  if (exchange->pump_ops != nullptr)
    exchange->pump_ops->free(exchange->pump);
  al_buf_done(&exchange->sent);
  al_cancel_unref(exchange->cancel);
}

struct al_http_exchange *al_http_ref(struct al_http_exchange *exchange)
{
  exchange->n_refs++;
  return exchange;
}

void al_http_unref(struct al_http_exchange *exchange)
{
  assert_true(exchange->n_refs > 1);
  exchange->n_refs--;
}

struct al_str al_http_header(const struct al_http_exchange *exchange, const char *name)
{
  if (strcmp(name, "content-type") == 0)
    return al_str(exchange->content_type);
  if (strcmp(name, "authorization") == 0)
    return al_str(exchange->authorization);
  if (strcmp(name, "x-api-key") == 0)
    return al_str(exchange->api_key);
  return (struct al_str){};
}

struct al_str al_http_body(const struct al_http_exchange *exchange)
{
  return exchange->body;
}

struct al_str al_http_path(const struct al_http_exchange *exchange)
{
  return al_str(exchange->path);
}

struct al_str al_http_param(const struct al_http_exchange *exchange, const char *name)
{
  assert_string_equal(name, "id");
  return al_str(exchange->id_param);
}

const struct al_http_route *al_http_route(const struct al_http_exchange *exchange)
{
  (void)exchange;
  return nullptr;
}

enum al_http_method al_http_method(const struct al_http_exchange *exchange)
{
  (void)exchange;
  return AL_HTTP_POST;
}

const char *al_http_method_name(enum al_http_method method)
{
  (void)method;
  return "POST";
}

const char *al_http_request_id(const struct al_http_exchange *exchange)
{
  (void)exchange;
  return "req-1";
}

int64_t al_http_started_ns(const struct al_http_exchange *exchange)
{
  (void)exchange;
  return 1;
}

struct al_cancel *al_http_cancel(const struct al_http_exchange *exchange)
{
  return exchange->cancel;
}

void al_http_add_header(struct al_http_exchange *exchange, const char *name, const char *value)
{
  assert_int_equal(exchange->status, 0);
  size_t length = strlen(exchange->headers);
  (void)snprintf(exchange->headers + length, sizeof exchange->headers - length, "%s: %s\n", name, value);
}

void al_http_reply(struct al_http_exchange *exchange, int status, const char *content_type, struct al_str body)
{
  assert_int_equal(exchange->status, 0); /* one answer a request */
  if (!exchange->is_plain)
    assert_string_equal(content_type, "application/json");
  (void)snprintf(exchange->sent_type, sizeof exchange->sent_type, "%s", content_type);
  exchange->status = status;
  exchange->is_ended = true;
  al_buf_add(&exchange->sent, body.data, body.size);
}

void al_http_reply_error(struct al_http_exchange *exchange, int status, const char *type, const char *code,
                         const char *param, const char *message)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_key(&w, "error");
  al_jw_object(&w);
  al_jw_kv_str(&w, "message", message);
  al_jw_kv_str(&w, "type", type);
  al_jw_kv_str(&w, "param", param);
  al_jw_kv_str(&w, "code", code);
  al_jw_end(&w);
  al_jw_end(&w);
  al_http_reply(exchange, status, "application/json", al_buf_view(&text));
}

void al_http_begin(struct al_http_exchange *exchange, int status, const char *content_type)
{
  assert_int_equal(exchange->status, 0);
  if (!exchange->is_plain)
    assert_string_equal(content_type, "text/event-stream");
  (void)snprintf(exchange->sent_type, sizeof exchange->sent_type, "%s", content_type);
  exchange->status = status;
  exchange->is_streamed = true;
}

bool al_http_send(struct al_http_exchange *exchange, struct al_str bytes)
{
  assert_true(exchange->is_streamed && !exchange->is_ended);
  exchange->n_sends++;
  if (exchange->fail_sends_after > 0 && exchange->n_sends > exchange->fail_sends_after) {
    al_cancel_fire(exchange->cancel, AL_CANCELLED);
    return false;
  }
  /* One event a send, whole. */
  if (!exchange->is_plain)
    assert_true(bytes.size > 2 && memcmp(bytes.data + bytes.size - 2, "\n\n", 2) == 0);
  al_buf_add(&exchange->sent, bytes.data, bytes.size);
  return true;
}

void al_http_end(struct al_http_exchange *exchange)
{
  assert_true(exchange->is_streamed && !exchange->is_ended);
  exchange->is_ended = true;
}

/* --- store ------------------------------------------------------------------------------------------------------- */

const char *al_model_type_name(enum al_model_type type)
{
  return type == AL_TYPE_LLM ? "llm" : "other";
}

const char *al_model_format_name(enum al_model_format format)
{
  return format == AL_FORMAT_GGUF ? "gguf" : "other";
}

/* --- inference --------------------------------------------------------------------------------------------------- */

struct submitted submitted;
struct asked asked;
struct al_err refuse_submit;
struct al_err model_problem;

void submitted_clear(void)
{
  al_free(submitted.chat);
  al_free(asked.chat);
  submitted = (struct submitted){};
  asked = (struct asked){};
  refuse_submit = (struct al_err){};
  model_problem = (struct al_err){};
}

struct al_sampling al_sampling_default(void)
{
  return (
      struct al_sampling){ .temperature = 1, .top_p = 1, .typical_p = 1, .repeat_penalty = 1, .penalty_last_n = 64 };
}

static void note_prompt(const struct al_text_request *request)
{
  char *prompt = submitted.prompts[submitted.target];
  size_t size = sizeof submitted.prompts[0], length = 0;
  if (request->prompt.data != nullptr)
    (void)snprintf(prompt, size, "%.*s", (int)request->prompt.size, request->prompt.data);
  for (size_t i = 0; i < request->tokens.count && length < size; i++)
    length += (size_t)snprintf(prompt + length, size - length, i > 0 ? ",%d" : "%d", request->tokens.ids[i]);
  (void)snprintf(submitted.suffix, sizeof submitted.suffix, "%.*s", (int)request->suffix.size, request->suffix.data);
}

enum al_code al_inference_text(struct al_inference *inference, const struct al_text_request *request,
                               struct al_err *err)
{
  (void)inference;
  if (refuse_submit.code != AL_OK) {
    *err = refuse_submit;
    return err->code;
  }
  assert_true(submitted.count < (int)AL_COUNT(submitted.requests));
  submitted.target = submitted.count++;
  submitted.request = submitted.requests[submitted.target] = *request;
  note_prompt(request);
  (void)snprintf(submitted.model, sizeof submitted.model, "%s", request->model);
  for (size_t i = 0; i < request->n_stop; i++)
    (void)snprintf(submitted.stop[i], sizeof submitted.stop[i], "%s", request->stop[i]);
  for (size_t i = 0; i < request->n_lora && i < AL_COUNT(submitted.lora); i++) {
    (void)snprintf(submitted.lora[i].model, sizeof submitted.lora[i].model, "%s", request->lora[i].model);
    submitted.lora[i].scale = request->lora[i].scale;
  }
  if (request->chat == nullptr)
    return AL_OK;
  struct al_buf chat = {};
  al_json_print(&chat, request->chat);
  al_free(submitted.chat);
  submitted.chat = al_buf_take(&chat, nullptr);
  if (submitted.chat == nullptr) {
    al_buf_done(&chat);
    submitted.count--;
    return al_fail_oom(err, 1);
  }
  return AL_OK;
}

enum al_code al_inference_tokens(struct al_inference *inference, const struct al_token_request *request,
                                 struct al_err *err)
{
  (void)inference;
  if (refuse_submit.code != AL_OK) {
    *err = refuse_submit;
    return err->code;
  }
  asked.n_tokens++;
  asked.tokens = *request;
  (void)snprintf(asked.model, sizeof asked.model, "%s", request->model);
  struct al_buf chat = {};
  al_json_print(&chat, request->chat);
  al_free(asked.chat);
  asked.chat = al_buf_take(&chat, nullptr);
  al_buf_done(&chat);
  return AL_OK;
}

enum al_code al_inference_embed(struct al_inference *inference, const struct al_embed_request *request,
                                struct al_err *err)
{
  (void)inference;
  if (refuse_submit.code != AL_OK) {
    *err = refuse_submit;
    return err->code;
  }
  asked.n_embeds++;
  asked.embed = *request;
  (void)snprintf(asked.model, sizeof asked.model, "%s", request->model);
  return AL_OK;
}

void play(struct al_text_event event)
{
  const struct al_text_request *request = &submitted.requests[submitted.target];
  assert_non_null(request->on_event);
  request->on_event(request->user, &event);
}

void play_started(int n_prompt)
{
  play((struct al_text_event){ .kind = AL_TEXT_STARTED, .usage = { .n_prompt = n_prompt } });
}

void play_delta_of(int choice, const char *text)
{
  play((struct al_text_event){ .kind = AL_TEXT_DELTA, .choice = choice, .text = al_str(text) });
}

void play_delta(const char *text)
{
  play_delta_of(0, text);
}

void play_reasoning(const char *text)
{
  play((struct al_text_event){ .kind = AL_TEXT_REASONING, .text = al_str(text) });
}

void play_call(int call, const char *name, bool is_complete, const char *const *pieces)
{
  play((struct al_text_event){ .kind = AL_TEXT_CALL_BEGIN, .call = call, .text = al_str(name) });
  for (; *pieces != nullptr; pieces++)
    play((struct al_text_event){ .kind = AL_TEXT_CALL_DELTA, .call = call, .text = al_str(*pieces) });
  play((struct al_text_event){ .kind = AL_TEXT_CALL_END, .call = call, .is_complete = is_complete });
}

void play_token(const char *text, float logprob, const char *other)
{
  struct al_text_logprob top[2] = { { 7, al_str(text), logprob }, { 8, al_str(other), logprob - 1 } };
  struct al_text_token token = { top[0], top, other != nullptr ? 2 : 1 };
  play((struct al_text_event){ .kind = AL_TEXT_DELTA, .text = al_str(text), .tokens = &token, .n_tokens = 1 });
}

void play_choice_done(int choice, enum al_finish finish, const char *stop)
{
  submitted.choices_done[submitted.target] |= 1U << choice;
  play((struct al_text_event){ .kind = AL_TEXT_CHOICE_DONE, .choice = choice, .finish = finish, .stop = stop });
}

static bool is_an_end(enum al_finish finish)
{
  return finish != AL_FINISH_CANCELLED && finish != AL_FINISH_ERROR;
}

void play_done(enum al_finish finish, int n_completion)
{
  int n = submitted.requests[submitted.target].n > 1 ? submitted.requests[submitted.target].n : 1;
  for (int i = 0; i < n && is_an_end(finish); i++)
    if ((submitted.choices_done[submitted.target] & 1U << i) == 0)
      play_choice_done(i, finish, nullptr);
  play((struct al_text_event){ .kind = AL_TEXT_DONE,
                               .finish = finish,
                               .usage = { .n_prompt = 5, .n_cached = 2, .n_completion = n_completion },
                               .prompt_ms = 1.5,
                               .predicted_ms = 2.5 });
}

void play_failed(enum al_code code, const char *reason, const char *message)
{
  struct al_err err;
  (void)!al_fail_reason(&err, al_fail(&err, code, "%s", message), reason);
  play((struct al_text_event){ .kind = AL_TEXT_FAILED, .err = &err });
}

static struct al_model_descriptor tiny = {
  .id = (char[]){ "org/tiny" },
  .runtime = (char[]){ "llama_cpp" },
  .architecture = (char[]){ "qwen3" },
  .quantisation = (char[]){ "Q8_0" },
  .type = AL_TYPE_LLM,
  .format = AL_FORMAT_GGUF,
  .capabilities = AL_CAN_CHAT | AL_CAN_COMPLETE,
  .n_ctx_train = 4096,
  .size_bytes = 1000,
  .modified_s = 1'700'000'000,
};

static struct al_model_status status_of(void)
{
  return (
      struct al_model_status){ .descriptor = &tiny, .state = AL_MODEL_READY, .problem = model_problem, .n_running = 3 };
}

const char *al_model_state_name(enum al_model_state state)
{
  return state == AL_MODEL_READY ? "ready" : "unloaded";
}

enum al_code al_inference_model(struct al_inference *inference, const char *id, struct al_model_status *status,
                                struct al_err *err)
{
  (void)inference;
  if (strcmp(id, "org/tiny") != 0)
    return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "There is no model '%s'", id), "model_not_found");
  *status = status_of();
  return AL_OK;
}

void al_model_status_done(struct al_model_status *status)
{
  (void)status;
}

enum al_code al_inference_models(struct al_inference *inference, struct al_model_status_list *list, struct al_err *err)
{
  (void)inference;
  struct al_model_status *items = al_calloc(1, sizeof *items);
  if (items == nullptr)
    return al_fail_oom(err, sizeof *items);
  items[0] = status_of();
  *list = (struct al_model_status_list){ items, 1 };
  return AL_OK;
}

void al_model_status_list_free(struct al_model_status_list *list)
{
  al_free(list->items);
}

enum al_code al_inference_load(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                               struct al_err *err)
{
  struct al_model_status status;
  AL_TRY(al_inference_model(inference, id, &status, err));
  struct al_err result = model_problem;
  done(user, &result);
  return AL_OK;
}

enum al_code al_inference_unload(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                                 struct al_err *err)
{
  return al_inference_load(inference, id, done, user, err);
}

size_t al_inference_n_active(struct al_inference *inference)
{
  (void)inference;
  return 7;
}

/* --- helpers ----------------------------------------------------------------------------------------------------- */

struct al_api *make_api(const char *key)
{
  struct al_api *api = nullptr;
  assert_int_equal(al_api_new(&(struct al_api_options){ .api_key = key, .version = "9.9" }, &api, nullptr), AL_OK);
  return api;
}

struct al_json_doc *sent_json(const struct al_http_exchange *exchange)
{
  struct al_json_doc *doc = nullptr;
  struct al_err err = {};
  if (al_json_parse(al_buf_view(&exchange->sent), &doc, &err) != AL_OK)
    fail_msg("not JSON: %s", err.message);
  return doc;
}

static const struct al_json *step(const struct al_json *value, const char *part)
{
  if (al_json_kind(value) == AL_JSON_ARRAY)
    return al_json_at(value, (size_t)strtoul(part, nullptr, 10));
  return al_json_get(value, part);
}

const char *json_text(const struct al_json_doc *doc, const char *path)
{
  static char text[4096];
  const struct al_json *value = al_json_root(doc);
  for (const char *at = path; *at != '\0';) {
    char part[64];
    size_t length = strcspn(at, ".");
    (void)snprintf(part, sizeof part, "%.*s", (int)length, at);
    value = step(value, part);
    at += length + (at[length] == '.');
  }
  if (value == nullptr)
    return "";
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  al_json_print(&json, value);
  struct al_str out = al_json_kind(value) == AL_JSON_STRING ? al_json_str(value) : al_buf_view(&json);
  (void)snprintf(text, sizeof text, "%.*s", (int)out.size, out.data);
  return text;
}
