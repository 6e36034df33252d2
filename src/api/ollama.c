#include "api/ollama.h"

#include "api/errors.h"

#include <stdio.h>
#include <time.h>

static void begin(struct al_api_generation *generation)
{
  al_http_begin(generation->exchange, 200, "application/x-ndjson");
}

static bool send(struct al_api_generation *generation, struct al_str bytes)
{
  return al_http_send(generation->exchange, bytes);
}

static void end(struct al_api_generation *generation)
{
  al_http_end(generation->exchange);
}

static void reply(struct al_api_generation *generation, struct al_str body)
{
  al_http_reply(generation->exchange, 200, "application/json", body);
}

static void fail(struct al_api_generation *generation, const struct al_err *err)
{
  al_api_ollama_reply_err(generation->exchange, err);
}

const struct al_api_outlet al_api_outlet_ollama = {
  .begin = begin,
  .send = send,
  .end = end,
  .reply = reply,
  .fail = fail,
};

void al_api_ollama_reply_err(struct al_http_exchange *exchange, const struct al_err *err)
{
  char message[sizeof err->message];
  al_api_error_message(err, message, sizeof message);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "error", message);
  al_jw_end(&w);
  const struct al_api_error *row = al_api_error_of(err);
  if (row->retry_after_s > 0)
    al_http_add_header(exchange, "retry-after", "1");
  al_http_reply(exchange, row->status, "application/json", al_buf_view(&text));
}

struct al_str al_api_ollama_name(struct al_str name)
{
  static const char tag[] = ":latest";
  constexpr size_t n_tag = sizeof tag - 1;
  if (name.size > n_tag && memcmp(name.data + name.size - n_tag, tag, n_tag) == 0)
    name.size -= n_tag;
  return name;
}

enum al_code al_api_ollama_read_model(const struct al_api_param *param, const struct al_json *body, void *target,
                                      struct al_err *err)
{
  struct al_arena *arena = *(struct al_arena **)target;
  struct al_str name = {};
  AL_TRY(al_json_want_str(body, "", param->name, &name, nullptr, err));
  return al_api_model_name(arena, al_api_ollama_name(name), (const char **)((char *)target + param->offset), err);
}

void al_api_ollama_write_time(struct al_json_writer *w, const char *key, int64_t unix_ms)
{
  time_t seconds = (time_t)(unix_ms / 1000);
  struct tm utc = {};
  char date[32] = "", text[48];
  if (gmtime_r(&seconds, &utc) != nullptr)
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  (void)snprintf(text, sizeof text, "%s.%03dZ", date, (int)(unix_ms % 1000));
  al_jw_kv_str(w, key, text);
}
