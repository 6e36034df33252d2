/* Limits on sizes, numbers and time. */
#include "kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define H "Host: x\r\n"

static struct answer answer;

static void repeat(struct al_buf *out, const char *text, size_t times)
{
  for (size_t i = 0; i < times; i++)
    al_buf_str(out, text);
}

static void ask_buf(const struct kit *kit, const struct al_buf *request, int status)
{
  assert_false(request->failed);
  wire_ask(kit, request->data, &answer);
  assert_int_equal(answer.status, status);
  wire_assert_alive(kit);
}

static void test_header_bytes(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_header_bytes = 2000 } });
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "GET /hello HTTP/1.1\r\n" H "X-A: ");
  repeat(&text, "a", 1900);
  al_buf_str(&text, "\r\n\r\n");
  ask_buf(&kit, &text, 200);
  al_buf_clear(&text);
  al_buf_str(&text, "GET /hello HTTP/1.1\r\n" H "X-A: ");
  repeat(&text, "a", 2000);
  al_buf_str(&text, "\r\n\r\n");
  ask_buf(&kit, &text, 431);
  al_buf_clear(&text); /* bytes that belong to no field */
  al_buf_str(&text, "GET /hello HTTP/1.1\r\n" H "X-A:");
  repeat(&text, " ", 2000);
  al_buf_str(&text, "a\r\n\r\n");
  ask_buf(&kit, &text, 431);
  al_buf_clear(&text);
  repeat(&text, "\r\n", 1001);
  al_buf_str(&text, "GET /hello HTTP/1.1\r\n" H "\r\n");
  ask_buf(&kit, &text, 431);
  kit_stop(&kit);
}

static void test_header_count(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_headers = 10 } });
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "GET /hello HTTP/1.1\r\n" H);
  repeat(&text, "a:b\r\n", 9);
  al_buf_str(&text, "\r\n");
  ask_buf(&kit, &text, 200);
  al_buf_clear(&text);
  al_buf_str(&text, "GET /hello HTTP/1.1\r\n" H);
  repeat(&text, "a:b\r\n", 10);
  al_buf_str(&text, "\r\n");
  ask_buf(&kit, &text, 431);
  kit_stop(&kit);
}

static void test_url_bytes(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_url_bytes = 100 } });
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "GET /hello?");
  repeat(&text, "a", 93);
  al_buf_str(&text, " HTTP/1.1\r\n" H "\r\n");
  ask_buf(&kit, &text, 200);
  al_buf_clear(&text);
  al_buf_str(&text, "GET /hello?");
  repeat(&text, "a", 94);
  al_buf_str(&text, " HTTP/1.1\r\n" H "\r\n");
  ask_buf(&kit, &text, 414);
  al_buf_clear(&text);
  al_buf_str(&text, "GET /hello?");
  repeat(&text, "a&", 40);
  al_buf_str(&text, " HTTP/1.1\r\n" H "\r\n");
  ask_buf(&kit, &text, 200);
  kit_stop(&kit);
}

static void test_query_count(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "GET /hello?");
  repeat(&text, "a=b&", 65);
  al_buf_str(&text, " HTTP/1.1\r\n" H "\r\n");
  ask_buf(&kit, &text, 400);
  kit_stop(&kit);
}

/* The route's own cap and the server's, with a length that is announced and one that is not. */
static void test_body_bytes(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_body_bytes = 1000 } });
  wire_ask(&kit, "POST /small HTTP/1.1\r\n" H "Content-Length: 16\r\n\r\n0123456789abcdef", &answer);
  assert_string_equal(answer.body, "0123456789abcdef");
  wire_ask(&kit, "POST /small HTTP/1.1\r\n" H "Content-Length: 17\r\n\r\n", &answer); /* before any of it comes */
  assert_int_equal(answer.status, 413);
  wire_ask(&kit, "POST /echo HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n", &answer);
  assert_int_equal(answer.status, 413);
  wire_ask(&kit, "POST /echo HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\n", &answer);
  assert_int_equal(answer.status, 413);
  wire_ask(&kit, "POST /small HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
           &answer);
  assert_int_equal(answer.status, 200);
  wire_ask(&kit, "POST /small HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n",
           &answer);
  assert_int_equal(answer.status, 413);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

/* The client is still sending when it is refused: the answer must reach it all the same. */
static void test_answer_survives_upload(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_body_bytes = 1000 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\n");
  static char bytes[1'000'000];
  wire_send_bytes(fd, bytes, sizeof bytes);
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 413);
  wire_close(fd);
  kit_stop(&kit);
}

static void test_expect_continue(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = wire_connect(&kit);
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 100);
  wire_send(fd, "later");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 200);
  assert_string_equal(answer.body, "later");
  wire_send(fd, "POST /small HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 413);
  wire_close(fd);
  fd = wire_connect(&kit); /* the body comes without waiting: no interim answer is needed */
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nearly");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 200);
  wire_close(fd);
  kit_stop(&kit);
}

static void test_trailers_and_framing(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_header_bytes = 1000 } });
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n");
  repeat(&text, "Trailer: abcdefghij\r\n", 100);
  al_buf_str(&text, "\r\n");
  ask_buf(&kit, &text, 431);
  al_buf_clear(&text);
  al_buf_str(&text, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1;");
  int fd = wire_connect(&kit);
  wire_send(fd, text.data);
  al_buf_clear(&text);
  repeat(&text, "e", 5000);
  (void)wire_try_send(fd, text.data, text.size);
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 400);
  wire_close(fd);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

/* --- in pieces -------------------------------------------------------------------------------------------------- */

static const char chunked_request[] = "POST /echo?q=1 HTTP/1.1\r\nHost: example\r\nX-Long-Name: and its value\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\nA\r\n, 23456789\r\n0\r\n"
                                      "X-Trailer: t\r\n\r\n";

static void test_split_at_every_byte(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = wire_connect(&kit); /* all of it on one connection: keep-alive is tested along the way */
  for (size_t at = 1; at < sizeof chunked_request - 1; at++) {
    wire_send_bytes(fd, chunked_request, at);
    wire_send_bytes(fd, chunked_request + at, sizeof chunked_request - 1 - at);
    wire_read_answer(fd, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "hello, 23456789");
  }
  wire_close(fd);
  kit_stop(&kit);
}

static void test_byte_by_byte(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = wire_connect(&kit);
  for (size_t i = 0; i < sizeof chunked_request - 1; i++)
    wire_send_bytes(fd, &chunked_request[i], 1);
  wire_read_answer(fd, &answer, false);
  assert_string_equal(answer.body, "hello, 23456789");
  wire_close(fd);
  kit_stop(&kit);
}

/* --- time ------------------------------------------------------------------------------------------------------- */

static void test_slow_head(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .header_timeout_ms = 250 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "GET /hello HTTP/1.1\r\n");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 408);
  assert_true(wire_at_end(fd));
  wire_close(fd);
  fd = wire_connect(&kit); /* one that says nothing is closed without a word */
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 0);
  wire_close(fd);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

/* Each byte comes in time, but the head never ends. */
static void test_slowloris(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .header_timeout_ms = 250 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "GET /hello HTTP/1.1\r\nX: ");
  struct al_http_stats stats = {};
  while (stats.n_bad_requests == 0) {
    (void)wire_try_send(fd, "a", 1);
    al_http_server_stats(kit.server, &stats);
  }
  wire_close(fd);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

static void test_slow_body(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .body_timeout_ms = 50 } });
  wire_ask(&kit, "POST /echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc", &answer);
  assert_int_equal(answer.status, 408);
  wire_ask(&kit, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nab", &answer);
  assert_int_equal(answer.status, 408);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

/* Progress all the time, but below the least rate. */
static void test_trickling_body(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .body_timeout_ms = 50, .min_body_rate = 1 << 30 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 16000000\r\n\r\n");
  struct al_http_stats stats = {};
  while (stats.n_bad_requests == 0) {
    (void)wire_try_send(fd, "a", 1);
    al_http_server_stats(kit.server, &stats);
  }
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 408);
  wire_close(fd);
  kit_stop(&kit);
}

static void test_idle_keep_alive(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .idle_timeout_ms = 50 } });
  int fd = wire_connect(&kit);
  wire_send(fd, "GET /hello HTTP/1.1\r\n" H "\r\n");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 200);
  assert_true(wire_at_end(fd));
  wire_close(fd);
  kit_stop(&kit);
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

static void test_too_many_connections(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_connections = 2 } });
  int first = wire_connect(&kit), second = wire_connect(&kit);
  wire_send(first, "GET /hello HTTP/1.1\r\n" H "\r\n");
  wire_read_answer(first, &answer, false);
  wire_send(second, "GET /hello HTTP/1.1\r\n" H "\r\n");
  wire_read_answer(second, &answer, false);
  assert_int_equal(answer.status, 200);
  wire_ask(&kit, "GET /hello HTTP/1.1\r\n" H "\r\n", &answer);
  assert_int_equal(answer.status, 503);
  assert_true(answer_has(&answer, "Retry-After: 1"));
  wire_send(first, "GET /hello HTTP/1.1\r\n" H "\r\n");
  wire_read_answer(first, &answer, false);
  assert_int_equal(answer.status, 200);
  wire_close(first);
  wire_close(second);
  int again; /* the places become free */
  do {
    again = wire_connect(&kit);
    wire_send(again, "GET /hello HTTP/1.1\r\n" H "\r\n");
    wire_read_answer(again, &answer, false);
    wire_close(again);
  } while (answer.status == 503);
  assert_int_equal(answer.status, 200);
  kit_stop(&kit);
}

static void test_thousand_silent_connections(void **state)
{
  (void)state;
  struct rlimit files = {};
  (void)getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
  size_t wanted = files.rlim_cur > 2200 ? 1000 : 200;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .n_loops = 2, .limits = { .header_timeout_ms = 2000 } });
  static int fds[1000];
  for (size_t i = 0; i < wanted; i++)
    fds[i] = wire_connect(&kit);
  wire_assert_alive(&kit);
  for (size_t i = 0; i < wanted; i++) {
    assert_true(wire_at_end(fds[i]));
    wire_close(fds[i]);
  }
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_header_bytes),
    cmocka_unit_test(test_header_count),
    cmocka_unit_test(test_url_bytes),
    cmocka_unit_test(test_query_count),
    cmocka_unit_test(test_body_bytes),
    cmocka_unit_test(test_answer_survives_upload),
    cmocka_unit_test(test_expect_continue),
    cmocka_unit_test(test_trailers_and_framing),
    cmocka_unit_test(test_split_at_every_byte),
    cmocka_unit_test(test_byte_by_byte),
    cmocka_unit_test(test_slow_head),
    cmocka_unit_test(test_slowloris),
    cmocka_unit_test(test_slow_body),
    cmocka_unit_test(test_trickling_body),
    cmocka_unit_test(test_idle_keep_alive),
    cmocka_unit_test(test_too_many_connections),
    cmocka_unit_test(test_thousand_silent_connections),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
