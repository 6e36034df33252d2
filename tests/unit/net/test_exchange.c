/* Exchanges: answers at once and later, streams, clients that leave, clients that do not read, pipelines. */
#include "kit.h"

#include "base/clock.h"
#include "base/thread.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define H         "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

static struct answer answer;

static void start(void **state)
{
  static struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .max_queued_bytes = 100'000 } });
  *state = &kit;
}

static int setup(void **state)
{
  start(state);
  return 0;
}

static int teardown(void **state)
{
  kit_stop(*state);
  return 0;
}

static void test_keep_alive(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  for (int i = 0; i < 3; i++) {
    wire_send(fd, GET("/hello"));
    wire_read_answer(fd, &answer, false);
    assert_string_equal(answer.body, "hello");
    assert_null(strstr(answer.head, "Connection:"));
  }
  wire_send(fd, "GET /hello HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_true(answer_has(&answer, "Connection: close"));
  assert_true(wire_at_end(fd));
  wire_close(fd);
}

static void test_http_1_0(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_true(answer_has(&answer, "Connection: keep-alive"));
  wire_send(fd, "GET /hello HTTP/1.0\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_true(answer_has(&answer, "Connection: close"));
  assert_true(wire_at_end(fd));
  wire_close(fd);
  fd = wire_connect(kit); /* no chunks: the end of the connection ends the body */
  wire_send(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  wire_read_answer(fd, &answer, false);
  assert_null(strcasestr(answer.head, "chunked"));
  assert_string_equal(answer.body, "one two three");
  wire_close(fd);
}

static void test_stream_from_handler(void **state)
{
  struct kit *kit = *state;
  wire_ask(kit, GET("/stream"), &answer);
  assert_int_equal(answer.status, 200);
  assert_string_equal(answer.body, "one two three");
  assert_true(answer_has(&answer, "X-Extra: yes"));
  assert_true(answer_has(&answer, "X-Tag: inner"));
  assert_true(answer_has(&answer, "Content-Type: text/event-stream"));
}

/* Each send is on the wire before the next is made. */
static void test_stream_from_other_thread(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  al_http_begin(exchange, 200, "text/event-stream");
  wire_read_answer(fd, &answer, true);
  assert_int_equal(answer.status, 200);
  for (int i = 0; i < 100; i++) {
    char bytes[16] = {};
    assert_true(al_http_send(exchange, al_str("tick\n")));
    assert_int_equal(wire_receive(fd, bytes, sizeof bytes), 10); /* one write: all of the chunk at once */
    assert_string_equal(bytes, "5\r\ntick\n\r\n");
  }
  al_http_end(exchange);
  char bytes[16] = {};
  assert_int_equal(wire_receive(fd, bytes, sizeof bytes), 5);
  assert_string_equal(bytes, "0\r\n\r\n");
  assert_false(al_http_send(exchange, al_str("after the end")));
  assert_int_equal(kit_after(kit), 200);
  assert_false(al_cancelled(al_http_cancel(exchange)));
  al_http_unref(exchange);
  wire_close(fd);
}

static void test_reply_later(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, "POST /later HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc");
  struct al_http_exchange *exchange = kit_held(kit);
  assert_true(al_str_is(al_http_body(exchange), "abc"));
  assert_int_equal(al_http_method(exchange), AL_HTTP_POST);
  assert_true(al_str_is(al_http_path(exchange), "/later"));
  assert_string_equal(al_http_route(exchange)->path, "/later");
  al_http_reply(exchange, 201, "text/plain", al_http_body(exchange));
  al_http_reply(exchange, 500, "text/plain", al_str("a second answer changes nothing"));
  al_http_unref(exchange);
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 201);
  assert_string_equal(answer.body, "abc");
  wire_send(fd, GET("/hello"));
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 200);
  wire_close(fd);
}

static void test_forgotten_answers(void **state)
{
  struct kit *kit = *state;
  wire_ask(kit, GET("/forget"), &answer);
  assert_int_equal(answer.status, 500);
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  al_http_unref(kit_held(kit));
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 500);
  wire_send(fd, GET("/later")); /* a stream that nobody ends must not look complete */
  struct al_http_exchange *exchange = kit_held(kit);
  al_http_begin(exchange, 200, "text/plain");
  assert_true(al_http_send(exchange, al_str("half")));
  al_http_unref(exchange);
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, -1);
  wire_close(fd);
}

static void test_no_content(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  al_http_reply(exchange, 204, nullptr, al_str("ignored"));
  al_http_unref(exchange);
  wire_read_answer(fd, &answer, false);
  assert_int_equal(answer.status, 204);
  assert_null(strcasestr(answer.head, "Content-Length"));
  wire_send(fd, GET("/hello"));
  wire_read_answer(fd, &answer, false);
  assert_string_equal(answer.body, "hello");
  wire_close(fd);
}

/* --- clients that leave ----------------------------------------------------------------------------------------- */

static void leave(struct kit *kit, bool half_close, bool streaming)
{
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  if (streaming) {
    al_http_begin(exchange, 200, "text/plain");
    wire_read_answer(fd, &answer, true);
  }
  if (half_close)
    (void)shutdown(fd, SHUT_WR);
  else
    wire_close(fd);
  kit_wait_cancelled(exchange);
  assert_int_equal(kit_after(kit), 499);
  if (streaming)
    assert_false(al_http_send(exchange, al_str("nobody")));
  else
    al_http_reply(exchange, 200, nullptr, al_str("nobody"));
  al_http_end(exchange);
  al_http_unref(exchange);
  if (half_close) {
    assert_true(wire_at_end(fd));
    wire_close(fd);
  }
}

static void test_leaving_clients(void **state)
{
  struct kit *kit = *state;
  leave(kit, false, false);
  leave(kit, true, false);
  leave(kit, false, true);
  leave(kit, true, true);
  static const char *const beginnings[] = { "", "GET /he", "GET /hello HTTP/1.1\r\nHost",
                                            "POST /echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc" };
  for (size_t i = 0; i < AL_COUNT(beginnings); i++) {
    int fd = wire_connect(kit);
    wire_send(fd, beginnings[i]);
    (void)shutdown(fd, SHUT_WR);
    assert_true(wire_at_end(fd));
    wire_close(fd);
  }
  struct linger reset = { .l_onoff = 1 }; /* a reset instead of an end */
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  wire_close(fd);
  kit_wait_cancelled(exchange);
  al_http_unref(exchange);
  wire_assert_alive(kit);
}

/* Its last request is answered although it has closed its side: the answer was complete before that was seen. */
static void test_half_close_after_complete_answer(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, GET("/large?n=8000000"));
  (void)shutdown(fd, SHUT_WR);
  size_t total = 0;
  for (;;) {
    static char bytes[65536];
    ssize_t got = wire_receive(fd, bytes, sizeof bytes);
    if (got <= 0)
      break;
    total += (size_t)got;
  }
  assert_true(total > 8'000'000);
  assert_int_equal(kit_after(kit), 200);
  wire_close(fd);
}

/* --- clients that do not read ----------------------------------------------------------------------------------- */

static void test_slow_reader_hits_the_cap(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  int small = 4096;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  al_http_begin(exchange, 200, "text/plain");
  static char bytes[10'000];
  int64_t limit_ns = al_deadline_in_ms(20'000);
  bool sent = true;
  while (sent && al_now_ns() < limit_ns)
    sent = al_http_send(exchange, al_str_n(bytes, sizeof bytes));
  assert_false(sent);
  assert_int_equal(al_cancel_reason(al_http_cancel(exchange)), AL_CANCELLED);
  assert_int_equal(kit_after(kit), 499); /* the connection does not wait for its deadline */
  al_http_end(exchange);
  al_http_unref(exchange);
  assert_true(wire_at_end(fd));
  wire_close(fd);
  wire_assert_alive(kit);
}

static void test_one_large_send_may_pass_the_cap(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  al_http_begin(exchange, 200, "text/plain");
  static char bytes[3'000'000];
  assert_true(al_http_send(exchange, al_str_n(bytes, sizeof bytes)));
  al_http_unref(exchange);
  assert_true(wire_at_end(fd));
  wire_close(fd);
}

static void test_write_deadline(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .limits = { .write_timeout_ms = 60 } });
  int fd = wire_connect(&kit);
  wire_send(fd, GET("/large?n=30000000"));
  assert_int_equal(kit_after(&kit), 499);
  wire_close(fd);
  wire_assert_alive(&kit);
  kit_stop(&kit);
}

/* --- answers that are made faster than they are read ------------------------------------------------------------- */

struct pump {
  struct al_http_exchange *exchange;
  size_t n_left;
  bool was_refused;
  atomic_bool has_ended;
  atomic_int n_frees;
};

static void pump_room(void *user)
{
  static const char bytes[10'000];
  struct pump *pump = user;
  while (pump->exchange != nullptr && pump->n_left > 0 && al_http_has_room(pump->exchange)) {
    pump->was_refused |= !al_http_send(pump->exchange, al_str_n(bytes, sizeof bytes));
    pump->n_left = pump->was_refused ? 0 : pump->n_left - sizeof bytes;
  }
  if (pump->exchange == nullptr || pump->n_left > 0)
    return;
  if (!pump->was_refused)
    al_http_end(pump->exchange);
  al_http_unref(pump->exchange);
  pump->exchange = nullptr;
  atomic_store(&pump->has_ended, true);
}

static void pump_free(void *user)
{
  atomic_fetch_add(&((struct pump *)user)->n_frees, 1);
}

static int begin_pump(struct kit *kit, struct pump *pump)
{
  static const struct al_http_pump ops = { .room = pump_room, .free = pump_free };
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *exchange = kit_held(kit);
  al_http_set_pump(exchange, &ops, pump);
  pump->exchange = al_http_ref(exchange);
  al_http_begin(exchange, 200, "text/plain"); /* whose head is the first that leaves */
  al_http_unref(exchange);
  return fd;
}

static void test_pump(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  struct pump pump = { .n_left = 20'000'000 };
  int fd = begin_pump(&kit, &pump);
  size_t total = 0;
  static char bytes[65536];
  char tail[5] = {};
  while (memcmp(tail, "0\r\n\r\n", 5) != 0) {
    ssize_t got = wire_receive(fd, bytes, sizeof bytes);
    assert_true(got > 0);
    total += (size_t)got;
    if (got >= 5)
      memcpy(tail, bytes + got - 5, 5);
  }
  assert_true(total > 20'000'000);
  assert_int_equal(kit_after(&kit), 200);
  assert_true(atomic_load(&pump.has_ended));
  assert_false(pump.was_refused);
  wire_close(fd);
  wire_assert_alive(&kit);
  kit_stop(&kit);
  assert_int_equal(atomic_load(&pump.n_frees), 1);
}

static void test_pump_of_a_client_that_leaves(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  struct pump pump = { .n_left = 1'000'000'000 };
  int fd = begin_pump(&kit, &pump);
  char bytes[1000];
  assert_true(wire_receive(fd, bytes, sizeof bytes) > 0);
  wire_close(fd);
  assert_int_equal(kit_after(&kit), 499);
  kit_stop(&kit);
  assert_true(pump.was_refused);
  assert_true(atomic_load(&pump.has_ended));
  assert_int_equal(atomic_load(&pump.n_frees), 1);
}

/* --- pipelines -------------------------------------------------------------------------------------------------- */

static void test_pipeline(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later") "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc" GET("/later") GET("/stream"));
  struct al_http_exchange *first = kit_held(kit);
  assert_int_equal(al_queue_count(kit->held), 0); /* one at a time */
  al_http_reply(first, 200, nullptr, al_str("first"));
  al_http_unref(first);
  struct al_http_exchange *second = kit_held(kit);
  al_http_reply(second, 200, nullptr, al_str("second"));
  al_http_unref(second);
  static const char *const bodies[] = { "first", "abc", "second", "one two three" };
  for (size_t i = 0; i < AL_COUNT(bodies); i++) {
    wire_read_answer(fd, &answer, false);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, bodies[i]);
  }
  wire_close(fd);
}

/* More than is kept: the rest waits in the kernel, and all of it is served in the end. */
static void test_long_pipeline(void **state)
{
  struct kit *kit = *state;
  int fd = wire_connect(kit);
  wire_send(fd, GET("/later"));
  struct al_http_exchange *first = kit_held(kit);
  constexpr size_t count = 6000;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  for (size_t i = 0; i < count; i++)
    al_buf_str(&text, GET("/hello"));
  wire_send_bytes(fd, text.data, text.size);
  al_http_reply(first, 200, nullptr, al_str("first"));
  al_http_unref(first);
  for (size_t i = 0; i <= count; i++) {
    wire_read_answer(fd, &answer, false);
    assert_string_equal(answer.body, i == 0 ? "first" : "hello");
  }
  wire_close(fd);
}

/* --- middleware ------------------------------------------------------------------------------------------------- */

static void test_middleware(void **state)
{
  struct kit *kit = *state;
  wire_ask(kit, GET("/hello"), &answer);
  assert_int_equal(kit_after(kit), 200);
  wire_ask(kit, GET("/nothing"), &answer); /* also without a route */
  assert_int_equal(kit_after(kit), 404);
  wire_ask(kit, "GET /hello HTTP/1.1\r\n" H "X-Refuse: yes\r\n\r\n", &answer);
  assert_int_equal(answer.status, 401);
  assert_null(strstr(answer.head, "X-Tag")); /* the next one was not asked */
  assert_int_equal(kit_after(kit), 401);
  wire_ask(kit, "GET /hello HTTP/3.1\r\n" H "\r\n", &answer); /* no request, no middleware */
  assert_int_equal(kit->n_before, 3);
}

/* Who is not let in is told before the body, and nobody waits for it. */
static void test_middleware_comes_before_the_body(void **state)
{
  struct kit *kit = *state;
  static const char *const refused[] = {
    "POST /echo HTTP/1.1\r\n" H "X-Refuse: yes\r\nContent-Length: 1000000\r\n\r\nbegun",
    "POST /echo HTTP/1.1\r\n" H "X-Refuse: yes\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /echo HTTP/1.1\r\n" H "X-Refuse: yes\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
  };
  for (size_t i = 0; i < AL_COUNT(refused); i++) {
    int fd = wire_connect(kit);
    wire_send(fd, refused[i]);
    wire_read_answer(fd, &answer, false);
    assert_int_equal(answer.status, 401);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(wire_at_end(fd));
    wire_close(fd);
    assert_int_equal(kit_after(kit), 401);
  }
  int fd = wire_connect(kit); /* let in, asked once, and kept alive */
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n");
  wire_send(fd, "abc");
  wire_read_answer(fd, &answer, false);
  assert_string_equal(answer.body, "abc");
  assert_int_equal(kit_after(kit), 200);
  assert_int_equal(kit->n_before, 4);
  wire_send(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\na");
  wire_close(fd); /* and leaves in the middle: who has been asked is told */
  assert_int_equal(kit_after(kit), 499);
  struct al_http_stats stats;
  al_http_server_stats(kit->server, &stats);
  assert_int_equal(stats.n_active_exchanges, 0);
}

/* --- many threads ----------------------------------------------------------------------------------------------- */

struct producer {
  struct al_thread thread;
  struct kit *kit;
};

static void produce(void *argument)
{
  struct producer *producer = argument;
  struct al_http_exchange *exchange = kit_held(producer->kit);
  al_http_begin(exchange, 200, "text/plain");
  for (int i = 0; i < 500; i++)
    if (!al_http_send(exchange, al_str("0123456789")))
      break;
  al_http_end(exchange);
  al_http_unref(exchange);
}

static void test_many_producers(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){ .n_loops = 3 });
  enum { N = 16 };
  int fds[N];
  struct producer producers[N] = {};
  for (size_t i = 0; i < N; i++) {
    fds[i] = wire_connect(&kit);
    wire_send(fds[i], GET("/later"));
    producers[i].kit = &kit;
    assert_int_equal(al_thread_start(&producers[i].thread, "producer", produce, &producers[i], nullptr), AL_OK);
  }
  for (size_t i = 0; i < N; i++) {
    if (i % 4 == 3) { /* some leave while it streams */
      wire_close(fds[i]);
      continue;
    }
    wire_read_answer(fds[i], &answer, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_size, 5000);
    wire_close(fds[i]);
  }
  for (size_t i = 0; i < N; i++)
    al_thread_join(&producers[i].thread);
  struct al_http_stats stats;
  al_http_server_stats(kit.server, &stats);
  assert_int_equal(stats.n_requests_total, N);
  kit_stop(&kit);
}

int main(void)
{
#define WITH_KIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
    WITH_KIT(test_keep_alive),
    WITH_KIT(test_http_1_0),
    WITH_KIT(test_stream_from_handler),
    WITH_KIT(test_stream_from_other_thread),
    WITH_KIT(test_reply_later),
    WITH_KIT(test_forgotten_answers),
    WITH_KIT(test_no_content),
    WITH_KIT(test_leaving_clients),
    WITH_KIT(test_half_close_after_complete_answer),
    WITH_KIT(test_slow_reader_hits_the_cap),
    cmocka_unit_test(test_pump),
    cmocka_unit_test(test_pump_of_a_client_that_leaves),
    WITH_KIT(test_one_large_send_may_pass_the_cap),
    cmocka_unit_test(test_write_deadline),
    WITH_KIT(test_pipeline),
    WITH_KIT(test_long_pipeline),
    WITH_KIT(test_middleware),
    WITH_KIT(test_middleware_comes_before_the_body),
    cmocka_unit_test(test_many_producers),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
