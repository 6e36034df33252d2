#include "kit.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "net/websocket.h"
#include "net/websocket_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HANDSHAKE                                                                                                      \
  "GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"                        \
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct kit kit;

/* --- a client's side --------------------------------------------------------------------------------------------- */

struct frame {
  unsigned first; /* FIN, RSV, opcode; 0: the connection has ended */
  size_t size;
  char payload[70'000];
};
static struct frame frame;

static bool receive_all(int fd, void *data, size_t size)
{
  for (char *at = data; size > 0;) {
    ssize_t got = wire_receive(fd, at, size);
    if (got <= 0)
      return false;
    at += got;
    size -= (size_t)got;
  }
  return true;
}

static void read_frame(int fd)
{
  unsigned char head[10];
  frame.first = 0;
  if (!receive_all(fd, head, 2))
    return;
  assert_int_equal(head[1] & 0x80, 0); /* a server does not mask */
  size_t n_length = head[1] < 126 ? 0 : head[1] == 126 ? 2 : 8;
  assert_true(receive_all(fd, head + 2, n_length));
  frame.size = n_length == 0 ? head[1] : 0;
  for (size_t i = 0; i < n_length; i++)
    frame.size = frame.size << 8 | head[2 + i];
  assert_true(frame.size < sizeof frame.payload && receive_all(fd, frame.payload, frame.size));
  frame.payload[frame.size] = '\0';
  frame.first = head[0];
}

static void expect_text(int fd, const char *text)
{
  read_frame(fd);
  assert_int_equal(frame.first, 0x81);
  assert_string_equal(frame.payload, text);
}

/* A Close with this code, then the end. */
static void expect_close(int fd, int code)
{
  read_frame(fd);
  assert_int_equal(frame.first, 0x88);
  int said = frame.size >= 2 ? (unsigned char)frame.payload[0] << 8 | (unsigned char)frame.payload[1] : 0;
  assert_int_equal(said, code);
  assert_true(wire_at_end(fd));
  wire_close(fd);
}

static size_t make_frame(char *out, unsigned first, const void *payload, size_t size, bool masked)
{
  static const unsigned char mask[4] = { 0x12, 0x34, 0x56, 0x78 };
  size_t n = al_net_frame_head(out, AL_NET_FRAME_TEXT, size);
  out[0] = (char)first;
  if (masked) {
    out[1] = (char)((unsigned char)out[1] | 0x80);
    memcpy(out + n, mask, 4);
    n += 4;
  }
  for (size_t i = 0; i < size; i++)
    out[n + i] = (char)(((const unsigned char *)payload)[i] ^ (masked ? mask[i % 4] : 0));
  return n + size;
}

static void send_frame(int fd, unsigned first, const void *payload, size_t size)
{
  char *bytes = malloc(size + 14);
  assert_non_null(bytes);
  wire_send_bytes(fd, bytes, make_frame(bytes, first, payload, size, true));
  free(bytes);
}

static void send_text(int fd, const char *text)
{
  send_frame(fd, 0x81, text, strlen(text));
}

static int open_websocket(void)
{
  static struct answer answer;
  int fd = wire_connect(&kit);
  wire_send(fd, HANDSHAKE "\r\n");
  wire_read_answer(fd, &answer, true);
  assert_int_equal(answer.status, 101);
  assert_true(answer_has(&answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); /* RFC 6455, 1.3 */
  assert_true(answer_has(&answer, "Upgrade: websocket") && answer_has(&answer, "Connection: Upgrade"));
  expect_text(fd, "welcome");
  return fd;
}

static int start(void **state)
{
  (void)state;
  kit_start(&kit, (struct kit_options){});
  return 0;
}

static int end(void **state)
{
  (void)state;
  kit_stop(&kit);
  return 0;
}

static int start_impatient(void **state)
{
  (void)state;
  kit_start(&kit, (struct kit_options){ .limits = { .ping_interval_ms = 20, .websocket_idle_ms = 70 } });
  return 0;
}

/* --- the handshake ------------------------------------------------------------------------------------------------ */

static void handshakes_that_are_none_are_refused(void **state)
{
  (void)state;
  static const char head[] = "GET /ws HTTP/1.1\r\nHost: here\r\n";
  static const struct {
    const char *rest;
    int status;
    const char *header;
  } cases[] = {
    { "", 426, "Upgrade: websocket" },
    { "Upgrade: h2c\r\nConnection: Upgrade\r\n", 426, "Upgrade: websocket" },
    { "Upgrade: websocket\r\n", 426, "Upgrade: websocket" },
    { "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426,
      "Sec-WebSocket-Version: 13" },
    { "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n", 426, "Sec-WebSocket-Version: 13" },
    { "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", 400, nullptr },
    { "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short==\r\n", 400,
      nullptr },
    { "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\r\n",
      400, nullptr },
  };
  static struct answer answer;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    char request[512];
    (void)snprintf(request, sizeof request, "%s%s\r\n", head, cases[i].rest);
    wire_ask(&kit, request, &answer);
    assert_int_equal(answer.status, cases[i].status);
    assert_true(cases[i].header == nullptr || answer_has(&answer, cases[i].header));
  }
  wire_ask(&kit, HANDSHAKE "Content-Length: 2\r\n\r\n{}", &answer);
  assert_int_equal(answer.status, 400);
  wire_ask(&kit, HANDSHAKE "x-refuse: yes\r\n\r\n", &answer); /* the middleware stands before it */
  assert_int_equal(answer.status, 401);
  wire_assert_alive(&kit);
}

static void pages_of_other_sites_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *origin;
    int status;
  } cases[] = { { "http://here", 101 },      { "https://HERE", 101 },     { "http://evil", 403 },
                { "http://here.evil", 403 }, { "http://here:8080", 403 }, { "null", 403 } };
  static struct answer answer;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    char request[512];
    (void)snprintf(request, sizeof request, "%sOrigin: %s\r\n\r\n", HANDSHAKE, cases[i].origin);
    int fd = wire_connect(&kit);
    wire_send(fd, request);
    wire_read_answer(fd, &answer, true);
    assert_int_equal(answer.status, cases[i].status);
    wire_close(fd);
  }
}

/* --- messages ------------------------------------------------------------------------------------------------------
 */

static void messages_of_every_size_come_back(void **state)
{
  (void)state;
  int fd = open_websocket();
  static const size_t sizes[] = { 0, 1, 125, 126, 65'535, 65'536, 69'000 };
  static char text[70'000];
  for (size_t i = 0; i < AL_COUNT(sizes); i++) {
    memset(text, 'a' + (int)i, sizes[i]);
    text[sizes[i]] = '\0';
    send_text(fd, text);
    expect_text(fd, text);
  }
  send_text(fd, "bye");
  expect_close(fd, AL_WEBSOCKET_NORMAL);
  assert_int_equal(kit_after(&kit), 101);
  assert_int_equal(kit.n_closed, 1);
  assert_false(kit.sent_after_close);
}

static void pieces_make_a_message_and_pings_go_between(void **state)
{
  (void)state;
  int fd = open_websocket();
  send_frame(fd, 0x01, "gr\xc3", 3); /* cut in the middle of a character */
  send_frame(fd, 0x89, "are you there", 13);
  read_frame(fd);
  assert_int_equal(frame.first, 0x8a);
  assert_string_equal(frame.payload, "are you there");
  send_frame(fd, 0x00, "\xbc\xc3\x9f", 3);
  send_frame(fd, 0x80, "e", 1);
  expect_text(fd, "grüße");
  send_frame(fd, 0x8a, "unasked", 7); /* an unsolicited pong is nothing */
  send_text(fd, "on");
  expect_text(fd, "on");
  /* One byte at a time. */
  char bytes[64];
  size_t size = make_frame(bytes, 0x81, "slow", 4, true);
  for (size_t i = 0; i < size; i++)
    wire_send_bytes(fd, bytes + i, 1);
  expect_text(fd, "slow");
  /* Several in one write. */
  size = make_frame(bytes, 0x81, "a", 1, true);
  size += make_frame(bytes + size, 0x81, "b", 1, true);
  size += make_frame(bytes + size, 0x88, "\x03\xe8", 2, true);
  wire_send_bytes(fd, bytes, size);
  expect_text(fd, "a");
  expect_text(fd, "b");
  expect_close(fd, AL_WEBSOCKET_NORMAL);
}

static void a_message_may_come_with_the_handshake(void **state)
{
  (void)state;
  int fd = wire_connect(&kit);
  char bytes[1024];
  size_t size = (size_t)snprintf(bytes, sizeof bytes, "%s\r\n", HANDSHAKE);
  size += make_frame(bytes + size, 0x81, "eager", 5, true);
  wire_send_bytes(fd, bytes, size);
  static struct answer answer;
  wire_read_answer(fd, &answer, true);
  assert_int_equal(answer.status, 101);
  expect_text(fd, "welcome");
  expect_text(fd, "eager");
  wire_close(fd);
  assert_int_equal(kit_after(&kit), 101);
}

static void bad_frames_are_told_what_is_wrong(void **state)
{
  (void)state;
  static char large[100'001];
  static const struct {
    unsigned first;
    const char *payload;
    size_t size;
    bool unmasked;
    int code;
  } cases[] = {
    { 0x81, "hello", 5, true, 1002 },         /* not masked */
    { 0xc1, "hello", 5, false, 1002 },        /* a reserved bit: no extension was agreed on */
    { 0x91, "hello", 5, false, 1002 },        /* another */
    { 0x83, "hello", 5, false, 1002 },        /* a reserved opcode */
    { 0x80, "hello", 5, false, 1002 },        /* a continuation of nothing */
    { 0x09, "ping", 4, false, 1002 },         /* a control frame in pieces */
    { 0x89, large, 126, false, 1002 },        /* a control frame that is too long */
    { 0x88, "\x03", 1, false, 0 },            /* half a close code: closed, without one */
    { 0x88, "\x03\xed", 2, false, 1002 },     /* 1005 must not be sent */
    { 0x81, "\xff\xfe", 2, false, 1007 },     /* no UTF-8 */
    { 0x81, "\xed\xa0\x80", 3, false, 1007 }, /* a surrogate */
    { 0x81, "cut \xc3", 5, false, 1007 },     /* half a character at the end */
    { 0x82, "binary", 6, false, 1003 },
    { 0x81, large, sizeof large, false, 1009 },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    int fd = open_websocket();
    char *bytes = malloc(cases[i].size + 14);
    assert_non_null(bytes);
    size_t size = make_frame(bytes, cases[i].first, cases[i].payload, cases[i].size, !cases[i].unmasked);
    (void)wire_try_send(fd, bytes, size);
    free(bytes);
    expect_close(fd, cases[i].code);
  }
  /* A length of 2^63 and more; and one not in its shortest form. */
  static const unsigned char lengths[][14] = { { 0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4 },
                                               { 0x81, 0xfe, 0, 5, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0 } };
  for (size_t i = 0; i < AL_COUNT(lengths); i++) {
    int fd = open_websocket();
    wire_send_bytes(fd, lengths[i], sizeof lengths[i]);
    expect_close(fd, 1002);
  }
  wire_assert_alive(&kit);
}

static void crumbs_are_no_message(void **state)
{
  (void)state;
  int fd = open_websocket();
  char bytes[AL_NET_FRAME_HEAD_BYTES + 5], many[700 * 7];
  size_t size = make_frame(bytes, 0x00, "x", 1, true);
  send_frame(fd, 0x01, "x", 1);
  for (size_t i = 0; i < 700; i++)
    memcpy(many + i * size, bytes, size);
  (void)wire_try_send(fd, many, 700 * size);
  expect_close(fd, AL_WEBSOCKET_POLICY);
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static void a_client_that_leaves_cancels(void **state)
{
  (void)state;
  int fd = open_websocket();
  send_text(fd, "hold");
  struct al_http_exchange *held = kit_held(&kit);
  assert_true(al_websocket_send(held, al_str("from another thread")));
  expect_text(fd, "from another thread");
  wire_close(fd);
  kit_wait_cancelled(held);
  assert_int_equal(kit_after(&kit), 101);
  assert_false(al_websocket_send(held, al_str("nobody reads")));
  al_websocket_close(held, AL_WEBSOCKET_NORMAL, "nobody listens");
  al_http_unref(held);
}

static void a_close_from_another_thread_arrives(void **state)
{
  (void)state;
  int fd = open_websocket();
  send_text(fd, "hold");
  struct al_http_exchange *held = kit_held(&kit);
  char reason[200];
  memset(reason, 'r', sizeof reason - 1);
  reason[sizeof reason - 1] = '\0';
  al_websocket_close(held, AL_WEBSOCKET_INTERNAL, reason); /* cut to what a control frame holds */
  al_http_unref(held);
  expect_close(fd, AL_WEBSOCKET_INTERNAL);
}

static void a_client_that_does_not_read_is_cut_off(void **state)
{
  (void)state;
  int fd = open_websocket();
  send_text(fd, "flood"); /* returns when the send is refused */
  assert_int_equal(kit_after(&kit), 101);
  assert_int_equal(kit.n_closed, 1);
  wire_close(fd);
}

static void stopping_closes_with_1001(void **state)
{
  (void)state;
  int fd = open_websocket();
  al_http_server_stop(kit.server, AL_NO_DEADLINE);
  expect_close(fd, AL_WEBSOCKET_GOING_AWAY);
  assert_int_equal(kit.n_closed, 1);
  kit_free(&kit);
}

static void one_that_stays_is_cut_off_at_the_deadline(void **state)
{
  (void)state;
  kit.ignores_drain = true;
  int fd = open_websocket();
  al_http_server_stop(kit.server, 1);
  assert_true(wire_at_end(fd));
  wire_close(fd);
  assert_int_equal(kit.n_closed, 1);
  kit_free(&kit);
}

static void silence_is_pinged_and_ends_the_connection(void **state)
{
  (void)state;
  int fd = open_websocket();
  read_frame(fd);
  assert_int_equal(frame.first, 0x89);
  assert_true(wire_at_end(fd)); /* no pong came */
  wire_close(fd);
  assert_int_equal(kit_after(&kit), 101);
}

static void a_client_that_only_answers_pings_is_idle_in_the_end(void **state)
{
  (void)state;
  int fd = open_websocket();
  int n_pings = 0;
  for (read_frame(fd); frame.first == 0x89; read_frame(fd)) {
    send_frame(fd, 0x8a, "", 0);
    n_pings++;
  }
  assert_true(n_pings >= 1);
  assert_int_equal(frame.first, 0x88);
  assert_int_equal((unsigned char)frame.payload[0] << 8 | (unsigned char)frame.payload[1], AL_WEBSOCKET_GOING_AWAY);
  wire_close(fd);
}

/* --- frames ---------------------------------------------------------------------------------------------------------
 */

static void count_message(void *user, struct al_str text)
{
  *(size_t *)user += text.size;
}

static void frames_without_memory_are_broken_off(void **state)
{
  (void)state;
  size_t n_bytes = 0;
  (void)al_alloc_fail_at(1);
  assert_null(al_net_frames_new(100, count_message, &n_bytes));
  (void)al_alloc_fail_at(0);
  struct al_net_frames *frames = al_net_frames_new(100, count_message, &n_bytes);
  assert_non_null(frames);
  char bytes[32];
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  assert_true(al_net_frames_feed(frames, al_str_n(bytes, make_frame(bytes, 0x81, "four", 4, true)), &out));
  assert_int_equal(n_bytes, 4);
  assert_true(al_net_frames_heard(frames) && al_net_frames_had_message(frames));
  assert_false(al_net_frames_heard(frames) || al_net_frames_had_message(frames));
  size_t size = make_frame(bytes, 0x89, "?", 1, true);
  (void)al_alloc_fail_at(1);
  assert_false(al_net_frames_feed(frames, al_str_n(bytes, size), &out)); /* the pong cannot be written */
  (void)al_alloc_fail_at(0);
  assert_false(al_net_frames_feed(frames, al_str_n(bytes, size), &out));
  al_net_frames_free(frames);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(handshakes_that_are_none_are_refused, start, end),
    cmocka_unit_test_setup_teardown(pages_of_other_sites_are_refused, start, end),
    cmocka_unit_test_setup_teardown(messages_of_every_size_come_back, start, end),
    cmocka_unit_test_setup_teardown(pieces_make_a_message_and_pings_go_between, start, end),
    cmocka_unit_test_setup_teardown(a_message_may_come_with_the_handshake, start, end),
    cmocka_unit_test_setup_teardown(bad_frames_are_told_what_is_wrong, start, end),
    cmocka_unit_test_setup_teardown(crumbs_are_no_message, start, end),
    cmocka_unit_test_setup_teardown(a_client_that_leaves_cancels, start, end),
    cmocka_unit_test_setup_teardown(a_close_from_another_thread_arrives, start, end),
    cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_cut_off, start, end),
    cmocka_unit_test_setup(stopping_closes_with_1001, start),
    cmocka_unit_test_setup(one_that_stays_is_cut_off_at_the_deadline, start),
    cmocka_unit_test_setup_teardown(silence_is_pinged_and_ends_the_connection, start_impatient, end),
    cmocka_unit_test_setup_teardown(a_client_that_only_answers_pings_is_idle_in_the_end, start_impatient, end),
    cmocka_unit_test(frames_without_memory_are_broken_off),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
