#include "net/loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/connection.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>

constexpr int BACKLOG = 1024;
constexpr int N_OVERFLOW = 64; /* connections past the limit that are still told so; more are just closed */
constexpr int64_t LINGER_MS = 2000;
constexpr int64_t LAST_MS = 1000;  /* a draining server waits so long for the request of a new connection */
constexpr uint64_t GRACE_MS = 250; /* between the cancel tokens and the end, when the drain's deadline has passed */

/* --- accepting -------------------------------------------------------------------------------------------------- */

static void accept_all(struct al_net_loop *loop);

static void on_spare_closed(uv_handle_t *handle)
{
  struct al_net_loop *loop = handle->data;
  loop->spare_busy = false;
  accept_all(loop);
}

static int init_stream(struct al_net_loop *loop, bool is_unix, void *stream)
{
  return is_unix ? uv_pipe_init(&loop->uv, stream, 0) : uv_tcp_init(&loop->uv, stream);
}

/* No memory for a connection: it has to be accepted all the same, or libuv would stop listening. */
static void drop_one(struct al_net_listener *listener)
{
  struct al_net_loop *loop = listener->loop;
  if (loop->spare_busy || init_stream(loop, listener->is_unix, &loop->spare) != 0)
    return;
  loop->spare_busy = true;
  loop->spare.handle.data = loop;
  (void)uv_accept(&listener->uv.stream, &loop->spare.stream);
  uv_close(&loop->spare.handle, on_spare_closed);
}

static void on_refused_closed(uv_handle_t *handle)
{
  al_free(handle->data);
}

static struct al_net_connection *make_connection(struct al_net_loop *loop)
{
  struct al_net_connection *connection = al_calloc(1, sizeof *connection);
  if (connection == nullptr || loop->server->tls == nullptr)
    return connection;
  connection->tls = al_net_tls_new(loop->server->tls);
  if (connection->tls == nullptr)
    al_free(AL_TAKE(connection));
  return connection;
}

static void serve(struct al_net_loop *loop, struct al_net_connection *connection)
{
  struct al_http_server *server = loop->server;
  int max = server->options.limits.max_connections;
  int before = atomic_fetch_add_explicit(&server->n_connections, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&server->n_connections_total, 1, memory_order_relaxed);
  connection->loop = loop;
  if (connection->uv.handle.type == UV_TCP)
    (void)uv_tcp_nodelay(&connection->uv.tcp, 1);
  al_net_connection_open(connection);
  if (before < max || connection->phase == AL_NET_CONN_CLOSING)
    return;
  static const struct al_net_fault full = { 503, "too_many_connections", "The server has too many connections." };
  if (before < max + N_OVERFLOW && connection->tls == nullptr)
    al_net_connection_refuse(connection, full);
  else
    al_net_connection_close(connection);
}

static bool accept_one(struct al_net_listener *listener)
{
  struct al_net_connection *connection = make_connection(listener->loop);
  if (connection == nullptr || init_stream(listener->loop, listener->is_unix, &connection->uv) != 0) {
    if (connection != nullptr)
      al_net_tls_free(connection->tls);
    al_free(connection);
    drop_one(listener);
    return false;
  }
  connection->uv.handle.data = connection;
  if (uv_accept(&listener->uv.stream, &connection->uv.stream) != 0) { /* another loop was faster */
    al_net_tls_free(connection->tls);
    uv_close(&connection->uv.handle, on_refused_closed);
    return false;
  }
  serve(listener->loop, connection);
  return true;
}

static void on_accept(uv_stream_t *stream, int status)
{
  struct al_net_listener *listener = stream->data;
  if (status < 0) {
    al_log(AL_LOG_WARN, "accept_failed", AL_S("reason", uv_strerror(status)));
    return;
  }
  (void)accept_one(listener);
}

static void accept_all(struct al_net_loop *loop)
{
  for (size_t i = 0; i < loop->n_listeners && !loop->draining; i++)
    while (accept_one(&loop->listeners[i]))
      ;
}

/* --- stopping --------------------------------------------------------------------------------------------------- */

/* The last handles; uv_run returns when they are closed. */
static void finish(struct al_net_loop *loop)
{
  if (uv_is_closing((uv_handle_t *)&loop->wake))
    return;
  al_net_mailbox_close(loop->mailbox);
  uv_close((uv_handle_t *)&loop->wake, nullptr);
  uv_close((uv_handle_t *)&loop->drain, nullptr);
  al_net_deadlines_close(&loop->deadlines);
}

static void close_listeners(struct al_net_loop *loop)
{
  for (size_t i = 0; i < loop->n_listeners; i++)
    if (!uv_is_closing(&loop->listeners[i].uv.handle))
      uv_close(&loop->listeners[i].uv.handle, nullptr);
}

static void on_drain_timer(uv_timer_t *timer)
{
  struct al_net_loop *loop = timer->data;
  bool last = loop->cancelled;
  loop->cancelled = true;
  for (struct al_net_connection *at = loop->connections, *next; at != nullptr; at = next) {
    next = at->next;
    if (last || at->phase != AL_NET_CONN_RUNNING)
      al_net_connection_close(at);
    else
      al_cancel_fire(at->exchange->cancel, AL_CANCELLED);
  }
  if (!last)
    (void)uv_timer_start(timer, on_drain_timer, GRACE_MS, 0);
}

/* Has the client sent something that we have not read yet? */
static bool has_input(struct al_net_connection *connection)
{
  uv_os_fd_t fd;
  char byte;
  return uv_fileno(&connection->uv.handle, &fd) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A connection between two requests can go. One whose client has just connected, or whose next request lies unread in
 * the kernel, was accepted by us and can be answered by nobody else: its request is still taken. */
static void drain_idle(struct al_net_loop *loop, struct al_net_connection *connection)
{
  bool is_new = connection->timed.kind == AL_NET_HEAD;
  if (is_new || has_input(connection))
    al_net_deadline_set(&loop->deadlines, &connection->timed, AL_NET_LAST);
  else
    al_net_connection_close(connection);
}

static void begin_drain(struct al_net_loop *loop, int64_t deadline_ns)
{
  loop->draining = true;
  al_net_mailbox_set_draining(loop->mailbox);
  close_listeners(loop);
  for (struct al_net_connection *at = loop->connections, *next; at != nullptr; at = next) {
    next = at->next;
    if (at->phase == AL_NET_CONN_IDLE)
      drain_idle(loop, at);
    else
      al_net_websocket_drain(at->exchange);
  }
  if (deadline_ns != AL_NO_DEADLINE) {
    int64_t left_ms = (deadline_ns - al_now_ns()) / AL_NS_PER_MS;
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&loop->drain, on_drain_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
  }
  if (loop->connections == nullptr)
    finish(loop);
}

void al_net_loop_connection_closed(struct al_net_loop *loop)
{
  if (loop->draining && loop->connections == nullptr)
    finish(loop);
}

/* --- running ---------------------------------------------------------------------------------------------------- */

static void look_at(struct al_http_exchange *exchange)
{
  struct al_net_connection *connection = exchange->connection;
  bool gone = al_net_response_unposted(exchange);
  if (connection != nullptr && gone) {
    al_net_connection_close(connection);
  } else if (connection != nullptr) {
    al_net_connection_flush(connection);
    al_net_connection_resume(connection);
  }
  al_net_exchange_release(exchange);
}

static void on_wake(uv_async_t *wake)
{
  struct al_net_loop *loop = wake->data;
  for (struct al_http_exchange *at = al_net_mailbox_take(loop->mailbox), *next; at != nullptr; at = next) {
    next = at->next_ready;
    look_at(at);
  }
  int64_t deadline_ns = atomic_load(&loop->stop_deadline_ns);
  if (deadline_ns != 0 && !loop->draining)
    begin_drain(loop, deadline_ns);
}

static void free_mail(struct al_net_loop *loop)
{
  for (struct al_http_exchange *at = al_net_mailbox_take(loop->mailbox), *next; at != nullptr; at = next) {
    next = at->next_ready;
    al_net_exchange_release(at);
  }
}

static void run(void *argument)
{
  struct al_net_loop *loop = argument;
  (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

/* --- starting --------------------------------------------------------------------------------------------------- */

static enum al_code fail_uv(struct al_err *err, const char *what, int status)
{
  return al_fail(err, AL_INTERNAL, "the server could not %s: %s", what, uv_strerror(status));
}

static enum al_code open_listener(struct al_net_loop *loop, int fd, struct al_err *err)
{
  struct al_net_listener *listener = &loop->listeners[loop->n_listeners];
  struct sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    return al_fail(err, AL_INVALID_REQUEST, "descriptor %d is not a listening socket", fd);
  listener->loop = loop;
  listener->is_unix = address.ss_family == AF_UNIX;
  int failed = init_stream(loop, listener->is_unix, &listener->uv);
  if (failed != 0)
    return fail_uv(err, "make a listener", failed);
  loop->n_listeners++;
  listener->uv.handle.data = listener;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0)
    return al_fail(err, AL_INTERNAL, "descriptor %d could not be duplicated", fd);
  failed = listener->is_unix ? uv_pipe_open(&listener->uv.pipe, copy) : uv_tcp_open(&listener->uv.tcp, copy);
  if (failed != 0) {
    (void)close(copy);
    return fail_uv(err, "use an inherited socket", failed);
  }
  failed = uv_listen(&listener->uv.stream, BACKLOG, on_accept);
  return failed == 0 ? AL_OK : fail_uv(err, "listen", failed);
}

static enum al_code open_handles(struct al_net_loop *loop, const int *fds, size_t n_fds, struct al_err *err)
{
  const struct al_http_limits *limits = &loop->server->options.limits;
  const int64_t lengths_ms[AL_NET_DEADLINE_COUNT] = {
    [AL_NET_HEAD] = limits->header_timeout_ms,
    [AL_NET_BODY] = limits->body_timeout_ms,
    [AL_NET_IDLE] = limits->idle_timeout_ms,
    [AL_NET_LAST] = LAST_MS,
    [AL_NET_WRITE] = limits->write_timeout_ms,
    [AL_NET_QUIET] = limits->ping_interval_ms,
    [AL_NET_LINGER] = LINGER_MS,
  };
  AL_TRY(al_net_deadlines_init(&loop->deadlines, &loop->uv, lengths_ms, al_net_connection_expired, err));
  (void)uv_timer_init(&loop->uv, &loop->drain);
  loop->drain.data = loop;
  int failed = uv_async_init(&loop->uv, &loop->wake, on_wake);
  if (failed != 0)
    return fail_uv(err, "make a wake-up", failed);
  loop->wake.data = loop;
  al_net_mailbox_open(loop->mailbox, &loop->wake);
  for (size_t i = 0; i < n_fds; i++)
    AL_TRY(open_listener(loop, fds[i], err));
  return AL_OK;
}

static enum al_code take_memory(struct al_net_loop *loop, size_t n_fds, struct al_err *err)
{
  loop->mailbox = al_net_mailbox_new();
  loop->listeners = al_calloc(n_fds, sizeof *loop->listeners);
  loop->read_bytes = al_alloc(AL_NET_READ_BYTES);
  if (loop->server->tls != nullptr)
    loop->plain_bytes = al_alloc(AL_NET_READ_BYTES);
  bool ok = loop->mailbox != nullptr && loop->listeners != nullptr && loop->read_bytes != nullptr &&
            (loop->server->tls == nullptr || loop->plain_bytes != nullptr);
  return ok ? AL_OK : al_fail_oom(err, 2 * AL_NET_READ_BYTES);
}

static void give_memory(struct al_net_loop *loop)
{
  al_net_mailbox_unref(loop->mailbox);
  al_free(loop->listeners);
  al_free(loop->read_bytes);
  al_free(loop->plain_bytes);
  *loop = (struct al_net_loop){};
}

static void close_handle(uv_handle_t *handle, void *unused)
{
  (void)unused;
  if (!uv_is_closing(handle))
    uv_close(handle, nullptr);
}

static void close_loop(struct al_net_loop *loop)
{
  al_net_mailbox_close(loop->mailbox);
  uv_walk(&loop->uv, close_handle, nullptr); /* only after a start that failed; otherwise all are closed */
  (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
  (void)uv_loop_close(&loop->uv);
  free_mail(loop);
  give_memory(loop);
}

enum al_code al_net_loop_start(struct al_net_loop *loop, struct al_http_server *server, const int *fds, size_t n_fds,
                               struct al_err *err)
{
  *loop = (struct al_net_loop){ .server = server };
  enum al_code code = take_memory(loop, n_fds, err);
  if (code == AL_OK && uv_loop_init(&loop->uv) != 0)
    code = al_fail(err, AL_INTERNAL, "an event loop could not be made");
  if (code != AL_OK) {
    give_memory(loop);
    return code;
  }
  if (getrandom(loop->id_state, sizeof loop->id_state, 0) != (ssize_t)sizeof loop->id_state)
    loop->id_state[0] = (uint64_t)al_now_ns();
  code = open_handles(loop, fds, n_fds, err);
  if (code == AL_OK)
    code = al_thread_start(&loop->thread, "http", run, loop, err);
  if (code != AL_OK)
    close_loop(loop);
  return code;
}

void al_net_loop_stop(struct al_net_loop *loop, int64_t deadline_ns)
{
  if (!loop->thread.running)
    return;
  atomic_store(&loop->stop_deadline_ns, deadline_ns > 0 ? deadline_ns : 1);
  (void)uv_async_send(&loop->wake);
}

void al_net_loop_join(struct al_net_loop *loop)
{
  if (!loop->thread.running)
    return;
  al_thread_join(&loop->thread);
  close_loop(loop);
}

/* xoroshiro128+ (Blackman and Vigna): names need to differ, not to be secret. */
static uint64_t next_random(uint64_t state[2])
{
  uint64_t a = state[0], b = state[1], sum = a + b;
  b ^= a;
  state[0] = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
  state[1] = (b << 37) | (b >> 27);
  return sum;
}

void al_net_loop_make_id(struct al_net_loop *loop, char *out, size_t size)
{
  static const char digits[] = "0123456789abcdef";
  uint64_t bits[2] = { next_random(loop->id_state), next_random(loop->id_state) };
  char text[] = "req_000000000000000000000000";
  for (size_t i = 0; i < 24; i++)
    text[4 + i] = digits[bits[i / 16] >> (4 * (i % 16)) & 15];
  (void)snprintf(out, size, "%s", text);
}
