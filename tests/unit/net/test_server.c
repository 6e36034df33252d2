/* The server as a whole: sockets of every kind, starting and not starting, stopping, TLS, memory that runs out. */
#include "kit.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define H         "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

static struct answer answer;
static struct al_err err;

/* --- sockets ---------------------------------------------------------------------------------------------------- */

static void test_port_in_use(void **state)
{
  (void)state;
  int first, second, port;
  assert_int_equal(al_http_listen("127.0.0.1", 0, &first, &port, &err), AL_OK);
  assert_true(port > 0);
  assert_int_equal(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  int same;
  assert_int_equal(al_http_listen("127.0.0.1", port, &second, &same, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "in use"));
  char text[16];
  (void)snprintf(text, sizeof text, "%d", port);
  assert_non_null(strstr(err.message, text));
  close(first);
  assert_int_equal(al_http_listen("192.0.2.1", 0, &first, &port, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "192.0.2.1"));
  assert_int_equal(al_http_listen("no.such.host.invalid", 0, &first, &port, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_http_listen("127.0.0.1", 70'000, &first, &port, &err), AL_INVALID_REQUEST);
}

static void test_unix_socket(void **state)
{
  (void)state;
  char path[128];
  (void)snprintf(path, sizeof path, "/tmp/allm-test-net-%d.sock", (int)getpid());
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .unix_path = path });
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  int fd = wire_connect_unix(path);
  wire_send(fd, GET("/items/a"));
  wire_read_answer(fd, &answer, false);
  assert_string_equal(answer.body, "a|||unix");
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(&kit);
  wire_close(fd);
  kit_wait_cancelled(exchange);
  al_http_unref(exchange);
  int other;
  assert_int_equal(al_http_listen_unix(path, &other, &err), AL_INVALID_REQUEST); /* somebody listens */
  kit_stop(&kit);
  assert_int_equal(al_http_listen_unix(path, &other, &err), AL_OK); /* stale: replaced */
  close(other);
  (void)unlink(path);
  int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  close(file);
  assert_int_equal(al_http_listen_unix(path, &other, &err), AL_INVALID_REQUEST); /* not ours to remove */
  assert_int_equal(stat(path, &info), 0);
  (void)unlink(path);
  static char long_path[300];
  memset(long_path, 'a', sizeof long_path - 1);
  assert_int_equal(al_http_listen_unix(long_path, &other, &err), AL_INVALID_REQUEST);
}

static void test_ipv6(void **state)
{
  (void)state;
  int probe, port;
  if (al_http_listen("::1", 0, &probe, &port, &err) != AL_OK)
    skip();
  close(probe);
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .host = "::1" });
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                  .sin6_port = htons((uint16_t)kit.port),
                                  .sin6_addr = in6addr_loopback };
  assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
  wire_send(fd, "GET /items/a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_string_equal(answer.body, "a|||::1");
  wire_close(fd);
  kit_stop(&kit);
  kit_start(&kit, (struct kit_options){ .host = "::" }); /* takes IPv4 as well, and says so */
  wire_ask(&kit, GET("/items/a"), &answer);
  assert_string_equal(answer.body, "a|||127.0.0.1");
  kit_stop(&kit);
}

/* Sockets that come from elsewhere, of two kinds, served by every loop; the caller may close its own at once. */
static void test_inherited_sockets(void **state)
{
  (void)state;
  char path[96];
  (void)snprintf(path, sizeof path, "/tmp/allm-test-net-%d.sock", (int)getpid());
  struct kit kit = {};
  int fds[2];
  assert_int_equal(al_http_listen("127.0.0.1", 0, &fds[0], &kit.port, &err), AL_OK);
  assert_int_equal(al_http_listen_unix(path, &fds[1], &err), AL_OK);
  struct al_http_server_options options = { .listen_fds = fds, .n_listen_fds = 2, .n_loops = 3 };
  assert_int_equal(al_http_server_start(&options, &kit.server, &err), AL_OK);
  close(fds[0]);
  close(fds[1]);
  for (int i = 0; i < 20; i++) {
    wire_ask(&kit, GET("/nothing"), &answer);
    assert_int_equal(answer.status, 404);
    int fd = wire_connect_unix(path);
    wire_send(fd, GET("/nothing"));
    wire_read_answer(fd, &answer, false);
    assert_int_equal(answer.status, 404);
    wire_close(fd);
  }
  al_http_server_stop(kit.server, 0);
  al_http_server_free(kit.server);
  (void)unlink(path);
}

/* --- starting --------------------------------------------------------------------------------------------------- */

static void nothing(struct al_http_exchange *exchange, void *app)
{
  (void)exchange;
  (void)app;
}

static void test_refuses_to_start(void **state)
{
  (void)state;
  struct al_http_server *server = nullptr;
  int fd, port, pipe_ends[2];
  assert_int_equal(al_http_listen("127.0.0.1", 0, &fd, &port, &err), AL_OK);
  assert_int_equal(pipe(pipe_ends), 0);
  const struct al_http_route route = { AL_HTTP_GET, "bad", nothing, 0, nullptr };
  struct al_http_server_options none = {},
                                bad_route = { .listen_fds = &fd, .n_listen_fds = 1, .routes = &route, .n_routes = 1 };
  struct al_http_server_options no_socket = { .listen_fds = pipe_ends, .n_listen_fds = 1, .n_loops = 2 };
  struct al_http_server_options half_tls = { .listen_fds = &fd, .n_listen_fds = 1, .tls_key = "/x" };
  struct al_http_server_options no_key = {
    .listen_fds = &fd, .n_listen_fds = 1, .tls_key = "/nonexistent/key", .tls_certificate = "/nonexistent/cert"
  };
  assert_int_equal(al_http_server_start(&none, &server, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_http_server_start(&bad_route, &server, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_http_server_start(&no_socket, &server, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_http_server_start(&half_tls, &server, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_http_server_start(&no_key, &server, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "/nonexistent/cert"));
  assert_null(server);
  al_http_server_free(nullptr);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  close(fd);
}

/* Every allocation of the start fails once; then it works. */
static void test_start_without_memory(void **state)
{
  (void)state;
  int fd, port;
  assert_int_equal(al_http_listen("127.0.0.1", 0, &fd, &port, &err), AL_OK);
  struct al_http_server_options options = { .listen_fds = &fd, .n_listen_fds = 1, .n_loops = 2 };
  struct al_http_server *server = nullptr;
  size_t n = 0;
  enum al_code code;
  do {
    (void)al_alloc_fail_at(++n);
    code = al_http_server_start(&options, &server, &err);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
  } while (code != AL_OK);
  assert_true(n > 6);
  al_http_server_stop(server, 0);
  al_http_server_free(server);
  close(fd);
}

/* Whichever allocation of a request fails: an answer or a closed connection, and the next request is served. */
static void test_requests_without_memory(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int n_answered = 0, n_closed = 0;
  for (size_t n = 1; n <= 24; n++) {
    int fd = wire_connect(&kit);
    (void)al_alloc_fail_at(n);
    wire_send(fd, "POST /echo?a=b HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc");
    wire_read_answer(fd, &answer, false);
    (void)al_alloc_fail_at(0);
    n_answered += answer.status > 0;
    n_closed += answer.status <= 0;
    wire_close(fd);
    wire_assert_alive(&kit);
  }
  assert_true(n_answered > 0);
  assert_true(n_closed > 0);
  kit_stop(&kit);
}

/* --- stopping --------------------------------------------------------------------------------------------------- */

struct stopper {
  struct al_thread thread;
  struct kit *kit;
  int64_t deadline_ns;
};

static void stop_server(void *argument)
{
  struct stopper *stopper = argument;
  al_http_server_stop(stopper->kit->server, stopper->deadline_ns);
}

/* Idle connections close, the running stream goes on to its end, and nobody new is let in. */
static void test_drain(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .n_loops = 2 });
  int idle = wire_connect(&kit), busy = wire_connect(&kit);
  wire_send(idle, GET("/hello"));
  wire_read_answer(idle, &answer, false);
  wire_send(busy, GET("/later"));
  struct al_http_exchange *exchange = kit_held(&kit);
  al_http_begin(exchange, 200, "text/plain");
  struct stopper stopper = { .kit = &kit, .deadline_ns = AL_NO_DEADLINE };
  assert_int_equal(al_thread_start(&stopper.thread, "stopper", stop_server, &stopper, nullptr), AL_OK);
  assert_true(wire_at_end(idle));
  assert_true(al_http_send(exchange, al_str("to the last word")));
  al_http_end(exchange);
  wire_read_answer(busy, &answer, false);
  assert_string_equal(answer.body, "to the last word");
  assert_true(wire_at_end(busy));
  al_thread_join(&stopper.thread);
  assert_false(al_cancelled(al_http_cancel(exchange)));
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)kit.port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_not_equal(connect(late, (const struct sockaddr *)&address, sizeof address), 0);
  wire_close(late);
  wire_close(idle);
  wire_close(busy);
  al_http_unref(exchange);
  kit_free(&kit);
}

/* An answer that begins while stopping says that the connection closes. */
static void test_drain_answer_says_close(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int idle = wire_connect(&kit), busy = wire_connect(&kit);
  wire_send(idle, GET("/hello"));
  wire_read_answer(idle, &answer, false);
  wire_send(busy, GET("/later"));
  struct al_http_exchange *exchange = kit_held(&kit);
  struct stopper stopper = { .kit = &kit, .deadline_ns = AL_NO_DEADLINE };
  assert_int_equal(al_thread_start(&stopper.thread, "stopper", stop_server, &stopper, nullptr), AL_OK);
  assert_true(wire_at_end(idle)); /* it is stopping now */
  al_http_reply(exchange, 200, "text/plain", al_str("bye"));
  wire_read_answer(busy, &answer, false);
  assert_string_equal(answer.body, "bye");
  assert_true(answer_has(&answer, "Connection: close"));
  al_thread_join(&stopper.thread);
  al_http_unref(exchange);
  wire_close(idle);
  wire_close(busy);
  kit_free(&kit);
}

/* A connection that we have accepted but that has not spoken yet can be answered by nobody else: its first request is
 * served. One that stays silent does not hold the server up. */
static void test_drain_serves_new_connection(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int idle = wire_connect(&kit), new = wire_connect(&kit), silent = wire_connect(&kit);
  wire_send(idle, GET("/hello"));
  wire_read_answer(idle, &answer, false); /* the other two have been accepted as well: one loop, in order */
  wire_send(idle, GET("/hello"));
  wire_read_answer(idle, &answer, false);
  struct stopper stopper = { .kit = &kit, .deadline_ns = AL_NO_DEADLINE };
  assert_int_equal(al_thread_start(&stopper.thread, "stopper", stop_server, &stopper, nullptr), AL_OK);
  assert_true(wire_at_end(idle)); /* it is stopping now */
  wire_send(new, GET("/hello"));
  wire_read_answer(new, &answer, false);
  assert_int_equal(answer.status, 200);
  assert_true(answer_has(&answer, "Connection: close"));
  assert_true(wire_at_end(new));
  assert_true(wire_at_end(silent));
  al_thread_join(&stopper.thread);
  wire_close(idle);
  wire_close(new);
  wire_close(silent);
  kit_free(&kit);
}

/* Past the deadline running exchanges are cancelled; their holders may speak to the server that is gone. */
static void test_stop_cancels(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = wire_connect(&kit), half = wire_connect(&kit);
  wire_send(half, "GET /hello HTTP/1.1\r\n");
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(&kit);
  al_http_server_stop(kit.server, al_deadline_in_ms(20));
  assert_int_equal(al_cancel_reason(al_http_cancel(exchange)), AL_CANCELLED);
  assert_true(wire_at_end(fd));
  assert_true(wire_at_end(half));
  al_http_server_stop(kit.server, 0); /* twice does no harm */
  kit_free(&kit);
  al_http_begin(exchange, 200, "text/plain");
  assert_false(al_http_send(exchange, al_str("nobody")));
  al_http_end(exchange);
  al_http_unref(exchange);
  wire_close(fd);
  wire_close(half);
}

static void test_stats(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = wire_connect(&kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(&kit);
  struct al_http_stats stats;
  al_http_server_stats(kit.server, &stats);
  assert_int_equal(stats.n_connections, 1);
  assert_int_equal(stats.n_active_exchanges, 1);
  al_http_reply(exchange, 200, "text/plain", al_str("x"));
  al_http_unref(exchange);
  assert_int_equal(kit_after(&kit), 200);
  wire_ask(&kit, "NOT HTTP\r\n\r\n", &answer);
  al_http_server_stop(kit.server, 0);
  al_http_server_stats(kit.server, &stats);
  assert_int_equal(stats.n_connections, 0);
  assert_int_equal(stats.n_connections_total, 2);
  assert_int_equal(stats.n_requests_total, 1);
  assert_int_equal(stats.n_active_exchanges, 0);
  assert_int_equal(stats.n_bad_requests, 1);
  assert_true(stats.n_sent_bytes > 100);
  wire_close(fd);
  kit_free(&kit);
}

/* --- TLS -------------------------------------------------------------------------------------------------------- */

static char certificate_path[128], key_path[128];

static void write_certificate(void)
{
  (void)snprintf(certificate_path, sizeof certificate_path, "/tmp/allm-test-net-%d.crt", (int)getpid());
  (void)snprintf(key_path, sizeof key_path, "/tmp/allm-test-net-%d.key", (int)getpid());
  EVP_PKEY *key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  X509 *certificate = X509_new();
  assert_non_null(key);
  assert_non_null(certificate);
  (void)X509_set_version(certificate, 2);
  (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  (void)X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  (void)X509_set_pubkey(certificate, key);
  X509_NAME *name = X509_NAME_new();
  (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
  (void)X509_set_subject_name(certificate, name);
  (void)X509_set_issuer_name(certificate, name);
  X509_NAME_free(name);
  assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
  FILE *file = fopen(certificate_path, "we");
  assert_int_equal(PEM_write_X509(file, certificate), 1);
  (void)fclose(file);
  file = fopen(key_path, "we");
  assert_int_equal(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
  (void)fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

static SSL *tls_connect(SSL_CTX *context, const struct kit *kit, int *fd)
{
  *fd = wire_connect(kit);
  /* A receive with a timeout is interrupted when the process is stopped and continued; OpenSSL would report that. */
  const struct timeval none = {};
  (void)setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  (void)setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  SSL *ssl = SSL_new(context);
  assert_int_equal(SSL_set_fd(ssl, *fd), 1);
  assert_int_equal(SSL_connect(ssl), 1);
  return ssl;
}

static size_t tls_read_until(SSL *ssl, char *out, size_t size, const char *mark)
{
  size_t used = 0;
  while (used + 1 < size && strstr(out, mark) == nullptr) {
    int got = SSL_read(ssl, out + used, (int)(size - used - 1));
    if (got <= 0)
      break;
    used += (size_t)got;
    out[used] = '\0';
  }
  return used;
}

static void test_tls(void **state)
{
  (void)state;
  write_certificate();
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .tls_certificate = certificate_path, .tls_key = key_path });
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  static const unsigned char protocols[] = "\x02h2\x08http/1.1";
  (void)SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1);
  int fd;
  SSL *ssl = tls_connect(context, &kit, &fd);
  const unsigned char *chosen;
  unsigned chosen_size;
  SSL_get0_alpn_selected(ssl, &chosen, &chosen_size);
  assert_int_equal(chosen_size, 8);
  for (int i = 0; i < 2; i++) { /* keep-alive too */
    char text[2048] = {};
    assert_true(SSL_write(ssl, GET("/hello"), sizeof GET("/hello") - 1) > 0);
    (void)tls_read_until(ssl, text, sizeof text, "\r\n\r\nhello");
    assert_non_null(strstr(text, "HTTP/1.1 200 OK"));
  }
  static char text[400'000]; /* many records, and a body that comes in pieces */
  assert_true(SSL_write(ssl, "POST /echo HTTP/1.1\r\n" H "Content-Length: 300000\r\n\r\n",
                        sizeof "POST /echo HTTP/1.1\r\n" H "Content-Length: 300000\r\n\r\n" - 1) > 0);
  static char body[300'000];
  memset(body, 'z', sizeof body);
  assert_true(SSL_write(ssl, body, sizeof body) > 0);
  size_t got = 0;
  while (got < sizeof body) {
    int n = SSL_read(ssl, text + got, (int)(sizeof text - got));
    assert_true(n > 0);
    got += (size_t)n;
  }
  assert_true(SSL_write(ssl, GET("/later"), sizeof GET("/later") - 1) > 0);
  struct al_http_exchange *exchange = kit_held(&kit);
  al_http_begin(exchange, 200, "text/event-stream");
  assert_true(al_http_send(exchange, al_str("data: 1\n\n")));
  char event[2048] = {};
  (void)tls_read_until(ssl, event, sizeof event, "data: 1\n\n\r\n");
  assert_non_null(strstr(event, "data: 1"));
  (void)SSL_shutdown(ssl);
  kit_wait_cancelled(exchange); /* close_notify is the end of the stream */
  al_http_unref(exchange);
  SSL_free(ssl);
  wire_close(fd);
  fd = wire_connect(&kit); /* plain HTTP to a TLS port */
  wire_send(fd, GET("/hello"));
  assert_true(wire_at_end(fd));
  wire_close(fd);
  ssl = tls_connect(context, &kit, &fd); /* cut in the middle of a record */
  wire_send(fd, "\x17\x03\x03\x10");
  SSL_free(ssl);
  wire_close(fd);
  ssl = tls_connect(context, &kit, &fd);
  assert_true(SSL_write(ssl, "GET /hello HTTP/1.1\r\n\r\n", 23) > 0);
  (void)tls_read_until(ssl, event, sizeof event, "no end");
  assert_non_null(strstr(event, "HTTP/1.1 400"));
  SSL_free(ssl);
  wire_close(fd);
  SSL_CTX_free(context);
  kit_stop(&kit);
  (void)unlink(certificate_path);
  (void)unlink(key_path);
}

static void test_client_over_unix_socket(void **state)
{
  (void)state;
  char path[96], url[128];
  (void)snprintf(path, sizeof path, "/tmp/allm-test-net-%d.sock", (int)getpid());
  (void)snprintf(url, sizeof url, "unix:%s", path);
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .unix_path = path });
  struct al_http_client *client = nullptr;
  int status = 0;
  assert_int_equal(al_http_client_open(&(struct al_http_client_options){ .url = url }, &client, &err), AL_OK);
  struct al_http_client_request request = { .method = "GET", .path = "/hello" };
  assert_int_equal(al_http_client_send(client, &request, &status, &err), AL_OK);
  assert_int_equal(status, 200);
  al_http_client_close(client);
  kit_stop(&kit);
  (void)unlink(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_port_in_use),
    cmocka_unit_test(test_unix_socket),
    cmocka_unit_test(test_ipv6),
    cmocka_unit_test(test_inherited_sockets),
    cmocka_unit_test(test_refuses_to_start),
    cmocka_unit_test(test_start_without_memory),
    cmocka_unit_test(test_requests_without_memory),
    cmocka_unit_test(test_drain),
    cmocka_unit_test(test_drain_answer_says_close),
    cmocka_unit_test(test_drain_serves_new_connection),
    cmocka_unit_test(test_stop_cancels),
    cmocka_unit_test(test_stats),
    cmocka_unit_test(test_tls),
    cmocka_unit_test(test_client_over_unix_socket),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
