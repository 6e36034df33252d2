#include "kit.h"

#include "base/clock.h"
#include "net/websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- routes ----------------------------------------------------------------------------------------------------- */

static void hello(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_reply(exchange, 200, "text/plain", al_str("hello"));
}

static void echo(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_reply(exchange, 200, "application/octet-stream", al_http_body(exchange));
}

/* "id|query q|header x-test|peer" */
static void show(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  struct al_str parts[] = { al_http_param(exchange, "id"), al_http_query(exchange, "q"),
                            al_http_header(exchange, "X-Test"), al_str(al_http_peer(exchange)) };
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  for (size_t i = 0; i < AL_COUNT(parts); i++) {
    al_buf_str(&text, i > 0 ? "|" : "");
    al_buf_add(&text, parts[i].data, parts[i].size);
  }
  al_http_reply(exchange, 200, "text/plain", al_buf_view(&text));
}

static void stream(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_add_header(exchange, "X-Extra", "yes");
  al_http_begin(exchange, 200, "text/event-stream");
  (void)al_http_send(exchange, al_str("one "));
  (void)al_http_send(exchange, al_str("two "));
  (void)al_http_send(exchange, al_str("three"));
  al_http_end(exchange);
}

static void later(struct al_http_exchange *exchange, void *app)
{
  struct kit *kit = app;
  if (!al_queue_push(kit->held, al_http_ref(exchange)))
    al_http_unref(exchange);
}

static void forget(struct al_http_exchange *exchange, void *app)
{
  (void)exchange;
  (void)app;
}

static void large(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  size_t size = strtoull(al_http_query(exchange, "n").data, nullptr, 10);
  char *room = al_buf_room(&text, size);
  assert_non_null(room);
  memset(room, 'x', size);
  al_buf_grew(&text, size);
  al_http_reply(exchange, 200, "text/plain", al_buf_view(&text));
}

/* --- a sink: adds up what comes; refuses at the byte '!', or at once when the query says so --- */

struct upload {
  struct kit *kit;
  struct al_http_exchange *exchange; /* borrowed: the sink ends with it */
  size_t n_bytes;
};

static void *upload_begin(struct al_http_exchange *exchange, void *app)
{
  struct kit *kit = app;
  assert_int_equal(al_http_body(exchange).size, 0);
  assert_null(al_http_sink(exchange));
  if (al_str_is(al_http_query(exchange, "refuse"), "yes")) {
    al_http_reply_error(exchange, 415, "invalid_request_error", "no", nullptr, "refused at once");
    return nullptr;
  }
  struct upload *upload = calloc(1, sizeof *upload);
  assert_non_null(upload);
  *upload = (struct upload){ .kit = kit, .exchange = exchange };
  kit->n_sinks++;
  return upload;
}

static bool upload_data(void *sink, struct al_str bytes)
{
  struct upload *upload = sink;
  assert_true(bytes.size > 0);
  upload->n_bytes += bytes.size;
  atomic_fetch_add(&upload->kit->n_sink_bytes, bytes.size);
  if (memchr(bytes.data, '!', bytes.size) == nullptr)
    return true;
  al_http_reply_error(upload->exchange, 422, "invalid_request_error", "no", nullptr, "refused in the middle");
  return false;
}

static void upload_free(void *sink)
{
  struct upload *upload = sink;
  upload->kit->n_sink_frees++;
  free(upload);
}

static void upload(struct al_http_exchange *exchange, void *app)
{
  struct kit *kit = app;
  kit->n_uploads++;
  assert_int_equal(al_http_body(exchange).size, 0);
  struct upload *upload = al_http_sink(exchange);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_printf(&text, "%zu", upload->n_bytes);
  al_http_reply(exchange, 200, "text/plain", al_buf_view(&text));
}

static const struct al_http_body_sink upload_sink = { upload_begin, upload_data, upload_free };

/* --- a WebSocket: echoes, and does what it is told --- */

static void websocket_message(struct al_http_exchange *exchange, struct al_str text, void *user)
{
  struct kit *kit = user;
  if (al_str_is(text, "bye")) {
    al_websocket_close(exchange, AL_WEBSOCKET_NORMAL, "as you wish");
    bool sent = al_websocket_send(exchange, al_str("too late"));
    if (sent)
      atomic_store(&kit->sent_after_close, true);
  } else if (al_str_is(text, "hold")) {
    later(exchange, kit);
  } else if (al_str_is(text, "flood")) {
    static const char many[4096] = "x";
    while (al_websocket_send(exchange, al_str_n(many, sizeof many)))
      ;
  } else {
    (void)al_websocket_send(exchange, text);
  }
}

static void websocket_draining(struct al_http_exchange *exchange, void *user)
{
  struct kit *kit = user;
  if (!kit->ignores_drain)
    al_websocket_close(exchange, AL_WEBSOCKET_GOING_AWAY, "shutting down");
}

static void websocket_closed(struct al_http_exchange *exchange, void *user)
{
  struct kit *kit = user;
  kit->n_closed++;
  assert_false(al_websocket_send(exchange, al_str("nobody")));
}

static void websocket(struct al_http_exchange *exchange, void *app)
{
  static const struct al_websocket_handler handler = { websocket_message, websocket_draining, websocket_closed };
  if (al_websocket_accept(exchange, &handler, app))
    (void)al_websocket_send(exchange, al_str("welcome"));
}

static const struct al_http_route routes[] = {
  { AL_HTTP_GET, "/hello", hello, 0, nullptr },
  { AL_HTTP_POST, "/echo", echo, 0, nullptr },
  { AL_HTTP_POST, "/small", echo, 16, nullptr },
  { AL_HTTP_GET, "/items/{id}", show, 0, nullptr },
  { AL_HTTP_GET, "/models/{id...}", show, 0, nullptr },
  { AL_HTTP_DELETE, "/models/{id...}", show, 0, nullptr },
  { AL_HTTP_GET, "/stream", stream, 0, nullptr },
  { AL_HTTP_GET, "/later", later, 0, nullptr },
  { AL_HTTP_POST, "/later", later, 0, nullptr },
  { AL_HTTP_GET, "/forget", forget, 0, nullptr },
  { AL_HTTP_GET, "/large", large, 0, nullptr },
  { AL_HTTP_GET, "/ws", websocket, 100'000, nullptr },
  { AL_HTTP_POST, "/upload", upload, SIZE_MAX, &upload_sink },
};

static bool count_before(struct al_http_exchange *exchange, void *app)
{
  struct kit *kit = app;
  kit->n_before++;
  if (!al_str_is(al_http_header(exchange, "x-refuse"), "yes"))
    return true;
  al_http_reply_error(exchange, 401, "authentication_error", "invalid_api_key", nullptr, "no");
  return false;
}

static void count_after(struct al_http_exchange *exchange, int status, void *app)
{
  (void)exchange;
  struct kit *kit = app;
  kit->n_after++;
  kit->last_after_status = status;
  (void)!al_queue_push(kit->afters, (void *)(intptr_t)status);
}

/* Runs after count_before: it must not be asked, nor told of the end, when that has refused. */
static bool tag_before(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_add_header(exchange, "X-Tag", "inner");
  return true;
}

static const struct al_http_middleware middleware[] = {
  { "count", count_before, count_after },
  { "tag", tag_before, nullptr },
};

/* --- the server ------------------------------------------------------------------------------------------------- */

void kit_start(struct kit *kit, struct kit_options options)
{
  *kit = (struct kit){ .held = al_queue_new(4096), .afters = al_queue_new(4096) };
  struct al_err err = {};
  int fd = -1;
  enum al_code code =
      options.unix_path != nullptr
          ? al_http_listen_unix(options.unix_path, &fd, &err)
          : al_http_listen(options.host != nullptr ? options.host : "127.0.0.1", 0, &fd, &kit->port, &err);
  if (code != AL_OK)
    fail_msg("%s", err.message);
  struct al_http_server_options server_options = {
    .listen_fds = &fd,
    .n_listen_fds = 1,
    .n_loops = options.n_loops > 0 ? options.n_loops : 1,
    .routes = routes,
    .n_routes = AL_COUNT(routes),
    .middleware = middleware,
    .n_middleware = AL_COUNT(middleware),
    .app = kit,
    .limits = options.limits,
    .tls_certificate = options.tls_certificate,
    .tls_key = options.tls_key,
  };
  if (al_http_server_start(&server_options, &kit->server, &err) != AL_OK)
    fail_msg("%s", err.message);
  close(fd);
}

void kit_free(struct kit *kit)
{
  for (struct al_http_exchange *at; (at = al_queue_pop(kit->held, 0)) != nullptr;)
    al_http_unref(at);
  while (al_queue_pop(kit->afters, 0) != nullptr)
    ;
  al_queue_free(kit->held);
  al_queue_free(kit->afters);
  al_http_server_free(kit->server);
}

void kit_stop(struct kit *kit)
{
  al_http_server_stop(kit->server, 0);
  kit_free(kit);
}

struct al_http_exchange *kit_held(struct kit *kit)
{
  struct al_http_exchange *exchange = al_queue_pop(kit->held, al_deadline_in_ms(10'000));
  assert_non_null(exchange);
  return exchange;
}

int kit_after(struct kit *kit)
{
  void *status = al_queue_pop(kit->afters, al_deadline_in_ms(10'000));
  assert_non_null(status);
  return (int)(intptr_t)status;
}

void kit_wait_cancelled(struct al_http_exchange *exchange)
{
  int64_t deadline_ns = al_deadline_in_ms(10'000);
  while (!al_cancelled(al_http_cancel(exchange)) && al_now_ns() < deadline_ns)
    usleep(200);
  assert_int_equal(al_cancel_reason(al_http_cancel(exchange)), AL_CANCELLED);
}

void kit_wait_sinks_freed(const struct kit *kit)
{
  int64_t deadline_ns = al_deadline_in_ms(10'000);
  while (kit->n_sink_frees < kit->n_sinks && al_now_ns() < deadline_ns)
    usleep(200);
  assert_int_equal(kit->n_sink_frees, kit->n_sinks);
}

/* --- the raw client --------------------------------------------------------------------------------------------- */

static void set_timeouts(int fd)
{
  const struct timeval limit = { .tv_sec = 10 };
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* A signal may interrupt it; it goes on meanwhile. */
static void connect_to(int fd, const void *address, socklen_t size)
{
  int failed = connect(fd, address, size);
  while (failed != 0 && (errno == EINTR || errno == EALREADY)) {
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    (void)poll(&ready, 1, 10'000);
    failed = connect(fd, address, size);
  }
  assert_true(failed == 0 || errno == EISCONN);
}

int wire_connect(const struct kit *kit)
{
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  set_timeouts(fd);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)kit->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  connect_to(fd, &address, sizeof address);
  return fd;
}

int wire_connect_unix(const char *path)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  set_timeouts(fd);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  connect_to(fd, &address, sizeof address);
  return fd;
}

/* A signal may come to any thread of a test. */
ssize_t wire_receive(int fd, void *data, size_t size)
{
  for (;;) {
    ssize_t got = recv(fd, data, size, 0);
    if (got >= 0 || errno != EINTR)
      return got;
  }
}

bool wire_try_send(int fd, const void *data, size_t size)
{
  const char *at = data;
  while (size > 0) {
    ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    at += sent;
    size -= (size_t)sent;
  }
  return true;
}

void wire_send_bytes(int fd, const void *data, size_t size)
{
  assert_true(wire_try_send(fd, data, size));
}

void wire_send(int fd, const char *text)
{
  wire_send_bytes(fd, text, strlen(text));
}

bool wire_at_end(int fd)
{
  char bytes[65536];
  for (;;) {
    ssize_t got = wire_receive(fd, bytes, sizeof bytes);
    if (got > 0)
      continue;
    return got == 0 || errno == ECONNRESET;
  }
}

void wire_close(int fd)
{
  close(fd);
}

static bool read_byte(int fd, char *byte)
{
  return wire_receive(fd, byte, 1) == 1;
}

static bool read_head(int fd, struct answer *answer)
{
  size_t size = 0;
  while (size + 1 < sizeof answer->head) {
    if (!read_byte(fd, &answer->head[size]))
      return false;
    answer->head[++size] = '\0';
    if (size >= 4 && memcmp(&answer->head[size - 4], "\r\n\r\n", 4) == 0)
      return true;
  }
  return false;
}

static bool read_body_bytes(int fd, struct answer *answer, size_t size)
{
  assert_true(answer->body_size + size < sizeof answer->body);
  while (size > 0) {
    ssize_t got = wire_receive(fd, answer->body + answer->body_size, size);
    if (got <= 0)
      return false;
    answer->body_size += (size_t)got;
    size -= (size_t)got;
  }
  return true;
}

static void read_chunks(int fd, struct answer *answer)
{
  for (;;) {
    char line[32] = {};
    for (size_t n = 0; n < sizeof line - 1; n++)
      if (!read_byte(fd, &line[n]) || line[n] == '\n')
        break;
    char *end;
    size_t size = strtoull(line, &end, 16);
    char tail[2];
    if (end == line || !read_body_bytes(fd, answer, size) || !read_byte(fd, &tail[0]) || !read_byte(fd, &tail[1])) {
      answer->status = -1; /* cut off */
      return;
    }
    assert_memory_equal(tail, "\r\n", 2);
    if (size == 0)
      return;
  }
}

void wire_read_answer(int fd, struct answer *answer, bool to_head)
{
  *answer = (struct answer){};
  if (!read_head(fd, answer))
    return;
  assert_int_equal(strncmp(answer->head, "HTTP/1.1 ", 9), 0);
  answer->status = (int)strtol(answer->head + 9, nullptr, 10);
  const char *length = strcasestr(answer->head, "\r\nContent-Length: ");
  if (to_head || answer->status < 200 || answer->status == 204)
    return;
  if (strcasestr(answer->head, "\r\nTransfer-Encoding: chunked") != nullptr) {
    read_chunks(fd, answer);
  } else if (length != nullptr) {
    if (!read_body_bytes(fd, answer, strtoull(length + 18, nullptr, 10)))
      answer->status = -1;
  } else {
    char byte;
    while (read_byte(fd, &byte))
      answer->body[answer->body_size++] = byte;
  }
  answer->body[answer->body_size] = '\0';
}

bool answer_has(const struct answer *answer, const char *header_line)
{
  char line[256];
  (void)snprintf(line, sizeof line, "\r\n%s\r\n", header_line);
  return strcasestr(answer->head, line) != nullptr;
}

void wire_ask(const struct kit *kit, const char *request, struct answer *answer)
{
  int fd = wire_connect(kit);
  (void)wire_try_send(fd, request, strlen(request));
  wire_read_answer(fd, answer, strncmp(request, "HEAD", 4) == 0);
  wire_close(fd);
}

void wire_assert_alive(const struct kit *kit)
{
  struct answer *answer = malloc(sizeof *answer);
  assert_non_null(answer);
  wire_ask(kit, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", answer);
  assert_int_equal(answer->status, 200);
  assert_string_equal(answer->body, "hello");
  free(answer);
}
