/* The command line's client, against our own server and against a peer that speaks whatever the test says. */
#include "kit.h"

#include "base/clock.h"
#include "base/thread.h"
#include "codec/sse.h"
#include "net/client.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct al_err err;

static void url_of(const struct kit *kit, char *out, size_t size)
{
  (void)snprintf(out, size, "http://127.0.0.1:%d", kit->port);
}

static struct al_http_client *open_to(const struct kit *kit, int cancel_fd)
{
  char url[64];
  url_of(kit, url, sizeof url);
  struct al_http_client *client = nullptr;
  struct al_http_client_options options = { .url = url, .cancel_fd = cancel_fd };
  if (al_http_client_open(&options, &client, &err) != AL_OK)
    fail_msg("%s", err.message);
  return client;
}

static void test_get_and_post(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  int status = 0;
  struct al_http_client *client = open_to(&kit, 0);
  assert_int_equal(
      al_http_client_send(client, &(struct al_http_client_request){ .method = "GET", .path = "/hello" }, &status, &err),
      AL_OK);
  assert_int_equal(status, 200);
  assert_true(al_str_is(al_http_client_header(client, "content-TYPE"), "text/plain"));
  assert_null(al_http_client_header(client, "absent").data);
  assert_int_equal(al_http_client_read_all(client, &body, 5000, &err), AL_OK);
  assert_string_equal(body.data, "hello");
  al_http_client_close(client);

  static char large[3'000'000];
  memset(large, 'y', sizeof large);
  const struct al_http_client_header headers[] = { { "X-Test", "1" } };
  struct al_http_client_request post = { .method = "POST",
                                         .path = "/echo",
                                         .headers = headers,
                                         .n_headers = 1,
                                         .content_type = "text/plain",
                                         .body = al_str_n(large, sizeof large) };
  client = open_to(&kit, 0);
  al_buf_clear(&body);
  assert_int_equal(al_http_client_send(client, &post, &status, &err), AL_OK);
  assert_int_equal(al_http_client_read_all(client, &body, 5000, &err), AL_OK);
  assert_int_equal(body.size, sizeof large);
  assert_int_equal(al_http_client_send(client, &post, &status, &err), AL_INVALID_REQUEST); /* one a client */
  al_http_client_close(client);

  client = open_to(&kit, 0);
  assert_int_equal(al_http_client_send(client, &(struct al_http_client_request){ .method = "HEAD", .path = "/hello" },
                                       &status, &err),
                   AL_OK);
  al_buf_clear(&body);
  assert_int_equal(al_http_client_read_all(client, &body, 5000, &err), AL_OK);
  assert_int_equal(body.size, 0);
  al_http_client_close(client);

  client = open_to(&kit, 0); /* refused while it still sends: the answer is read all the same */
  post.path = "/small";
  assert_int_equal(al_http_client_send(client, &post, &status, &err), AL_OK);
  assert_int_equal(status, 413);
  al_http_client_close(client);
  kit_stop(&kit);
}

static void test_addresses(void **state)
{
  (void)state;
  static const struct {
    const char *url;
    enum al_code code;
  } cases[] = {
    { "https://127.0.0.1:1", AL_UNSUPPORTED },
    { "ftp://x", AL_INVALID_REQUEST },
    { "http://", AL_INVALID_REQUEST },
    { "http://127.0.0.1:x", AL_INVALID_REQUEST },
    { "http://[::1", AL_INVALID_REQUEST },
    { "http://:80", AL_INVALID_REQUEST },
    { "unix:", AL_INVALID_REQUEST },
    { "http://127.0.0.1:1", AL_NOT_FOUND },
    { "unix:/nonexistent/socket", AL_NOT_FOUND },
    { "http://host.invalid:1", AL_NOT_FOUND },
    { "http://127.0.0.1:1/v1", AL_NOT_FOUND },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_http_client *client = nullptr;
    enum al_code code = al_http_client_open(&(struct al_http_client_options){ .url = cases[i].url }, &client, &err);
    if (code != cases[i].code)
      fail_msg("%s: %s", cases[i].url, err.message);
    if (code == AL_NOT_FOUND)
      assert_string_equal(err.reason, "no_server");
  }
}

static bool collect(void *context, struct al_str event, struct al_str data)
{
  al_buf_printf(context, "[%.*s|%.*s]", (int)event.size, event.data, (int)data.size, data.data);
  return true;
}

struct reader {
  struct al_sse sse;
  struct al_buf events;
};

static bool feed(void *context, struct al_str bytes)
{
  struct reader *reader = context;
  return al_sse_feed(&reader->sse, bytes, collect, &reader->events, nullptr) == AL_OK;
}

static void stream_events(void *argument)
{
  struct al_http_exchange *exchange = kit_held(argument);
  al_http_begin(exchange, 200, "text/event-stream");
  (void)al_http_send(exchange, al_str("event: a\ndata: 1\n\n"));
  (void)al_http_send(exchange, al_str("data: 2\nda"));
  (void)al_http_send(exchange, al_str("ta: 3\n\ndata: [DONE]\n\n"));
  al_http_end(exchange);
  al_http_unref(exchange);
}

static void test_events(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  struct al_thread thread = {};
  assert_int_equal(al_thread_start(&thread, "events", stream_events, &kit, nullptr), AL_OK);
  struct al_http_client *client = open_to(&kit, 0);
  int status;
  assert_int_equal(
      al_http_client_send(client, &(struct al_http_client_request){ .method = "GET", .path = "/later" }, &status, &err),
      AL_OK);
  struct reader reader = {};
  al_sse_init(&reader.sse, 1000);
  assert_int_equal(al_http_client_read(client, feed, &reader, 5000, &err), AL_OK);
  assert_string_equal(reader.events.data, "[a|1][message|2\n3][message|[DONE]]");
  al_sse_done(&reader.sse);
  al_buf_done(&reader.events);
  al_http_client_close(client);
  al_thread_join(&thread);
  kit_stop(&kit);
}

static void begin_only(void *argument)
{
  struct al_http_exchange *exchange = kit_held(argument);
  al_http_begin(exchange, 200, "text/plain");
  (void)al_http_send(exchange, al_str("one"));
  kit_wait_cancelled(exchange);
  al_http_unref(exchange);
}

static void test_cancel_and_deadlines(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int status;
  struct al_http_client_request request = { .method = "GET", .path = "/later", .deadline_ns = al_deadline_in_ms(30) };
  struct al_http_client *client = open_to(&kit, 0);
  assert_int_equal(al_http_client_send(client, &request, &status, &err), AL_TIMEOUT);
  al_http_client_close(client);
  struct al_http_exchange *exchange = kit_held(&kit);
  kit_wait_cancelled(exchange); /* the server has seen that we went */
  al_http_unref(exchange);

  int ends[2];
  assert_int_equal(pipe(ends), 0);
  client = open_to(&kit, ends[0]);
  assert_int_equal(write(ends[1], "x", 1), 1);
  request.deadline_ns = 0;
  assert_int_equal(al_http_client_send(client, &request, &status, &err), AL_CANCELLED);
  al_http_client_close(client);
  close(ends[0]);
  close(ends[1]);
  al_http_unref(kit_held(&kit));

  struct al_thread thread = {}; /* no piece of the body for too long */
  assert_int_equal(al_thread_start(&thread, "begin", begin_only, &kit, nullptr), AL_OK);
  client = open_to(&kit, 0);
  assert_int_equal(al_http_client_send(client, &request, &status, &err), AL_OK);
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  assert_int_equal(al_http_client_read_all(client, &body, 400, &err), AL_TIMEOUT);
  assert_string_equal(body.data, "one");
  al_http_client_close(client);
  al_thread_join(&thread);
  kit_stop(&kit);
}

static bool stop_at_once(void *context, struct al_str bytes)
{
  (void)bytes;
  ++*(int *)context;
  return false;
}

static void test_sink_stops(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  struct al_http_client *client = open_to(&kit, 0);
  int status, n_calls = 0;
  struct al_http_client_request request = { .method = "GET", .path = "/large?n=1000000" };
  assert_int_equal(al_http_client_send(client, &request, &status, &err), AL_OK);
  assert_int_equal(al_http_client_read(client, stop_at_once, &n_calls, 0, &err), AL_CANCELLED);
  assert_int_equal(n_calls, 1);
  al_http_client_close(client);
  AL_CLEANUP(al_buf_done) struct al_buf body = { .cap_bytes = 1000 };
  client = open_to(&kit, 0);
  assert_int_equal(al_http_client_send(client, &request, &status, &err), AL_OK);
  assert_int_equal(al_http_client_read_all(client, &body, 0, &err), AL_OOM_RAM);
  al_http_client_close(client);
  kit_stop(&kit);
}

/* --- a peer of the test's own ------------------------------------------------------------------------------------ */

struct peer {
  struct al_thread thread;
  int listener, port;
  const char *bytes;
  size_t size;
};

static void serve_once(void *argument)
{
  struct peer *peer = argument;
  int fd = accept(peer->listener, nullptr, nullptr);
  char request[4096];
  (void)!wire_receive(fd, request, sizeof request);
  (void)wire_try_send(fd, peer->bytes, peer->size);
  (void)shutdown(fd, SHUT_WR);
  (void)wire_at_end(fd);
  close(fd);
}

static enum al_code ask_peer(const char *bytes, size_t size, struct al_buf *body, int *status)
{
  struct peer peer = { .bytes = bytes, .size = size };
  assert_int_equal(al_http_listen("127.0.0.1", 0, &peer.listener, &peer.port, &err), AL_OK);
  (void)fcntl(peer.listener, F_SETFL, 0);
  assert_int_equal(al_thread_start(&peer.thread, "peer", serve_once, &peer, nullptr), AL_OK);
  struct kit kit = { .port = peer.port };
  struct al_http_client *client = open_to(&kit, 0);
  err = (struct al_err){};
  enum al_code code =
      al_http_client_send(client, &(struct al_http_client_request){ .method = "GET", .path = "/" }, status, &err);
  if (code == AL_OK)
    code = al_http_client_read_all(client, body, 5000, &err);
  al_http_client_close(client);
  al_thread_join(&peer.thread);
  close(peer.listener);
  return code;
}

#define ASK(text) ask_peer(text, sizeof(text) - 1, &body, &status)

static void test_strange_servers(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  int status = 0;
  assert_int_equal(ASK("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), AL_OK);
  assert_string_equal(body.data, "ok");
  assert_int_equal(status, 200);
  al_buf_clear(&body);
  assert_int_equal(ASK("HTTP/1.0 200 OK\r\n\r\nuntil the end"), AL_OK);
  assert_string_equal(body.data, "until the end");
  assert_int_equal(ASK("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort"), AL_INTERNAL);
  assert_string_equal(err.reason, "connection_lost");
  assert_int_equal(ASK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), AL_INTERNAL);
  assert_string_equal(err.reason, "connection_lost");
  assert_int_equal(ASK("HTTP/1.1 200"), AL_INTERNAL);
  assert_int_equal(ASK(""), AL_INTERNAL);
  assert_int_equal(ASK("SSH-2.0-OpenSSH\r\n"), AL_INTERNAL);
  assert_int_equal(ASK("HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n"), AL_INTERNAL);
  AL_CLEANUP(al_buf_done) struct al_buf large = {};
  al_buf_str(&large, "HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 200; i++)
    al_buf_str(&large, "A: b\r\n");
  assert_int_equal(ask_peer(large.data, large.size, &body, &status), AL_INTERNAL);
  assert_non_null(strstr(err.message, "too large"));
  al_buf_clear(&large);
  al_buf_str(&large, "HTTP/1.1 200 OK\r\nA:");
  for (int i = 0; i < 70'000; i++)
    al_buf_char(&large, ' ');
  assert_int_equal(ask_peer(large.data, large.size, &body, &status), AL_INTERNAL);
  assert_non_null(strstr(err.message, "too large"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_get_and_post), cmocka_unit_test(test_addresses),
    cmocka_unit_test(test_events),       cmocka_unit_test(test_cancel_and_deadlines),
    cmocka_unit_test(test_sink_stops),   cmocka_unit_test(test_strange_servers),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
