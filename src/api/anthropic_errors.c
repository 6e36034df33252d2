#include "api/anthropic_errors.h"

#include "api/anthropic.h"
#include "api/errors.h"

bool al_api_anthropic_is_path(struct al_str path)
{
  return al_str_is(path, "/v1/messages") || al_str_starts(path, al_str("/v1/messages/"));
}

static const char *type_of(int status)
{
  static const struct {
    int status;
    const char *type;
  } types[] = {
    { 401, "authentication_error" }, { 403, "permission_error" }, { 404, "not_found_error" },
    { 413, "request_too_large" },    { 429, "rate_limit_error" }, { 503, "overloaded_error" },
    { 504, "timeout_error" },
  };
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (types[i].status == status)
      return types[i].type;
  return status < 499 ? "invalid_request_error" : "api_error";
}

struct problem {
  int status;
  const char *message, *word;
  const char *param; /* nullptr: none */
};

/* `param` and `code` are ours, beyond Anthropic's: which field, and the finer word. */
static void write(struct al_json_writer *w, const struct al_http_exchange *exchange, const struct problem *problem)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", "error");
  al_jw_key(w, "error");
  al_jw_object(w);
  al_jw_kv_str(w, "type", type_of(problem->status));
  al_jw_kv_str(w, "message", problem->message);
  if (problem->param != nullptr)
    al_jw_kv_str(w, "param", problem->param);
  if (problem->word != nullptr)
    al_jw_kv_str(w, "code", problem->word);
  al_jw_end(w);
  al_jw_kv_str(w, "request_id", al_http_request_id(exchange));
  al_jw_end(w);
}

static void reply(struct al_http_exchange *exchange, const struct problem *problem)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  write(&w, exchange, problem);
  struct al_str body = al_buf_view(&text);
  if (text.failed)
    body = al_str("{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Out of memory\"}}");
  al_http_reply(exchange, problem->status, "application/json", body);
}

void al_api_anthropic_write_err(struct al_json_writer *w, const struct al_http_exchange *exchange,
                                const struct al_err *err)
{
  char message[sizeof err->message];
  al_api_error_message(err, message, sizeof message);
  struct problem problem = { .status = al_api_error_of(err)->status,
                             .message = message,
                             .word = al_api_error_word(err),
                             .param = al_api_error_param(err) };
  write(w, exchange, &problem);
}

void al_api_anthropic_reply_err(struct al_http_exchange *exchange, const struct al_err *err)
{
  char message[sizeof err->message];
  al_api_error_message(err, message, sizeof message);
  al_api_error_headers(exchange, err);
  struct problem problem = { .status = al_api_error_of(err)->status,
                             .message = message,
                             .word = al_api_error_word(err),
                             .param = al_api_error_param(err) };
  reply(exchange, &problem);
}

void al_api_anthropic_reply_status(struct al_http_exchange *exchange, int status, const char *word, const char *message)
{
  struct problem problem = { .status = status, .message = message, .word = word };
  reply(exchange, &problem);
}
