/* Bodies that a route's sink takes as they come. */
#include "kit.h"

#include <stdio.h>
#include <string.h>

#define H "Host: x\r\n"

static struct answer answer;
static char many[1 << 20];

static void ask(const struct kit *kit, const char *request, int status, const char *body)
{
  wire_ask(kit, request, &answer);
  assert_int_equal(answer.status, status);
  if (strstr(answer.body, body) == nullptr)
    fail_msg("\"%s\" lacks \"%s\"", answer.body, body);
}

static void test_whole_bodies(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_body_bytes = 10 } });
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Content-Length: 12\r\n\r\n0123456789ab", 200, "12");
  ask(&kit,
      "POST /upload HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n",
      200, "5");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 200, "0");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "\r\n", 200, "0");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "0");
  assert_int_equal(kit.n_uploads, 5);
  assert_int_equal(kit.n_sinks, 5);
  kit_wait_sinks_freed(&kit);
  assert_int_equal(kit.n_sink_bytes, 17);
  kit_stop(&kit);
}

/* Uploads and other requests, one after another on a connection. */
static void test_keep_alive(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = wire_connect(&kit);
  for (int i = 0; i < 3; i++) {
    wire_send(fd, "POST /upload HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET /hello HTTP/1.1\r\n" H "\r\n");
    wire_read_answer(fd, &answer, false);
    assert_string_equal(answer.body, "3");
    wire_read_answer(fd, &answer, false);
    assert_string_equal(answer.body, "hello");
  }
  wire_close(fd);
  kit_wait_sinks_freed(&kit);
  kit_stop(&kit);
}

static void test_other_methods(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  ask(&kit, "GET /upload HTTP/1.1\r\n" H "\r\n", 405, "method_not_allowed");
  assert_true(answer_has(&answer, "Allow: POST, OPTIONS"));
  wire_ask(&kit, "HEAD /upload HTTP/1.1\r\n" H "\r\n", &answer);
  assert_int_equal(answer.status, 405);
  ask(&kit, "OPTIONS /upload HTTP/1.1\r\n" H "\r\n", 204, "");
  ask(&kit, "PUT /upload HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", 405, "method_not_allowed");
  ask(&kit, "POST /uploads HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", 404, "");
  assert_int_equal(kit.n_sinks, 0);
  assert_int_equal(kit.n_uploads, 0);
  kit_stop(&kit);
}

static void test_limits(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_body_bytes = 10, .max_upload_bytes = 20 } });
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\n01234567890123456789", 200, "20");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Content-Length: 21\r\n\r\n", 413, "larger than the 20 bytes");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\n", 413, "body_too_large");
  assert_int_equal(kit.n_sinks, 1);
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n1\r\nx\r\n",
      413, "larger than the 20 bytes");
  assert_int_equal(kit.n_sinks, 2);
  assert_int_equal(kit.n_uploads, 1);
  kit_wait_sinks_freed(&kit);
  kit_stop(&kit);
}

/* The key is asked for ahead of the sink. */
static void test_middleware_comes_first(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "X-Refuse: yes\r\nContent-Length: 3\r\n\r\n", 401, "invalid_api_key");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "X-Refuse: yes\r\n\r\n", 401, "invalid_api_key");
  assert_int_equal(kit.n_sinks, 0);
  kit_stop(&kit);
}

static void test_continue(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_upload_bytes = 100 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "POST /upload HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  wire_read_answer(fd, &answer, true);
  assert_int_equal(answer.status, 100);
  wire_send(fd, "abc");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 200);
  assert_string_equal(answer.body, "3");
  wire_close(fd);
  /* Refused with the headers: the body need not come. */
  ask(&kit, "POST /upload?refuse=yes HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 415,
      "at once");
  ask(&kit, "POST /upload HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 101\r\n\r\n", 413, "100 bytes");
  kit_wait_sinks_freed(&kit);
  kit_stop(&kit);
}

/* The client sends a megabyte and reads afterwards: the answer has not been lost, and the connection ends. */
static void refuse_upload(const struct kit *kit, const char *path, bool chunked, int status)
{
  int fd = wire_connect(kit);
  char head[256];
  (void)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\n" H "%s\r\n\r\n%s", path,
                 chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1048576", chunked ? "100000\r\n" : "");
  wire_send(fd, head);
  wire_send_bytes(fd, many, sizeof many);
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, status);
  assert_true(answer_has(&answer, "Connection: close"));
  assert_true(wire_at_end(fd));
  wire_close(fd);
}

static void test_refusals_are_heard(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  memset(many, 'x', sizeof many);
  many[1000] = '!';
  refuse_upload(&kit, "/upload?refuse=yes", false, 415);
  refuse_upload(&kit, "/upload?refuse=yes", true, 415);
  assert_int_equal(kit.n_sinks, 0);
  refuse_upload(&kit, "/upload", false, 422);
  refuse_upload(&kit, "/upload", true, 422);
  assert_int_equal(kit.n_sinks, 2);
  assert_true(kit.n_sink_bytes < sizeof many);
  many[1000] = 'x';
  many[sizeof many - 1] = '!'; /* at the very end */
  refuse_upload(&kit, "/upload", false, 422);
  assert_int_equal(kit.n_uploads, 0);
  kit_wait_sinks_freed(&kit);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

/* No handler hears of an upload whose client has left. */
static void test_leaving(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  for (int i = 0; i < 3; i++) {
    int fd = wire_connect(&kit);
    wire_send(fd, "POST /upload HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
    wire_close(fd);
    assert_int_equal(kit_after(&kit), 499);
  }
  kit_wait_sinks_freed(&kit);
  assert_int_equal(kit.n_uploads, 0);
  int fd = wire_connect(&kit); /* and one that is there when the server ends */
  wire_send(fd, "POST /upload HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n");
  wire_read_answer(fd, &answer, true);
  al_http_server_stop(kit.server, 0);
  assert_int_equal(kit.n_sink_frees, kit.n_sinks);
  wire_close(fd);
  kit_free(&kit);
}

static void test_slow_upload(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .body_timeout_ms = 50 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "POST /upload HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 408);
  wire_close(fd);
  kit_wait_sinks_freed(&kit);
  assert_int_equal(kit.n_uploads, 0);
  kit_stop(&kit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole_bodies),
    cmocka_unit_test(test_keep_alive),
    cmocka_unit_test(test_other_methods),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_middleware_comes_first),
    cmocka_unit_test(test_continue),
    cmocka_unit_test(test_refusals_are_heard),
    cmocka_unit_test(test_leaving),
    cmocka_unit_test(test_slow_upload),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
