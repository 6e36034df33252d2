/* Hostile bytes to a connection, on one thread: no loop thread, no listening socket.
 *
 * The first byte of the input says into how large pieces the rest is cut. What comes back must be HTTP. */
#include "base/alloc.h"
#include "net/connection.h"
#include "net/websocket.h"

#include <assert.h>
#include <sys/socket.h>

static void echo(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  (void)al_http_query(exchange, "q");
  (void)al_http_header(exchange, "content-type");
  al_http_reply(exchange, 200, "text/plain", al_http_body(exchange));
}

static void stream(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_begin(exchange, 200, "text/plain");
  (void)al_http_send(exchange, al_http_param(exchange, "id"));
  al_http_end(exchange);
}

static void answer_message(struct al_http_exchange *exchange, struct al_str text, void *user)
{
  (void)user;
  if (text.size > 0 && text.data[0] == 'c')
    al_websocket_close(exchange, AL_WEBSOCKET_NORMAL, "bye");
  else
    (void)al_websocket_send(exchange, text);
}

static void ignore(struct al_http_exchange *exchange, void *user)
{
  (void)exchange;
  (void)user;
}

static void websocket(struct al_http_exchange *exchange, void *app)
{
  static const struct al_websocket_handler handler = { answer_message, ignore, ignore };
  (void)al_websocket_accept(exchange, &handler, app);
}

/* A sink that checks how it is used. */
struct upload {
  struct al_http_exchange *exchange;
  size_t n_bytes;
  bool has_refused;
};

static int n_uploads; /* alive */

static void *upload_begin(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  if (al_http_query(exchange, "no").data != nullptr) {
    al_http_reply(exchange, 415, nullptr, al_str("no"));
    return nullptr;
  }
  struct upload *upload = al_calloc(1, sizeof *upload);
  assert(upload != nullptr);
  upload->exchange = exchange;
  n_uploads++;
  return upload;
}

static bool upload_data(void *sink, struct al_str bytes)
{
  struct upload *upload = sink;
  assert(bytes.size > 0 && !upload->has_refused);
  upload->n_bytes += bytes.size;
  upload->has_refused = memchr(bytes.data, '!', bytes.size) != nullptr;
  if (upload->has_refused)
    al_http_reply(upload->exchange, 422, nullptr, al_str("no"));
  return !upload->has_refused;
}

static void upload_free(void *sink)
{
  n_uploads--;
  al_free(sink);
}

static void upload(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  struct upload *upload = al_http_sink(exchange);
  assert(upload != nullptr && !upload->has_refused && upload->n_bytes <= 8192 && al_http_body(exchange).size == 0);
  al_http_reply(exchange, 200, nullptr, al_str("ok"));
}

static const struct al_http_body_sink upload_sink = { upload_begin, upload_data, upload_free };

static const struct al_http_route routes[] = {
  { AL_HTTP_GET, "/ws", websocket, 256 },  { AL_HTTP_GET, "/echo", echo, 0 },
  { AL_HTTP_POST, "/echo", echo, 0 },      { AL_HTTP_GET, "/s/{id...}", stream, 0 },
  { AL_HTTP_PUT, "/small/{id}", echo, 8 }, { AL_HTTP_POST, "/up", upload, SIZE_MAX, &upload_sink },
};

static bool refuse_some(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  if (al_http_header(exchange, "x-no").data == nullptr)
    return true;
  al_http_reply_error(exchange, 401, "invalid_request_error", "no", nullptr, "no");
  return false;
}

static void forget(struct al_http_exchange *exchange, int status, void *app)
{
  (void)app;
  assert((status == 101 || (status >= 200 && status < 600)) && al_http_request_id(exchange)[0] == 'r');
}

static const struct al_http_middleware middleware[] = { { "refuse", refuse_some, forget } };

static struct al_http_server server;
static struct al_net_loop event_loop;

static void nothing_expires(struct al_net_timed *timed)
{
  (void)timed;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  static const int64_t lengths_ms[AL_NET_DEADLINE_COUNT] = { 60'000, 60'000, 60'000, 60'000, 60'000, 60'000, 60'000 };
  server.options = (struct al_http_server_options){
    .routes = routes,
    .n_routes = AL_COUNT(routes),
    .middleware = middleware,
    .n_middleware = 1,
    .limits = { .max_connections = 10,
                .max_header_bytes = 2048,
                .max_headers = 20,
                .max_url_bytes = 512,
                .max_body_bytes = 4096,
                .max_upload_bytes = 8192,
                .body_timeout_ms = 60'000,
                .max_queued_bytes = 4096 },
  };
  event_loop = (struct al_net_loop){ .server = &server, .mailbox = al_net_mailbox_new(), .id_state = { 1, 2 } };
  event_loop.read_bytes = al_alloc(AL_NET_READ_BYTES);
  (void)uv_loop_init(&event_loop.uv);
  enum al_code code =
      al_net_deadlines_init(&event_loop.deadlines, &event_loop.uv, lengths_ms, nothing_expires, nullptr);
  assert(code == AL_OK && event_loop.read_bytes != nullptr);
  uv_unref((uv_handle_t *)&event_loop.deadlines.timer);
  return 0;
}

static void check_answers(int fd)
{
  char bytes[65536];
  ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got > 0)
    assert(got > 12 && memcmp(bytes, "HTTP/1.1 ", 9) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  int ends[2];
  if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return 0;
  struct al_net_connection *connection = al_calloc(1, sizeof *connection);
  assert(connection != nullptr);
  (void)uv_pipe_init(&event_loop.uv, &connection->uv.pipe, 0);
  (void)uv_pipe_open(&connection->uv.pipe, ends[0]);
  connection->uv.handle.data = connection;
  connection->loop = &event_loop;
  al_net_connection_open(connection);
  size_t piece = data[0] == 0 ? size : data[0];
  for (size_t at = 1; at < size && connection->phase != AL_NET_CONN_CLOSING; at += piece) {
    /* Its own allocation, so that reading past a piece is seen. */
    size_t n = al_min_size(piece, size - at);
    char *copy = al_strndup((const char *)data + at, n);
    al_net_connection_take_input(connection, al_str_n(copy, n));
    al_free(copy);
  }
  check_answers(ends[1]);
  al_net_connection_close(connection);
  (void)uv_run(&event_loop.uv, UV_RUN_DEFAULT);
  (void)close(ends[1]);
  assert(n_uploads == 0);
  return 0;
}
