/* The answer: framed into the exchange's queue by whichever thread answers, taken from there by the loop. */
#include "net/exchange.h"

#include "base/clock.h"
#include "codec/json.h"
#include "net/status.h"

#include <assert.h>
#include <inttypes.h>

/* These are called with the lock held. */
static void post(struct al_http_exchange *exchange)
{
  if (exchange->posted)
    return;
  exchange->posted = true;
  al_net_exchange_hold(exchange);
  if (!al_net_mailbox_post(exchange->mailbox, exchange))
    al_net_exchange_release(exchange); /* the server has stopped; the caller has another hold */
}

static void wake_loop(struct al_http_exchange *exchange)
{
  if (exchange->loop_will_look || exchange->gone)
    return;
  exchange->loop_will_look = true;
  post(exchange);
}

/* Bytes could not be queued: the connection is to be closed without waiting for the client to take what it has. */
static void give_up(struct al_http_exchange *exchange)
{
  exchange->gone = true;
  al_buf_done(&exchange->out);
  al_cancel_fire(exchange->cancel, AL_CANCELLED);
  post(exchange);
}

static bool has_body(const struct al_http_exchange *exchange)
{
  return exchange->method != AL_HTTP_HEAD && exchange->status != 204 && exchange->status != 304;
}

/* length < 0: streamed. */
static void put_head(struct al_http_exchange *exchange, const char *content_type, int64_t length)
{
  struct al_buf *out = &exchange->out;
  char date[AL_NET_DATE_BYTES];
  al_net_format_date(date, al_wall_s());
  al_buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nx-request-id: %s\r\n", exchange->status,
                al_net_reason_phrase(exchange->status), date, exchange->id);
  if (content_type != nullptr)
    al_buf_printf(out, "Content-Type: %s\r\n", content_type);
  al_buf_add(out, exchange->extra.data, exchange->extra.size);
  if (exchange->status >= 200 && exchange->status != 204 && exchange->status != 304) {
    if (length >= 0)
      al_buf_printf(out, "Content-Length: %" PRId64 "\r\n", length);
    else if (exchange->chunked)
      al_buf_str(out, "Transfer-Encoding: chunked\r\n");
  }
  if (!exchange->keep_alive)
    al_buf_str(out, "Connection: close\r\n");
  else if (exchange->http_1_0)
    al_buf_str(out, "Connection: keep-alive\r\n");
  al_buf_str(out, "\r\n");
}

/* false when there has been an answer already, or nobody is left to hear one. Lock held. */
static bool start_answer(struct al_http_exchange *exchange, int status)
{
  assert(status == 101 || (status >= 200 && status <= 599));
  if (exchange->gone) {
    exchange->answer = AL_NET_ANSWERED;
    return false;
  }
  if (exchange->answer != AL_NET_NO_ANSWER)
    return false;
  exchange->status = status;
  if (al_net_mailbox_draining(exchange->mailbox))
    exchange->keep_alive = false;
  return true;
}

void al_http_add_header(struct al_http_exchange *exchange, const char *name, const char *value)
{
  assert(strpbrk(name, "\r\n: ") == nullptr && strpbrk(value, "\r\n") == nullptr);
  AL_LOCKED(&exchange->lock);
  al_buf_printf(&exchange->extra, "%s: %s\r\n", name, value);
}

void al_http_reply(struct al_http_exchange *exchange, int status, const char *content_type, struct al_str body)
{
  AL_LOCKED(&exchange->lock);
  if (!start_answer(exchange, status))
    return;
  exchange->answer = AL_NET_ANSWERED;
  put_head(exchange, content_type, (int64_t)body.size);
  if (has_body(exchange))
    al_buf_add(&exchange->out, body.data, body.size);
  if (exchange->out.failed || exchange->extra.failed)
    give_up(exchange);
  else
    wake_loop(exchange);
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
  al_http_reply(exchange, status, "application/json", text.failed ? al_str("{}") : al_buf_view(&text));
}

void al_http_begin(struct al_http_exchange *exchange, int status, const char *content_type)
{
  AL_LOCKED(&exchange->lock);
  if (!start_answer(exchange, status))
    return;
  exchange->answer = AL_NET_STREAMING;
  exchange->chunked = !exchange->http_1_0;
  if (exchange->http_1_0 && has_body(exchange))
    exchange->keep_alive = false; /* the end of the connection is the end of the body */
  put_head(exchange, content_type, -1);
  if (exchange->out.failed || exchange->extra.failed)
    give_up(exchange);
  else
    wake_loop(exchange);
}

void al_net_response_upgrade(struct al_http_exchange *exchange, const char *accept)
{
  AL_LOCKED(&exchange->lock);
  if (!start_answer(exchange, 101))
    return;
  exchange->answer = AL_NET_STREAMING;
  al_buf_printf(&exchange->out,
                "HTTP/1.1 101 %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                "x-request-id: %s\r\n\r\n",
                al_net_reason_phrase(101), accept, exchange->id);
  if (exchange->out.failed)
    give_up(exchange);
  else
    wake_loop(exchange);
}

static void put_chunk(struct al_http_exchange *exchange, struct al_str head, struct al_str bytes)
{
  struct al_buf *out = &exchange->out;
  if (exchange->chunked)
    al_buf_printf(out, "%zx\r\n", head.size + bytes.size);
  al_buf_add(out, head.data, head.size);
  al_buf_add(out, bytes.data, bytes.size);
  if (exchange->chunked)
    al_buf_str(out, "\r\n");
}

bool al_net_response_send(struct al_http_exchange *exchange, struct al_str head, struct al_str bytes)
{
  AL_LOCKED(&exchange->lock);
  if (exchange->gone || exchange->answer != AL_NET_STREAMING)
    return false;
  if (head.size + bytes.size == 0 || !has_body(exchange))
    return true; /* an empty chunk would end the body */
  /* Looked at before this send, so that one event may be larger than the cap. */
  if (exchange->out.size + exchange->n_in_flight > exchange->max_queued_bytes) {
    give_up(exchange);
    return false;
  }
  put_chunk(exchange, head, bytes);
  if (exchange->out.failed) {
    give_up(exchange);
    return false;
  }
  wake_loop(exchange);
  return true;
}

bool al_http_send(struct al_http_exchange *exchange, struct al_str bytes)
{
  return al_net_response_send(exchange, (struct al_str){}, bytes);
}

/* All users are gone: nobody called al_http_end, so what was sent is only a part and must not look complete. */
static bool cut_off(const struct al_http_exchange *exchange)
{
  return atomic_load_explicit(&exchange->n_users, memory_order_acquire) == 0;
}

void al_http_end(struct al_http_exchange *exchange)
{
  AL_LOCKED(&exchange->lock);
  if (exchange->gone || exchange->answer != AL_NET_STREAMING)
    return;
  exchange->answer = AL_NET_ANSWERED;
  exchange->broken = cut_off(exchange);
  if (exchange->chunked && has_body(exchange) && !exchange->broken)
    al_buf_str(&exchange->out, "0\r\n\r\n");
  if (exchange->out.failed)
    give_up(exchange);
  else
    wake_loop(exchange);
}

struct al_net_output al_net_response_take(struct al_http_exchange *exchange, struct al_buf *spare)
{
  AL_LOCKED(&exchange->lock);
  struct al_buf taken = exchange->out;
  exchange->out = *spare;
  exchange->out.cap_bytes = taken.cap_bytes;
  *spare = taken;
  exchange->n_in_flight = taken.size;
  exchange->loop_will_look = false;
  return (struct al_net_output){ .ended = exchange->answer == AL_NET_ANSWERED,
                                 .broken = exchange->broken,
                                 .gone = exchange->gone };
}

bool al_net_response_unposted(struct al_http_exchange *exchange)
{
  AL_LOCKED(&exchange->lock);
  exchange->posted = false;
  return exchange->gone;
}

void al_http_set_pump(struct al_http_exchange *exchange, const struct al_http_pump *ops, void *pump)
{
  AL_LOCKED(&exchange->lock);
  assert(exchange->pump_ops == nullptr);
  exchange->pump_ops = ops;
  exchange->pump = pump;
}

bool al_http_has_room(struct al_http_exchange *exchange)
{
  AL_LOCKED(&exchange->lock);
  return exchange->gone || exchange->out.size + exchange->n_in_flight < exchange->max_queued_bytes / 2;
}

/* Without the lock. The connection's hold keeps the exchange, and with it the pump. */
static void tell_pump(struct al_http_exchange *exchange)
{
  al_mutex_lock(&exchange->lock);
  const struct al_http_pump *ops = exchange->pump_ops;
  void *pump = exchange->pump;
  al_mutex_unlock(&exchange->lock);
  if (ops != nullptr)
    ops->room(pump);
}

void al_net_response_sent(struct al_http_exchange *exchange)
{
  al_mutex_lock(&exchange->lock);
  exchange->n_in_flight = 0;
  al_mutex_unlock(&exchange->lock);
  tell_pump(exchange);
}

enum al_net_answer al_net_response_drop(struct al_http_exchange *exchange)
{
  al_mutex_lock(&exchange->lock);
  enum al_net_answer before = exchange->answer;
  exchange->gone = true;
  al_buf_done(&exchange->out);
  al_mutex_unlock(&exchange->lock);
  if (before != AL_NET_ANSWERED)
    al_cancel_fire(exchange->cancel, AL_CANCELLED);
  tell_pump(exchange);
  return before;
}

bool al_net_response_ended(struct al_http_exchange *exchange)
{
  AL_LOCKED(&exchange->lock);
  return exchange->answer == AL_NET_ANSWERED;
}
