#include "net/connection.h"

#include "base/alloc.h"

#include <stddef.h>

static void link_in(struct al_net_connection *connection)
{
  struct al_net_loop *loop = connection->loop;
  connection->next = loop->connections;
  if (connection->next != nullptr)
    connection->next->prev = connection;
  loop->connections = connection;
}

static void link_out(struct al_net_connection *connection)
{
  if (connection->prev != nullptr)
    connection->prev->next = connection->next;
  else
    connection->loop->connections = connection->next;
  if (connection->next != nullptr)
    connection->next->prev = connection->prev;
}

static void set_peer(struct al_net_connection *connection)
{
  (void)snprintf(connection->peer, sizeof connection->peer, "unix");
  if (connection->uv.handle.type != UV_TCP)
    return;
  struct sockaddr_storage address = {};
  int size = sizeof address;
  char name[64] = "unknown";
  if (uv_tcp_getpeername(&connection->uv.tcp, (struct sockaddr *)&address, &size) == 0)
    (void)uv_ip_name((const struct sockaddr *)&address, name, sizeof name);
  /* A dual-stack socket shows IPv4 clients as ::ffff:1.2.3.4. */
  const char *mapped = strncmp(name, "::ffff:", 7) == 0 && strchr(name, '.') != nullptr ? name + 7 : name;
  (void)snprintf(connection->peer, sizeof connection->peer, "%.47s", mapped);
}

void al_net_connection_open(struct al_net_connection *connection)
{
  link_in(connection);
  set_peer(connection);
  al_net_connection_reset_parser(connection);
  al_buf_init(&connection->pending, 4 * AL_NET_READ_BYTES);
  al_buf_init(&connection->out, SIZE_MAX / 2);
  al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_HEAD);
  al_net_connection_start_reading(connection);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void finish_exchange(struct al_net_connection *connection, int status)
{
  struct al_http_exchange *exchange = connection->exchange;
  const struct al_http_server_options *options = &connection->loop->server->options;
  connection->exchange = nullptr;
  exchange->connection = nullptr;
  al_net_websocket_gone(exchange);
  while (exchange->n_before > 0) {
    const struct al_http_middleware *middleware = &options->middleware[--exchange->n_before];
    if (middleware->after != nullptr)
      middleware->after(exchange, status, options->app);
  }
  (void)al_net_response_drop(exchange);
  al_net_exchange_release(exchange);
}

static void end_running(struct al_net_connection *connection)
{
  atomic_fetch_sub_explicit(&connection->loop->server->n_active_exchanges, 1, memory_order_relaxed);
}

static void abandon_exchange(struct al_net_connection *connection, enum al_net_connection_phase phase)
{
  (void)al_net_response_drop(connection->exchange);
  if (phase == AL_NET_CONN_RUNNING)
    end_running(connection);
  else /* no handler has seen it: the user's reference is still ours */
    al_http_unref(connection->exchange);
  finish_exchange(connection, connection->exchange->websocket != nullptr ? 101 : 499);
}

static void on_closed(uv_handle_t *handle)
{
  struct al_net_connection *connection = handle->data;
  struct al_net_loop *loop = connection->loop;
  al_net_tls_free(connection->tls);
  al_buf_done(&connection->pending);
  al_buf_done(&connection->out);
  al_free(connection);
  atomic_fetch_sub_explicit(&loop->server->n_connections, 1, memory_order_relaxed);
  al_net_loop_connection_closed(loop);
}

void al_net_connection_close(struct al_net_connection *connection)
{
  if (connection->phase == AL_NET_CONN_CLOSING)
    return;
  enum al_net_connection_phase before = connection->phase;
  connection->phase = AL_NET_CONN_CLOSING;
  al_net_deadline_clear(&connection->timed);
  if (connection->exchange != nullptr)
    abandon_exchange(connection, before);
  link_out(connection);
  uv_close(&connection->uv.handle, on_closed);
}

/* Ends our side. When the client may still be sending, what it sends is read and dropped for a moment: closing with
 * unread bytes would make the kernel reset the connection and take our last answer away from the client. */
static void end_connection(struct al_net_connection *connection)
{
  if (connection->tls != nullptr) {
    al_net_tls_shut(connection->tls);
    al_net_connection_send_tls(connection);
  }
  if (connection->phase == AL_NET_CONN_CLOSING)
    return;
  if (!connection->abandoned_input && connection->pending.size == 0) {
    al_net_connection_close(connection);
    return;
  }
  connection->phase = AL_NET_CONN_LINGER;
  al_buf_done(&connection->pending);
  uv_os_fd_t fd;
  if (uv_fileno(&connection->uv.handle, &fd) == 0)
    (void)shutdown(fd, SHUT_WR);
  al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_LINGER);
  al_net_connection_start_reading(connection);
}

void al_net_connection_answered(struct al_net_connection *connection, bool close_now)
{
  bool keep_alive = connection->exchange->keep_alive && !connection->loop->draining;
  connection->abandoned_input |= al_net_websocket_expects_more(connection->exchange);
  end_running(connection);
  finish_exchange(connection, connection->exchange->status);
  if (close_now) {
    al_net_connection_close(connection);
    return;
  }
  if (!keep_alive) {
    end_connection(connection);
    return;
  }
  connection->phase = AL_NET_CONN_IDLE;
  al_buf_done(&connection->out);
  al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_IDLE);
}

void al_net_connection_resume(struct al_net_connection *connection)
{
  if (connection->phase != AL_NET_CONN_IDLE)
    return;
  if (connection->pending.size > 0) {
    struct al_buf bytes = connection->pending;
    al_buf_init(&connection->pending, bytes.cap_bytes);
    al_net_connection_take_input(connection, al_buf_view(&bytes));
    al_buf_done(&bytes);
  }
  if (connection->phase != AL_NET_CONN_CLOSING && connection->pending.size < AL_NET_READ_BYTES)
    al_net_connection_start_reading(connection);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

bool al_net_connection_begin_request(struct al_net_connection *connection)
{
  struct al_net_loop *loop = connection->loop;
  struct al_http_exchange *exchange = al_net_exchange_new(loop->mailbox, &loop->server->options.limits);
  if (exchange == nullptr) {
    al_net_connection_close(connection);
    return false;
  }
  exchange->connection = connection;
  al_net_loop_make_id(loop, exchange->id, sizeof exchange->id);
  memcpy(exchange->peer, connection->peer, sizeof exchange->peer);
  connection->exchange = exchange;
  connection->phase = AL_NET_CONN_HEAD;
  connection->n_head_bytes = 0;
  connection->wants_continue = false;
  connection->output_ended = connection->output_broken = false;
  al_net_deadline_set(&loop->deadlines, &connection->timed, AL_NET_HEAD);
  return true;
}

/* No route: 404 for an unknown path, Allow for a known one. */
static void answer_unrouted(struct al_http_exchange *exchange)
{
  bool whole_server = al_str_is(al_http_path(exchange), "*");
  unsigned allowed = whole_server ? (1u << AL_HTTP_METHOD_COUNT) - 1 : exchange->match.allowed;
  if (allowed == 0) {
    al_http_reply_error(exchange, 404, "invalid_request_error", "not_found", nullptr, "There is nothing at this path.");
    return;
  }
  char list[64];
  al_net_allow_list(allowed, list, sizeof list);
  al_http_add_header(exchange, "Allow", list);
  if (exchange->method == AL_HTTP_OPTIONS)
    al_http_reply(exchange, 204, nullptr, (struct al_str){});
  else
    al_http_reply_error(exchange, 405, "invalid_request_error", "method_not_allowed", nullptr,
                        "This path does not take this method; see the Allow header.");
}

static void ask_middleware(struct al_net_connection *connection)
{
  const struct al_http_server_options *options = &connection->loop->server->options;
  struct al_http_exchange *exchange = connection->exchange;
  exchange->admission = AL_NET_ADMITTED;
  for (size_t i = 0; i < options->n_middleware && exchange->admission == AL_NET_ADMITTED; i++) {
    exchange->n_before = i + 1;
    if (options->middleware[i].before != nullptr && !options->middleware[i].before(exchange, options->app))
      exchange->admission = AL_NET_REFUSED;
  }
}

/* Of an admitted request whose route has one. */
static void begin_sink(struct al_net_connection *connection)
{
  struct al_http_exchange *exchange = connection->exchange;
  const struct al_http_route *route = exchange->match.route;
  if (exchange->admission != AL_NET_ADMITTED || route == nullptr || route->sink == nullptr || exchange->sink != nullptr)
    return;
  exchange->sink = route->sink->begin(exchange, connection->loop->server->options.app);
  if (exchange->sink == nullptr)
    exchange->admission = AL_NET_REFUSED;
}

bool al_net_connection_admit_body(struct al_net_connection *connection)
{
  struct al_http_exchange *exchange = connection->exchange;
  bool keep_alive = exchange->keep_alive;
  exchange->keep_alive = false; /* a refusal leaves the body unread */
  ask_middleware(connection);
  begin_sink(connection);
  if (exchange->admission == AL_NET_ADMITTED)
    exchange->keep_alive = keep_alive;
  return exchange->admission == AL_NET_ADMITTED;
}

bool al_net_connection_sink_body(struct al_net_connection *connection, struct al_str bytes)
{
  struct al_http_exchange *exchange = connection->exchange;
  bool keep_alive = exchange->keep_alive;
  exchange->keep_alive = false;
  if (exchange->match.route->sink->data(exchange->sink, bytes))
    exchange->keep_alive = keep_alive;
  else
    exchange->admission = AL_NET_REFUSED;
  return exchange->admission == AL_NET_ADMITTED;
}

static void start_running(struct al_net_connection *connection)
{
  connection->phase = AL_NET_CONN_RUNNING;
  al_net_deadline_clear(&connection->timed);
  atomic_fetch_add_explicit(&connection->loop->server->n_active_exchanges, 1, memory_order_relaxed);
}

void al_net_connection_dispatch(struct al_net_connection *connection)
{
  struct al_http_exchange *exchange = connection->exchange;
  struct al_http_server *server = connection->loop->server;
  start_running(connection);
  atomic_fetch_add_explicit(&server->n_requests_total, 1, memory_order_relaxed);
  if (exchange->admission == AL_NET_NOT_ASKED)
    ask_middleware(connection);
  begin_sink(connection); /* of a body without bytes */
  if (exchange->admission == AL_NET_ADMITTED && exchange->match.route != nullptr)
    exchange->match.route->handler(exchange, server->options.app);
  else if (exchange->admission == AL_NET_ADMITTED)
    answer_unrouted(exchange);
  if (exchange->websocket != nullptr)
    al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_QUIET);
  al_http_unref(exchange);
  al_net_connection_flush(connection);
}

void al_net_connection_refuse(struct al_net_connection *connection, struct al_net_fault fault)
{
  if (connection->exchange == nullptr && !al_net_connection_begin_request(connection))
    return;
  struct al_http_exchange *exchange = connection->exchange;
  exchange->keep_alive = false;
  connection->abandoned_input = true;
  start_running(connection);
  bool our_trouble = fault.status == 503; /* all else is the client's */
  if (our_trouble)
    al_http_add_header(exchange, "Retry-After", "1");
  else
    atomic_fetch_add_explicit(&connection->loop->server->n_bad_requests, 1, memory_order_relaxed);
  al_http_reply_error(exchange, fault.status, our_trouble ? "server_error" : "invalid_request_error", fault.code,
                      nullptr, fault.message);
  al_http_unref(exchange);
  al_net_connection_flush(connection);
}

/* --- deadlines -------------------------------------------------------------------------------------------------- */

static void write_expired(struct al_net_connection *connection)
{
  size_t unwritten = al_net_connection_unwritten(connection);
  if (unwritten >= connection->n_unwritten_seen) {
    al_net_connection_close(connection);
    return;
  }
  connection->n_unwritten_seen = unwritten;
  al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_WRITE);
}

void al_net_connection_expired(struct al_net_timed *timed)
{
  struct al_net_connection *connection =
      (struct al_net_connection *)(void *)((char *)timed - offsetof(struct al_net_connection, timed));
  static const struct al_net_fault late = { 408, "request_timeout", "The request did not arrive in time." };
  switch (timed->kind) {
  case AL_NET_HEAD:
  case AL_NET_BODY:
    if (connection->exchange != nullptr)
      al_net_connection_refuse(connection, late);
    else
      al_net_connection_close(connection); /* it has not said a word: nobody waits for an answer */
    break;
  case AL_NET_WRITE: write_expired(connection); break;
  case AL_NET_QUIET: al_net_websocket_quiet(connection); break;
  case AL_NET_IDLE:
  case AL_NET_LAST:
  case AL_NET_LINGER:
  case AL_NET_DEADLINE_COUNT: al_net_connection_close(connection); break;
  }
}
