/* /v1/responses on a WebSocket, with a hand-played engine and a connection that only records. */
#include "stand_in.h"
#include "stand_in_socket.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct al_api *api;
static struct al_http_exchange exchange;

static int open_socket(void **state)
{
  (void)state;
  submitted_clear();
  stand_in_socket_clear();
  api = make_api(nullptr);
  exchange_init(&exchange, "");
  al_api_responses_socket(&exchange, api);
  assert_non_null(stand_in_socket.handler);
  return 0;
}

static int close_socket(void **state)
{
  (void)state;
  stand_in_socket.handler->closed(&exchange, stand_in_socket.user);
  exchange_done(&exchange);
  al_api_free(api);
  submitted_clear();
  stand_in_socket_clear();
  return 0;
}

static void say(const char *message)
{
  stand_in_socket.handler->message(&exchange, al_str(message), stand_in_socket.user);
}

static void say_create(const char *text, const char *rest)
{
  char message[512];
  (void)snprintf(message, sizeof message, "{\"type\":\"response.create\",\"model\":\"tiny\",\"input\":\"%s\"%s}", text,
                 rest);
  say(message);
}

/* The n-th message sent, from the end when negative, as JSON; the caller frees. */
static struct al_json_doc *sent(int n)
{
  struct al_str text = al_buf_view(&stand_in_socket.sent);
  int count = 0;
  for (size_t i = 0; i < text.size; i++)
    count += text.data[i] == '\n';
  int wanted = n < 0 ? count + n : n;
  assert_true(wanted >= 0 && wanted < count);
  const char *at = text.data;
  for (int i = 0; i < wanted; i++)
    at = strchr(at, '\n') + 1;
  struct al_json_doc *doc = nullptr;
  assert_int_equal(al_json_parse(al_str_n(at, strcspn(at, "\n")), &doc, nullptr), AL_OK);
  return doc;
}

static void expect(int n, const char *path, const char *value)
{
  struct al_json_doc *doc = sent(n);
  assert_string_equal(json_text(doc, path), value);
  al_json_doc_free(doc);
}

static void id_of_last(char id[64])
{
  struct al_json_doc *doc = sent(-1);
  (void)snprintf(id, 64, "%s", json_text(doc, "response.id"));
  al_json_doc_free(doc);
}

static void events_come_as_messages(void **state)
{
  (void)state;
  say_create("hi", "");
  assert_int_equal(submitted.count, 1);
  play_started(3);
  play_delta("Hello");
  play_done(AL_FINISH_STOP, 1);
  expect(0, "type", "response.created");
  expect(0, "sequence_number", "0");
  expect(4, "delta", "Hello");
  expect(-1, "type", "response.completed");
  expect(-1, "response.output.0.content.0.text", "Hello");
  assert_int_equal(exchange.status, 0); /* nothing went out as an HTTP answer */
}

static void the_next_turn_needs_only_its_own_items(void **state)
{
  (void)state;
  char first[64], rest[128];
  say_create("one", ",\"store\":false");
  play_started(3);
  play_delta("two");
  play_done(AL_FINISH_STOP, 1);
  id_of_last(first);
  (void)snprintf(rest, sizeof rest, ",\"previous_response_id\":\"%s\"", first);
  say_create("three", rest);
  assert_string_equal(submitted.chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"one\"},"
                                      "{\"role\":\"assistant\",\"content\":\"two\"},"
                                      "{\"role\":\"user\",\"content\":\"three\"}]}");
  play_started(3);
  play_done(AL_FINISH_STOP, 0);
  expect(-1, "response.previous_response_id", first);
  say_create("three", ",\"previous_response_id\":\"resp_none\"");
  expect(-1, "type", "error");
  expect(-1, "status", "404");
  expect(-1, "error.code", "previous_response_not_found");
}

static void a_connection_remembers_so_many(void **state)
{
  (void)state;
  char first[64] = "", id[64], rest[128] = "";
  for (int i = 0; i < 9; i++) {
    say_create("more", rest);
    play_started(1);
    play_done(AL_FINISH_STOP, 0);
    id_of_last(i == 0 ? first : id);
    (void)snprintf(rest, sizeof rest, ",\"previous_response_id\":\"%s\"", i == 0 ? first : id);
  }
  (void)snprintf(rest, sizeof rest, ",\"previous_response_id\":\"%s\"", first);
  say_create("again", rest);
  expect(-1, "error.code", "previous_response_not_found");
}

static void a_turn_that_failed_is_not_remembered(void **state)
{
  (void)state;
  char id[64], rest[128];
  say_create("one", "");
  play_started(1);
  play_failed(AL_INTERNAL, nullptr, "broken");
  expect(-1, "type", "response.failed");
  id_of_last(id);
  (void)snprintf(rest, sizeof rest, ",\"previous_response_id\":\"%s\"", id);
  say_create("two", rest);
  expect(-1, "error.code", "previous_response_not_found");
}

static void one_turn_at_a_time(void **state)
{
  (void)state;
  say_create("one", "");
  say_create("two", "");
  expect(-1, "error.code", "response_already_in_flight");
  assert_int_equal(submitted.count, 1);
  play_failed(AL_INVALID_REQUEST, "context_length_exceeded", "too long"); /* before it has begun */
  expect(-1, "error.code", "context_length_exceeded");
  say_create("two", "");
  assert_int_equal(submitted.count, 2);
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
}

static void what_cannot_be_submitted_is_an_error_event(void **state)
{
  (void)state;
  (void)!al_fail_reason(&refuse_submit, al_fail(&refuse_submit, AL_OOM_RAM, "full"), "overloaded");
  say_create("one", "");
  expect(-1, "status", "503");
  refuse_submit = (struct al_err){};
  say_create("one", "");
  assert_int_equal(submitted.count, 1);
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
}

static void preparing_calls_no_model(void **state)
{
  (void)state;
  char id[64], rest[128];
  say_create("facts", ",\"generate\":false");
  assert_int_equal(submitted.count, 0);
  expect(-1, "type", "response.completed");
  expect(-1, "response.output", "[]");
  id_of_last(id);
  (void)snprintf(rest, sizeof rest, ",\"previous_response_id\":\"%s\"", id);
  say_create("question", rest);
  assert_non_null(strstr(submitted.chat, "facts"));
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
}

static void draining_waits_for_the_turn(void **state)
{
  (void)state;
  say_create("one", "");
  stand_in_socket.handler->draining(&exchange, stand_in_socket.user);
  assert_int_equal(stand_in_socket.close_code, 0);
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  assert_int_equal(stand_in_socket.close_code, AL_WEBSOCKET_GOING_AWAY);
}

static void draining_closes_an_idle_one_at_once(void **state)
{
  (void)state;
  stand_in_socket.handler->draining(&exchange, stand_in_socket.user);
  assert_int_equal(stand_in_socket.close_code, AL_WEBSOCKET_GOING_AWAY);
  say_create("one", "");
  assert_int_equal(submitted.count, 0);
}

static void memory_that_runs_out_ends_a_turn_alone(void **state)
{
  (void)state;
  for (size_t n = 1; n < 120; n++) {
    submitted_clear();
    (void)al_alloc_fail_at(n);
    say_create("one", "");
    (void)al_alloc_fail_at(0);
    if (submitted.count == 0)
      continue;
    play_started(1);
    play_done(AL_FINISH_STOP, 0);
  }
  submitted_clear();
  say_create("one", "");
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  expect(-1, "type", "response.completed");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(events_come_as_messages, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(the_next_turn_needs_only_its_own_items, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(a_connection_remembers_so_many, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(a_turn_that_failed_is_not_remembered, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(one_turn_at_a_time, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(what_cannot_be_submitted_is_an_error_event, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(preparing_calls_no_model, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(draining_waits_for_the_turn, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(draining_closes_an_idle_one_at_once, open_socket, close_socket),
    cmocka_unit_test_setup_teardown(memory_that_runs_out_ends_a_turn_alone, open_socket, close_socket),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
