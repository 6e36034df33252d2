/* What runs around every endpoint: the key check and the access log. */
#include "api/anthropic_errors.h"
#include "api/context.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

/* Health checks come from load balancers and containers, which hold no key; they tell nothing but "alive". */
static bool is_open(struct al_str path)
{
  return al_str_is(path, "/health") || al_str_is(path, "/health/live") || al_str_is(path, "/health/ready");
}

bool al_api_auth_before(struct al_http_exchange *exchange, void *app)
{
  const struct al_api *api = app;
  if (!api->key.present || is_open(al_http_path(exchange)))
    return true;
  struct al_str presented = al_key_presented(exchange);
  if (al_key_matches(&api->key, presented))
    return true;
  al_http_add_header(exchange, "www-authenticate", "Bearer realm=\"allm\"");
  const char *word = presented.size == 0 ? "missing_api_key" : "invalid_api_key";
  const char *message =
      presented.size == 0
          ? "This server needs an API key: send it as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"."
          : "Incorrect API key provided.";
  if (al_api_anthropic_is_path(al_http_path(exchange)))
    al_api_anthropic_reply_status(exchange, 401, word, message);
  else
    al_http_reply_error(exchange, 401, "invalid_request_error", word, nullptr, message);
  return false;
}

void al_api_log_after(struct al_http_exchange *exchange, int status, void *app)
{
  (void)app;
  enum al_log_level level = status >= 500 ? AL_LOG_WARN : status >= 400 ? AL_LOG_INFO : AL_LOG_DEBUG;
  if (!al_log_enabled(level))
    return;
  const struct al_http_route *route = al_http_route(exchange);
  al_log(level, "request", AL_S("id", al_http_request_id(exchange)),
         AL_S("method", al_http_method_name(al_http_method(exchange))),
         AL_S("route", route != nullptr ? route->path : "none"), AL_I("status", status),
         AL_F("ms", (double)(al_now_ns() - al_http_started_ns(exchange)) / (double)AL_NS_PER_MS));
}
