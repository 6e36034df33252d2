/* What a request must keep to, and what comes back when it does not. Each case is sent as it stands. */
#include "kit.h"

#include <stdio.h>
#include <string.h>

#define H                   "Host: x\r\n"
#define CASE(status, bytes) { status, bytes, sizeof(bytes) - 1 }

static const struct {
  int status;
  const char *bytes;
  size_t size;
} cases[] = {
  CASE(200, "GET /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(200, "\r\nGET /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(200, "GET /hello HTTP/1.0\r\n\r\n"),
  CASE(200, "GET http://x:80/hello HTTP/1.1\r\n" H "\r\n"),
  CASE(200, "GET HTTPS://x/hello?a=b HTTP/1.1\r\n" H "\r\n"),
  CASE(200, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi"),
  CASE(200, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
  CASE(200, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n"),
  CASE(200, "GET /hello HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"),
  /* versions */
  CASE(505, "GET /hello HTTP/2.0\r\n" H "\r\n"),
  CASE(505, "GET /hello HTTP/0.9\r\n" H "\r\n"),
  CASE(505, "GET /hello HTTP/1.2\r\n" H "\r\n"),
  CASE(505, "GET /hello HTTP/9.9\r\n" H "\r\n"),
  CASE(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  CASE(505, "GET /hello\r\n\r\n"), /* HTTP/0.9 */
  CASE(400, "GET /hello FTP/1.1\r\n" H "\r\n"),
  /* Host */
  CASE(400, "GET /hello HTTP/1.1\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: a\r\nhOsT: b\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: u@h\r\n\r\n"),
  /* framing of the body: what request smuggling is made of */
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: +2\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: -2\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: 0x2\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2, 2\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Content-Length : 2\r\n\r\nhi"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
  CASE(501, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
  CASE(501, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
  CASE(501, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  CASE(400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n0\r\n\r\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n"),
  CASE(400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n"),
  /* header syntax */
  CASE(400, "GET /hello HTTP/1.1\n" H "\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: x\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\nHost: x\r\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n" H "X-A: a\0b\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n" H "X-A: a\x01z\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n" H "X A: b\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n" H ": b\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n" H "X-A\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n" H "X-A: b\r\n folded\r\n\r\n"),
  CASE(400, "GET /hello HTTP/1.1\r\n folded: x\r\n" H "\r\n"),
  /* request lines */
  CASE(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* a TLS hello */
  CASE(400, "BREW /pot HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "get /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(200, "GET  /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hel\0lo HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hel\tlo HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello#part HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET hello HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET http:///hello HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET ftp://x/hello HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET * HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "CONNECT x:443 HTTP/1.1\r\n" H "\r\n"),
  /* percent encoding */
  CASE(200, "GET /%68ello HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello%zz HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello% HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello%4 HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello%00 HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello%0a HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello%7f HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello?q=%zz HTTP/1.1\r\n" H "\r\n"),
  CASE(400, "GET /hello?q=%00 HTTP/1.1\r\n" H "\r\n"),
  /* routes and methods */
  CASE(404, "GET /nothing HTTP/1.1\r\n" H "\r\n"),
  CASE(404, "GET /hello/ HTTP/1.1\r\n" H "\r\n"),
  CASE(404, "GET /items/ HTTP/1.1\r\n" H "\r\n"),
  CASE(404, "GET /items/a/b HTTP/1.1\r\n" H "\r\n"),
  CASE(404, "GET http://x HTTP/1.1\r\n" H "\r\n"),
  CASE(404, "POST /nothing HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
  CASE(405, "POST /hello HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"),
  CASE(405, "GET /echo HTTP/1.1\r\n" H "\r\n"),
  CASE(405, "HEAD /echo HTTP/1.1\r\n" H "\r\n"),
  CASE(405, "TRACE /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(405, "PROPFIND /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(204, "OPTIONS /hello HTTP/1.1\r\n" H "\r\n"),
  CASE(204, "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
  CASE(404, "OPTIONS /nothing HTTP/1.1\r\n" H "\r\n"),
  CASE(417, "POST /echo HTTP/1.1\r\n" H "Expect: miracles\r\nContent-Length: 2\r\n\r\nhi"),
};

static void test_every_rule(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  static struct answer answer;
  int n_wrong = 0;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    int fd = wire_connect(&kit);
    wire_send_bytes(fd, cases[i].bytes, cases[i].size);
    wire_read_answer(fd, &answer, strncmp(cases[i].bytes, "HEAD", 4) == 0);
    if (answer.status != cases[i].status) {
      print_error("case %zu: %d instead of %d for: %s\n%s\n", i, answer.status, cases[i].status, cases[i].bytes,
                  answer.body);
      n_wrong++;
    }
    assert_non_null(strstr(answer.head, "\r\nx-request-id: req_"));
    assert_non_null(strstr(answer.head, " GMT\r\n"));
    if (answer.status >= 400 && answer.body_size > 0) {
      assert_non_null(strstr(answer.body, "{\"error\":{\"message\":"));
      assert_true(answer_has(&answer, "Content-Type: application/json"));
    }
    wire_close(fd);
  }
  wire_assert_alive(&kit);
  kit_stop(&kit);
  assert_int_equal(n_wrong, 0);
}

/* A malformed request ends the connection; what follows on it is not taken for a request. */
static void test_nothing_after_malformed(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  static struct answer answer;
  int fd = wire_connect(&kit);
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\n\r\nGET /later HTTP/1.1\r\n" H "\r\n");
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 400);
  assert_true(answer_has(&answer, "Connection: close"));
  assert_true(wire_at_end(fd));
  assert_int_equal(kit.n_before, 0);
  wire_close(fd);
  kit_stop(&kit);
}

static void test_allow(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  static struct answer answer;
  wire_ask(&kit, "POST /models/a HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", &answer);
  assert_int_equal(answer.status, 405);
  assert_true(answer_has(&answer, "Allow: GET, HEAD, DELETE, OPTIONS"));
  wire_ask(&kit, "OPTIONS /echo HTTP/1.1\r\n" H "\r\n", &answer);
  assert_true(answer_has(&answer, "Allow: POST, OPTIONS"));
  kit_stop(&kit);
}

static void test_request_is_read_right(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  static struct answer answer;
  wire_ask(&kit, "GET /models/org/na%6De%20x?a=1&q=two+%26three&b HTTP/1.1\r\n" H "x-tEST:  padded value \t \r\n\r\n",
           &answer);
  assert_int_equal(answer.status, 200);
  assert_string_equal(answer.body, "org/name x|two &three|padded value|127.0.0.1");
  wire_ask(&kit, "GET /items/a%2Fb HTTP/1.1\r\n" H "\r\n", &answer);
  assert_int_equal(answer.status, 404); /* the path is matched decoded */
  wire_ask(&kit, "GET /items/one HTTP/1.1\r\n" H "X-Test:\r\n\r\n", &answer);
  assert_string_equal(answer.body, "one|||127.0.0.1");
  kit_stop(&kit);
}

static void test_head(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  static struct answer answer;
  int fd = wire_connect(&kit);
  wire_send(fd, "HEAD /hello HTTP/1.1\r\n" H "\r\nHEAD /stream HTTP/1.1\r\n" H "\r\nGET /hello HTTP/1.1\r\n" H "\r\n");
  wire_read_answer(fd, &answer, true);
  assert_int_equal(answer.status, 200);
  assert_true(answer_has(&answer, "Content-Length: 5"));
  wire_read_answer(fd, &answer, true);
  assert_int_equal(answer.status, 200);
  wire_read_answer(fd, &answer, false); /* no stray body stands before it */
  assert_string_equal(answer.body, "hello");
  wire_close(fd);
  kit_stop(&kit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_rule), cmocka_unit_test(test_nothing_after_malformed),
    cmocka_unit_test(test_allow),      cmocka_unit_test(test_request_is_read_right),
    cmocka_unit_test(test_head),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
