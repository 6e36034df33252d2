/* Hostile request bodies: the first byte picks the endpoint (or a WebSocket, then the rest are its messages) and how
 * the engine answers, the rest is the body. Whatever it is, there is one answer, which is JSON or a stream of events
 * (lines, for Ollama), never a 500, and nothing is left behind. Net and the inference engine are stand-ins; nothing is
 * stored. */
#include "api/context.h"
#include "api/response_live.h"
#include "base/alloc.h"
#include "base/log.h"
#include "codec/utf8.h"
#include "net/websocket.h"

#include <stdint.h>
#include <stdio.h>

struct al_http_exchange {
  struct al_str body;
  struct al_cancel *cancel;
  int n_refs, status;
  bool is_streamed, is_ended;
  const char *event_end;
};

static void require(bool condition)
{
  if (!condition)
    __builtin_trap();
}

/* --- net --------------------------------------------------------------------------------------------------------- */

struct al_http_exchange *al_http_ref(struct al_http_exchange *exchange)
{
  exchange->n_refs++;
  return exchange;
}

void al_http_unref(struct al_http_exchange *exchange)
{
  require(--exchange->n_refs > 0);
}

struct al_str al_http_header(const struct al_http_exchange *exchange, const char *name)
{
  (void)exchange;
  (void)name;
  return (struct al_str){};
}

struct al_str al_http_query(const struct al_http_exchange *exchange, const char *name)
{
  return al_http_header(exchange, name);
}

struct al_str al_http_param(const struct al_http_exchange *exchange, const char *name)
{
  return al_http_header(exchange, name);
}

struct al_str al_http_body(const struct al_http_exchange *exchange)
{
  return exchange->body;
}

const char *al_http_request_id(const struct al_http_exchange *exchange)
{
  (void)exchange;
  return "req_1";
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
  (void)exchange;
  require(strpbrk(name, "\r\n") == nullptr && strpbrk(value, "\r\n") == nullptr);
}

void al_http_reply(struct al_http_exchange *exchange, int status, const char *content_type, struct al_str body)
{
  (void)content_type;
  require(exchange->status == 0 && status != 500);
  exchange->status = status;
  exchange->is_ended = true;
  struct al_json_doc *doc = nullptr;
  require(al_json_parse(body, &doc, nullptr) == AL_OK);
  al_json_doc_free(doc);
}

void al_http_reply_error(struct al_http_exchange *exchange, int status, const char *type, const char *code,
                         const char *param, const char *message)
{
  (void)param;
  require(type != nullptr && code != nullptr && message[0] != '\0');
  al_http_reply(exchange, status, "application/json", al_str("{}"));
}

void al_http_begin(struct al_http_exchange *exchange, int status, const char *content_type)
{
  require(exchange->status == 0);
  exchange->status = status;
  exchange->is_streamed = true;
  exchange->event_end = strcmp(content_type, "text/event-stream") == 0 ? "\n\n" : "\n";
}

bool al_http_send(struct al_http_exchange *exchange, struct al_str bytes)
{
  require(exchange->is_streamed && !exchange->is_ended && al_str_ends(bytes, al_str(exchange->event_end)));
  return true;
}

void al_http_end(struct al_http_exchange *exchange)
{
  require(exchange->is_streamed && !exchange->is_ended);
  exchange->is_ended = true;
}

static struct {
  const struct al_websocket_handler *handler;
  void *user;
  char last[64]; /* the id of the last response */
  bool is_closed;
} websocket;

bool al_websocket_accept(struct al_http_exchange *exchange, const struct al_websocket_handler *handler, void *user)
{
  (void)exchange;
  websocket.handler = handler;
  websocket.user = user;
  return true;
}

bool al_websocket_send(struct al_http_exchange *exchange, struct al_str text)
{
  (void)exchange;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  require(al_json_parse(text, &doc, nullptr) == AL_OK);
  const struct al_json *root = al_json_root(doc);
  struct al_str id = al_json_str(al_json_get(al_json_get(root, "response"), "id"));
  if (id.size > 0)
    (void)snprintf(websocket.last, sizeof websocket.last, "%.*s", (int)id.size, id.data);
  require(al_json_int(al_json_get(root, "status"), 0) != 500);
  return !websocket.is_closed;
}

void al_websocket_close(struct al_http_exchange *exchange, enum al_websocket_code code, const char *reason)
{
  (void)exchange;
  require(code != 0 && reason[0] != '\0');
  websocket.is_closed = true;
}

const char *al_model_format_name(enum al_model_format format)
{
  (void)format;
  return "gguf";
}

/* --- inference --------------------------------------------------------------------------------------------------- */

constexpr size_t MOST = 256;
static struct al_text_request texts[MOST];
static size_t n_texts;
static struct al_token_request counted;
static struct al_embed_request embedded;
static struct { /* a load or an unload */
  al_model_done_fn *done;
  void *user;
} moved;

struct al_sampling al_sampling_default(void)
{
  return (struct al_sampling){ .temperature = 1, .top_p = 1 };
}

enum al_code al_inference_text(struct al_inference *inference, const struct al_text_request *request,
                               struct al_err *err)
{
  (void)inference;
  if (n_texts == MOST)
    return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "full"), "overloaded");
  texts[n_texts++] = *request;
  return AL_OK;
}

enum al_code al_inference_tokens(struct al_inference *inference, const struct al_token_request *request,
                                 struct al_err *err)
{
  (void)inference;
  (void)err;
  counted = *request;
  return AL_OK;
}

enum al_code al_inference_embed(struct al_inference *inference, const struct al_embed_request *request,
                                struct al_err *err)
{
  (void)inference;
  (void)err;
  embedded = *request;
  return AL_OK;
}

enum al_code al_inference_load(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                               struct al_err *err)
{
  (void)inference;
  if (id[0] == 'x')
    return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "there is no model '%s'", id), "model_not_found");
  moved.done = done;
  moved.user = user;
  return AL_OK;
}

enum al_code al_inference_unload(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                                 struct al_err *err)
{
  return al_inference_load(inference, id, done, user, err);
}

enum al_code al_inference_model(struct al_inference *inference, const char *id, struct al_model_status *status,
                                struct al_err *err)
{
  (void)inference;
  static struct al_model_descriptor model = { .id = "m", .architecture = "llama", .quantisation = "F16" };
  if (id[0] == 'x')
    return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "there is no model '%s'", id), "model_not_found");
  *status = (struct al_model_status){ .descriptor = &model, .n_ctx = 4096 };
  return AL_OK;
}

void al_model_status_done(struct al_model_status *status)
{
  (void)status;
}

enum al_code al_inference_models(struct al_inference *inference, struct al_model_status_list *list, struct al_err *err)
{
  (void)inference;
  (void)err;
  *list = (struct al_model_status_list){};
  return AL_OK;
}

void al_model_status_list_free(struct al_model_status_list *list)
{
  (void)list;
}

static void answer_choice(const struct al_text_request *request, int choice)
{
  struct al_text_logprob top = { 1, al_str("\xff"), -1 };
  struct al_text_token token = { { 2, al_str("a\""), -2 }, &top, 1 };
  const struct al_text_event events[] = {
    { .kind = AL_TEXT_REASONING, .text = al_str("hm") },
    { .kind = AL_TEXT_DELTA, .text = al_str("a\""), .tokens = &token, .n_tokens = request->logprobs > 0 },
    { .kind = AL_TEXT_CALL_BEGIN, .text = al_str("f") },
    { .kind = AL_TEXT_CALL_DELTA, .text = al_str("{}") },
    { .kind = AL_TEXT_CALL_END, .is_complete = true },
    { .kind = AL_TEXT_CHOICE_DONE, .finish = AL_FINISH_TOOL_CALLS },
  };
  for (size_t i = 0; i < AL_COUNT(events); i++) {
    struct al_text_event event = events[i];
    event.choice = choice;
    request->on_event(request->user, &event);
  }
}

static void fail(const struct al_text_request *request)
{
  struct al_err err = { .code = AL_INVALID_REQUEST, .message = "too long" };
  request->on_event(request->user, &(struct al_text_event){ .kind = AL_TEXT_FAILED, .err = &err });
}

/* How the engine answers. */
enum manner { WELL, FAILING_AT_ONCE, FAILING_LATE, MANNERS };

static void answer(const struct al_text_request *request, enum manner manner)
{
  struct al_text_event event = { .kind = AL_TEXT_STARTED, .usage.n_prompt = 1 };
  if (manner == FAILING_AT_ONCE) {
    fail(request);
    return;
  }
  request->on_event(request->user, &event);
  if (request->prompt_logprobs)
    request->on_event(request->user, &(struct al_text_event){ .kind = AL_TEXT_PROMPT, .text = al_str("p") });
  for (int i = 0; i < (request->n > 1 ? request->n : 1); i++)
    answer_choice(request, i);
  if (manner == FAILING_LATE)
    fail(request);
  else
    request->on_event(request->user, &(struct al_text_event){ .kind = AL_TEXT_DONE, .finish = AL_FINISH_TOOL_CALLS });
}

static void answer_tokens(enum manner manner)
{
  static const int32_t ids[] = { 1, 2, 3 };
  const struct al_str pieces[] = { al_str("a"), al_str("\xc3"), al_str("\xa9") };
  struct al_token_result result = {
    .tokens = { ids, AL_COUNT(ids) }, .text = al_str("a\xff"), .pieces = pieces, .n_ctx = 4096
  };
  if (manner != WELL)
    result.err = (struct al_err){ .code = AL_INVALID_REQUEST, .message = "too long" };
  counted.done(counted.user, &result);
}

static void answer_embeddings(enum manner manner)
{
  constexpr size_t most = 1024;
  static const float rows[2 * most] = { 1, -2, 0.5F };
  struct al_embed_result result = { .n_rows = embedded.n_texts, .n_dims = 2, .rows = rows, .n_tokens = 3 };
  if (embedded.query.data != nullptr)
    result.n_dims = 1;
  if (manner != WELL || embedded.n_texts > most)
    result.err = (struct al_err){ .code = AL_INVALID_REQUEST, .message = "too long" };
  embedded.done(embedded.user, &result);
}

static void answer_all(enum manner manner)
{
  size_t n = n_texts;
  n_texts = 0;
  for (size_t i = 0; i < n; i++)
    answer(&texts[i], manner);
  if (counted.done != nullptr)
    answer_tokens(manner);
  if (embedded.done != nullptr)
    answer_embeddings(manner);
  if (moved.done != nullptr)
    moved.done(moved.user, &(struct al_err){ .code = manner == WELL ? AL_OK : AL_INVALID_REQUEST, .message = "no" });
}

/* ---------------------------------------------------------------------------------------------------------------- */

static al_http_handler *const handlers[] = {
  al_api_chat,        al_api_completions,     al_api_anthropic_messages, al_api_anthropic_count,
  al_api_responses,   al_api_responses_count, al_api_responses_compact,  al_api_embeddings,
  al_api_rerank,      al_api_tokenize,        al_api_detokenize,         al_api_apply_template,
  al_api_ollama_chat, al_api_ollama_generate, al_api_ollama_embed,       al_api_ollama_show,
};

static struct al_api api;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  al_log_setup(AL_LOG_ERROR, false);
  api.lives = al_api_lives_new();
  require(api.lives != nullptr);
  return 0;
}

/* Messages on one socket, a zero byte between them. A byte 1 in one stands for the last response's id, a byte 2 at its
 * end says that it is answered only after the next. */
static void talk(struct al_http_exchange *exchange, struct al_str messages, enum manner manner)
{
  al_api_responses_socket(exchange, &api);
  while (messages.size > 0 && n_texts < MOST) {
    const char *end = memchr(messages.data, 0, messages.size);
    size_t size = end != nullptr ? (size_t)(end - messages.data) : messages.size;
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    bool waits = size > 0 && messages.data[size - 1] == 2;
    for (size_t i = 0; i < size - waits; i++)
      if (messages.data[i] == 1)
        al_buf_str(&text, websocket.last);
      else
        al_buf_char(&text, messages.data[i]);
    size += end != nullptr;
    messages = al_str_n(messages.data + size, messages.size - size);
    if (!al_utf8_valid(al_buf_view(&text))) /* frames see to that */
      continue;
    websocket.handler->message(exchange, al_buf_view(&text), websocket.user);
    if (!waits)
      answer_all(manner);
  }
  websocket.handler->draining(exchange, websocket.user);
  answer_all(manner);
  require(websocket.is_closed);
  websocket.handler->closed(exchange, websocket.user);
}

constexpr uint8_t FIRST_SOCKET = 0xf0;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  struct al_http_exchange exchange = { .body = al_str_n((const char *)data + 1, size - 1), .n_refs = 1 };
  exchange.cancel = al_cancel_new();
  n_texts = 0;
  counted.done = nullptr;
  embedded.done = nullptr;
  moved.done = nullptr;
  websocket.is_closed = false;
  websocket.last[0] = '\0';
  if (data[0] >= FIRST_SOCKET) {
    talk(&exchange, exchange.body, (enum manner)(data[0] % MANNERS));
  } else {
    handlers[data[0] % AL_COUNT(handlers)](&exchange, &api);
    answer_all((enum manner)(data[0] / AL_COUNT(handlers) % MANNERS));
    require(exchange.status != 0 && exchange.is_ended);
  }
  require(exchange.n_refs == 1);
  al_cancel_unref(exchange.cancel);
  return 0;
}
