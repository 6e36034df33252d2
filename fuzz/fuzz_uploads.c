/* Hostile forms and speech: the first byte picks the endpoint and how the engine answers, the second how the body is
 * cut into pieces, the rest is the body (a form's boundary is "b"). There is one answer, never a 500, the same however
 * the body is cut, and nothing is left behind. Net and the inference engine are stand-ins; files go to the disk. */
#include "api/context.h"
#include "base/log.h"

#include <stdint.h>
#include <stdio.h>

struct al_http_exchange {
  struct al_str body;
  struct al_cancel *cancel;
  const struct al_http_pump *pump_ops;
  void *sink, *pump;
  int n_refs, status;
  bool is_form, is_streamed, is_ended;
  size_t n_sent;
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
  bool is_type = strcmp(name, "content-type") == 0 && exchange->is_form;
  return is_type ? al_str("multipart/form-data; boundary=b") : (struct al_str){};
}

struct al_str al_http_body(const struct al_http_exchange *exchange)
{
  return exchange->body;
}

void *al_http_sink(const struct al_http_exchange *exchange)
{
  return exchange->sink;
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
  require(exchange->status == 0 && strpbrk(name, "\r\n") == nullptr && strpbrk(value, "\r\n") == nullptr);
}

void al_http_reply(struct al_http_exchange *exchange, int status, const char *content_type, struct al_str body)
{
  (void)content_type;
  require(exchange->status == 0 && status != 500);
  exchange->status = status;
  exchange->is_ended = true;
  exchange->n_sent = body.size;
}

void al_http_reply_error(struct al_http_exchange *exchange, int status, const char *type, const char *code,
                         const char *param, const char *message)
{
  (void)param;
  require(type != nullptr && code != nullptr && message[0] != '\0');
  al_http_reply(exchange, status, "application/json", al_str(message));
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
  require(exchange->is_streamed && !exchange->is_ended);
  exchange->n_sent += bytes.size;
  return true;
}

void al_http_end(struct al_http_exchange *exchange)
{
  require(exchange->is_streamed && !exchange->is_ended);
  exchange->is_ended = true;
}

void al_http_set_pump(struct al_http_exchange *exchange, const struct al_http_pump *ops, void *pump)
{
  exchange->pump_ops = ops;
  exchange->pump = pump;
}

bool al_http_has_room(struct al_http_exchange *exchange)
{
  return exchange->n_sent % 2 == 0;
}

/* --- inference --------------------------------------------------------------------------------------------------- */

static struct al_transcription_request heard;
static struct al_speech_request spoken;

enum al_code al_inference_transcribe(struct al_inference *inference, const struct al_transcription_request *request,
                                     struct al_err *err)
{
  (void)inference;
  (void)err;
  require(request->model[0] != '\0' && request->file.size_bytes > 0 && request->file.fd >= 0);
  require(request->options.language != nullptr && request->options.prompt != nullptr);
  heard = *request;
  return AL_OK;
}

enum al_code al_inference_speak(struct al_inference *inference, const struct al_speech_request *request,
                                struct al_err *err)
{
  (void)inference;
  (void)err;
  require(request->text.size > 0 && request->options.speed >= 0.25 && request->options.speed <= 4);
  spoken = *request;
  return AL_OK;
}

/* Asked for by what is linked along. */
struct al_sampling al_sampling_default(void)
{
  return (struct al_sampling){};
}

enum al_code al_inference_models(struct al_inference *inference, struct al_model_status_list *list, struct al_err *err)
{
  (void)inference;
  (void)list;
  return al_fail(err, AL_INTERNAL, "nobody asks");
}

void al_model_status_list_free(struct al_model_status_list *list)
{
  (void)list;
}

/* How the engine answers. */
enum manner { WELL, FAILING_AT_ONCE, FAILING_LATE, MANNERS };

static void answer(al_audio_event_fn *on_event, void *user, enum manner manner)
{
  static const int32_t tokens[] = { 1 };
  struct al_speech_word word = { al_str("a\xff"), 0, 1, 0.5F };
  struct al_speech_segment segment = {
    .end_s = 1, .text = al_str(" a\xff-->&\n"), .tokens = tokens, .n_tokens = 1, .words = &word, .n_words = 1
  };
  struct al_transcribe_result result = { .language = "en", .duration_s = 1 };
  struct al_audio_info info = { .duration_s = 1 };
  struct al_err err = { .code = AL_INVALID_REQUEST, .message = "no" };
  const struct al_audio_event events[] = {
    { .kind = AL_AUDIO_STARTED, .info = &info },        { .kind = AL_AUDIO_SEGMENT, .segment = &segment },
    { .kind = AL_AUDIO_PROGRESS, .done_s = 1 },         { .kind = AL_AUDIO_BYTES, .bytes = al_str("abc") },
    { .kind = AL_AUDIO_BYTES, .bytes = al_str("def") },
  };
  for (size_t i = 0; i < AL_COUNT(events) && manner != FAILING_AT_ONCE; i++)
    on_event(user, &events[i]);
  on_event(user, &(struct al_audio_event){ .kind = manner == WELL ? AL_AUDIO_DONE : AL_AUDIO_FAILED,
                                           .result = &result,
                                           .is_truncated = true,
                                           .err = &err });
}

/* ---------------------------------------------------------------------------------------------------------------- */

static struct al_api api;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  al_log_setup(AL_LOG_ERROR, false);
  return 0;
}

/* false: it was refused before its end. */
static bool take_in(struct al_http_exchange *exchange, const struct al_http_body_sink *sink, size_t step)
{
  exchange->sink = sink->begin(exchange, &api);
  require(exchange->sink != nullptr);
  for (size_t at = 0; at < exchange->body.size; at += step)
    if (!sink->data(exchange->sink, al_str_n(exchange->body.data + at, al_min_size(step, exchange->body.size - at))))
      return false;
  return true;
}

/* Status and size of the answer. */
static struct al_http_exchange ask(struct al_str body, int endpoint, enum manner manner, size_t step)
{
  struct al_http_exchange exchange = { .body = body, .n_refs = 1, .is_form = endpoint < 2, .cancel = al_cancel_new() };
  const struct al_http_body_sink *sink = endpoint == 0 ? &al_api_transcription_sink : &al_api_translation_sink;
  heard.on_event = spoken.on_event = nullptr;
  if (endpoint == 2)
    al_api_speech(&exchange, &api);
  else if (take_in(&exchange, sink, step))
    (endpoint == 0 ? al_api_transcriptions : al_api_translations)(&exchange, &api);
  if (heard.on_event != nullptr)
    answer(heard.on_event, heard.user, manner);
  if (spoken.on_event != nullptr)
    answer(spoken.on_event, spoken.user, manner);
  if (exchange.pump_ops != nullptr)
    for (int i = 0; i < 3 && exchange.n_refs > 1; i++, exchange.n_sent &= ~(size_t)1)
      exchange.pump_ops->room(exchange.pump);
  require(exchange.status != 0 && exchange.n_refs == 1);
  require(exchange.is_ended || (endpoint == 2 && manner == FAILING_LATE));
  if (exchange.pump_ops != nullptr)
    exchange.pump_ops->free(exchange.pump);
  if (endpoint < 2)
    sink->free(exchange.sink);
  al_cancel_unref(exchange.cancel);
  return exchange;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;
  struct al_str body = al_str_n((const char *)data + 2, size - 2);
  int endpoint = data[0] % 3;
  enum manner manner = (enum manner)(data[0] / 3 % MANNERS);
  struct al_http_exchange whole = ask(body, endpoint, manner, body.size + 1);
  struct al_http_exchange cut = ask(body, endpoint, manner, 1 + data[1] % 64);
  require(whole.status == cut.status && whole.n_sent == cut.n_sent);
  return 0;
}
