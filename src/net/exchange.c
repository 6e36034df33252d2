#include "net/exchange.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>

struct al_http_exchange *al_net_exchange_new(struct al_net_mailbox *mailbox, const struct al_http_limits *limits)
{
  struct al_http_exchange *exchange = al_calloc(1, sizeof *exchange);
  struct al_cancel *cancel = al_cancel_new();
  if (exchange == nullptr || cancel == nullptr) {
    al_free(exchange);
    al_cancel_unref(cancel);
    return nullptr;
  }
  atomic_init(&exchange->n_users, 1);
  atomic_init(&exchange->n_holds, 2);
  exchange->mailbox = al_net_mailbox_ref(mailbox);
  exchange->cancel = cancel;
  exchange->method = AL_HTTP_METHOD_COUNT;
  exchange->started_ns = al_now_ns();
  exchange->max_queued_bytes = limits->max_queued_bytes;
  exchange->loop_will_look = true;
  /* The head itself is bounded by the connection; the decoded path and query are never longer than the target. */
  al_buf_init(&exchange->text, 4 * limits->max_header_bytes + 1024);
  al_buf_init(&exchange->out, SIZE_MAX / 2);
  al_buf_init(&exchange->extra, 64 << 10);
  al_mutex_init(&exchange->lock);
  return exchange;
}

void al_net_exchange_hold(struct al_http_exchange *exchange)
{
  atomic_fetch_add_explicit(&exchange->n_holds, 1, memory_order_relaxed);
}

void al_net_exchange_release(struct al_http_exchange *exchange)
{
  if (atomic_fetch_sub_explicit(&exchange->n_holds, 1, memory_order_acq_rel) != 1)
    return;
  if (exchange->sink != nullptr)
    exchange->match.route->sink->free(exchange->sink);
  if (exchange->pump_ops != nullptr)
    exchange->pump_ops->free(exchange->pump);
  al_buf_done(&exchange->text);
  al_buf_done(&exchange->body);
  al_buf_done(&exchange->extra);
  al_buf_done(&exchange->out);
  al_free(exchange->headers);
  al_free(exchange->query);
  al_cancel_unref(exchange->cancel);
  al_net_mailbox_unref(exchange->mailbox);
  al_mutex_done(&exchange->lock);
  al_free(exchange);
}

struct al_http_exchange *al_http_ref(struct al_http_exchange *exchange)
{
  int before = atomic_fetch_add_explicit(&exchange->n_users, 1, memory_order_relaxed);
  assert(before > 0);
  return exchange;
}

static enum al_net_answer answer_of(struct al_http_exchange *exchange)
{
  AL_LOCKED(&exchange->lock);
  return exchange->answer;
}

void al_http_unref(struct al_http_exchange *exchange)
{
  if (exchange == nullptr || atomic_fetch_sub_explicit(&exchange->n_users, 1, memory_order_acq_rel) != 1)
    return;
  /* Nobody is left who could answer. */
  enum al_net_answer answer = answer_of(exchange);
  if (answer == AL_NET_NO_ANSWER)
    al_http_reply_error(exchange, 500, "server_error", "no_answer", nullptr, "The request ended without an answer.");
  else if (answer == AL_NET_STREAMING)
    al_http_end(exchange); /* an unfinished stream is cut off there: see response.c */
  al_net_exchange_release(exchange);
}
