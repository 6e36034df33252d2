/* Hostile request bodies: the first byte picks the endpoint, the rest is the body. Whatever it is, there is one answer,
 * which is JSON or a stream of events, never a 500, and nothing is left behind. Net and the inference engine are
 * stand-ins; the engine answers every request that reaches it with a bit of everything. */
#include "api/context.h"
#include "base/alloc.h"
#include "base/log.h"

#include <stdint.h>
#include <stdio.h>

struct al_http_exchange {
  struct al_str body;
  struct al_cancel *cancel;
  int n_refs, status;
  bool is_streamed, is_ended;
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
  (void)content_type;
  require(exchange->status == 0);
  exchange->status = status;
  exchange->is_streamed = true;
}

bool al_http_send(struct al_http_exchange *exchange, struct al_str bytes)
{
  require(exchange->is_streamed && !exchange->is_ended && al_str_ends(bytes, al_str("\n\n")));
  return true;
}

void al_http_end(struct al_http_exchange *exchange)
{
  require(exchange->is_streamed && !exchange->is_ended);
  exchange->is_ended = true;
}

/* --- inference --------------------------------------------------------------------------------------------------- */

constexpr size_t MOST = 256;
static struct al_text_request texts[MOST];
static size_t n_texts;
static struct al_token_request counted;
static bool is_counted;

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
  is_counted = true;
  return AL_OK;
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

static void answer(const struct al_text_request *request)
{
  struct al_text_event event = { .kind = AL_TEXT_STARTED, .usage.n_prompt = 1 };
  request->on_event(request->user, &event);
  if (request->prompt_logprobs)
    request->on_event(request->user, &(struct al_text_event){ .kind = AL_TEXT_PROMPT, .text = al_str("p") });
  for (int i = 0; i < (request->n > 1 ? request->n : 1); i++)
    answer_choice(request, i);
  request->on_event(request->user, &(struct al_text_event){ .kind = AL_TEXT_DONE, .finish = AL_FINISH_TOOL_CALLS });
}

/* ---------------------------------------------------------------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  al_log_setup(AL_LOG_ERROR, false);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static al_http_handler *const handlers[] = { al_api_chat, al_api_completions, al_api_anthropic_messages,
                                               al_api_anthropic_count };
  if (size == 0)
    return 0;
  struct al_api api = {};
  struct al_http_exchange exchange = { .body = al_str_n((const char *)data + 1, size - 1), .n_refs = 1 };
  exchange.cancel = al_cancel_new();
  n_texts = 0;
  is_counted = false;
  handlers[data[0] % AL_COUNT(handlers)](&exchange, &api);
  for (size_t i = 0; i < n_texts; i++)
    answer(&texts[i]);
  if (is_counted)
    counted.done(counted.user, &(struct al_token_result){ .tokens.count = 3 });
  require(exchange.status != 0 && exchange.is_ended && exchange.n_refs == 1);
  al_cancel_unref(exchange.cancel);
  return 0;
}
