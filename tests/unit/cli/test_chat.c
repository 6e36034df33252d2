#include "kit.h"

#include "cli/chat.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"," rest "}\n\n"
#define DELTA(text)       EVENT("response.output_text.delta", "\"delta\":\"" text "\"")
#define ANSWER(type)      EVENT(type, "\"response\":{\"usage\":{\"input_tokens\":12,\"output_tokens\":3}}")

struct fixture {
  struct kit kit;
  struct al_chat chat;
  struct al_chat_result result;
  struct al_err err;
  char heard[256]; /* what on_text got, a '|' after each piece */
  int cancel_fd;   /* on_text makes it readable; -1: none */
};

static int begin(void **state)
{
  static struct fixture fixture;
  fixture = (struct fixture){ .cancel_fd = -1 };
  kit_start(&fixture.kit);
  fixture.chat = (struct al_chat){ .connection = &fixture.kit.connection, .model = "tiny", .options_json = "" };
  *state = &fixture;
  return 0;
}

static int finish(void **state)
{
  struct fixture *fixture = *state;
  al_chat_done(&fixture->chat);
  kit_stop(&fixture->kit);
  if (fixture->cancel_fd >= 0)
    (void)close(fixture->cancel_fd);
  return 0;
}

static void on_text(void *user, struct al_str text)
{
  struct fixture *fixture = user;
  size_t at = strlen(fixture->heard);
  (void)snprintf(fixture->heard + at, sizeof fixture->heard - at, "%.*s|", (int)text.size, text.data);
  if (fixture->cancel_fd >= 0)
    (void)eventfd_write(fixture->cancel_fd, 1);
}

static enum al_code say(struct fixture *fixture, const char *const *pieces)
{
  fixture->kit.pieces = pieces;
  kit_sync(&fixture->kit);
  enum al_code code =
      al_chat_say(&fixture->chat, al_str("hi"), on_text, fixture, fixture->cancel_fd, &fixture->result, &fixture->err);
  kit_sync(&fixture->kit);
  return code;
}

static void assert_last_turn(const struct al_chat *chat, size_t n_turns, const char *role, const char *text)
{
  assert_int_equal(chat->n_turns, n_turns);
  assert_string_equal(chat->turns[n_turns - 1].role, role);
  assert_string_equal(chat->turns[n_turns - 1].text, text);
}

static void the_body_is_the_conversation(void **state)
{
  struct fixture *fixture = *state;
  struct al_chat *chat = &fixture->chat;
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  assert_int_equal(al_chat_add(chat, "user", al_str("Say \"hi\"\n\xff"), nullptr), AL_OK);
  al_chat_body(chat, false, &body);
  assert_string_equal(body.data, "{\"model\":\"tiny\",\"stream\":false,\"store\":false,\"truncation\":\"auto\","
                                 "\"input\":[{\"role\":\"user\",\"content\":\"Say \\\"hi\\\"\\n\xef\xbf\xbd\"}]}");
  chat->system = al_strdup("Be brief");
  chat->options_json = ",\"temperature\":0,\"top_k\":1";
  al_chat_forget(chat);
  assert_int_equal(al_chat_add(chat, "user", al_str("a"), nullptr), AL_OK);
  assert_int_equal(al_chat_add(chat, "assistant", (struct al_str){}, nullptr), AL_OK);
  al_buf_clear(&body);
  al_chat_body(chat, true, &body);
  assert_string_equal(
      body.data,
      "{\"model\":\"tiny\",\"stream\":true,\"store\":false,\"truncation\":\"auto\",\"instructions\":\"Be brief\","
      "\"input\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\"}],"
      "\"temperature\":0,\"top_k\":1}");
}

static void an_answer_becomes_a_turn(void **state)
{
  struct fixture *fixture = *state;
  /* Events end anywhere in what the wire brings, and unknown ones come too. */
  static const char *const pieces[] = { EVENT("response.created", "\"response\":{}") "event: response.outp",
                                        "ut_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hel",
                                        "lo\"}\n\n" DELTA(" \\u00eb") ANSWER("response.completed"), nullptr };
  assert_int_equal(say(fixture, pieces), AL_OK);
  assert_string_equal(fixture->heard, "Hello| ë|");
  assert_last_turn(&fixture->chat, 2, "assistant", "Hello ë");
  assert_int_equal(fixture->result.n_prompt, 12);
  assert_int_equal(fixture->result.n_completion, 3);
  assert_false(fixture->result.incomplete);
  assert_string_equal(fixture->kit.path, "/v1/responses");
  assert_int_equal(say(fixture, pieces), AL_OK);
  assert_non_null(strstr(fixture->kit.request, "[{\"role\":\"user\",\"content\":\"hi\"},"
                                               "{\"role\":\"assistant\",\"content\":\"Hello ë\"},"
                                               "{\"role\":\"user\",\"content\":\"hi\"}]"));
}

static void an_incomplete_answer_is_one(void **state)
{
  struct fixture *fixture = *state;
  static const char *const pieces[] = { DELTA("half") ANSWER("response.incomplete"), nullptr };
  assert_int_equal(say(fixture, pieces), AL_OK);
  assert_true(fixture->result.incomplete);
  assert_int_equal(fixture->result.n_completion, 3);
  assert_last_turn(&fixture->chat, 2, "assistant", "half");
}

static void failures_say_what_the_server_said(void **state)
{
  static const struct {
    const char *const pieces[2];
    const char *message;
  } cases[] = {
    { { EVENT("response.failed", "\"response\":{\"error\":{\"message\":\"out of memory\"}}") }, "out of memory" },
    { { EVENT("error", "\"message\":\"the engine broke\"") }, "the engine broke" },
    { { EVENT("error", "\"error\":{\"message\":\"nested\"}") }, "nested" },
    { { EVENT("response.failed", "\"response\":{}") }, "the server reported an error without a message" },
    { { "data: [DONE]\n\n" }, "the connection ended in the middle of the answer" },
    { { EVENT("response.created", "\"response\":{}") }, "the connection ended in the middle of the answer" },
  };
  struct fixture *fixture = *state;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    assert_int_equal(say(fixture, cases[i].pieces), AL_INTERNAL);
    assert_string_equal(fixture->err.message, cases[i].message);
    assert_last_turn(&fixture->chat, i + 1, "user", "hi");
  }
}

static void what_is_no_json_fails(void **state)
{
  struct fixture *fixture = *state;
  static const char *const pieces[] = { DELTA("a") "data: {\"type\":\n\n" DELTA("b"), nullptr };
  assert_int_not_equal(say(fixture, pieces), AL_OK);
  assert_string_equal(fixture->heard, "a|");
}

static void a_broken_off_answer_is_kept(void **state)
{
  struct fixture *fixture = *state;
  static const char *const pieces[] = { DELTA("as far as "), DELTA("it went"), nullptr };
  assert_int_equal(say(fixture, pieces), AL_INTERNAL);
  assert_string_equal(fixture->err.message, "the connection ended in the middle of the answer");
  assert_last_turn(&fixture->chat, 2, "assistant", "as far as it went");
}

static void a_cancelled_answer_is_kept(void **state)
{
  struct fixture *fixture = *state;
  static const char *const pieces[] = { DELTA("begun"), nullptr };
  fixture->kit.never_ends = true;
  fixture->cancel_fd = eventfd(0, EFD_CLOEXEC);
  assert_true(fixture->cancel_fd > 0);
  assert_int_equal(say(fixture, pieces), AL_CANCELLED);
  assert_last_turn(&fixture->chat, 2, "assistant", "begun");
}

static void without_memory_nothing_is_added(void **state)
{
  struct fixture *fixture = *state;
  for (size_t n = 1; n <= 3; n++) { /* the array, the role, the text */
    (void)al_alloc_fail_at(n);
    assert_int_equal(al_chat_add(&fixture->chat, "user", al_str("x"), &fixture->err), AL_OOM_RAM);
    (void)al_alloc_fail_at(0);
    assert_int_equal(fixture->chat.n_turns, 0);
    al_chat_done(&fixture->chat);
    fixture->chat = (struct al_chat){ .connection = &fixture->kit.connection, .model = "tiny", .options_json = "" };
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_body_is_the_conversation, begin, finish),
    cmocka_unit_test_setup_teardown(an_answer_becomes_a_turn, begin, finish),
    cmocka_unit_test_setup_teardown(an_incomplete_answer_is_one, begin, finish),
    cmocka_unit_test_setup_teardown(failures_say_what_the_server_said, begin, finish),
    cmocka_unit_test_setup_teardown(what_is_no_json_fails, begin, finish),
    cmocka_unit_test_setup_teardown(a_broken_off_answer_is_kept, begin, finish),
    cmocka_unit_test_setup_teardown(a_cancelled_answer_is_kept, begin, finish),
    cmocka_unit_test_setup_teardown(without_memory_nothing_is_added, begin, finish),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
