/* The answer to an HTTP request: whole, or a stream of server-sent events. */
#include "api/errors.h"
#include "api/generation.h"

static void begin(struct al_api_generation *generation)
{
  const char *type = generation->ops->stream_type;
  al_http_add_header(generation->exchange, "cache-control", "no-cache");
  al_http_add_header(generation->exchange, "x-accel-buffering", "no");
  al_http_begin(generation->exchange, 200, type != nullptr ? type : "text/event-stream");
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
  if (generation->ops->reply_err != nullptr)
    generation->ops->reply_err(generation->exchange, err);
  else
    al_api_reply_err(generation->exchange, err);
}

const struct al_api_outlet al_api_outlet_http = {
  .begin = begin,
  .send = send,
  .end = end,
  .reply = reply,
  .fail = fail,
};
