#include "kit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int begin(void **state)
{
  static struct kit kit;
  kit_start(&kit);
  *state = &kit;
  return 0;
}

static int finish(void **state)
{
  kit_stop(*state);
  return 0;
}

static enum al_code get(struct kit *kit, const char *path, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  kit_sync(kit);
  enum al_code code = al_connection_get(&kit->connection, path, &doc, err);
  kit_sync(kit);
  return code;
}

static void answers_are_parsed(void **state)
{
  struct kit *kit = *state;
  kit->body = "{\"n\":7}";
  kit_sync(kit);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  assert_int_equal(al_connection_get(&kit->connection, "/status", &doc, nullptr), AL_OK);
  assert_int_equal(al_json_int(al_json_get(al_json_root(doc), "n"), 0), 7);
  kit->body = "hello";
  struct al_err err = {};
  assert_int_not_equal(get(kit, "/status", &err), AL_OK);
  assert_true(err.message[0] != '\0');
}

static void post_sends_the_body(void **state)
{
  struct kit *kit = *state;
  kit->body = "as it came";
  kit_sync(kit);
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  assert_int_equal(al_connection_post(&kit->connection, "/v1/x", al_str("{\"a\":1}"), &answer, nullptr), AL_OK);
  kit_sync(kit);
  assert_string_equal(kit->request, "{\"a\":1}");
  assert_string_equal(kit->path, "/v1/x");
  assert_string_equal(answer.data, "as it came");
}

static void error_answers_say_what_the_server_said(void **state)
{
  static const struct {
    int status;
    const char *body;
    enum al_code code;
    const char *message;
  } cases[] = {
    { 404, "{\"error\":{\"message\":\"no such model: x\"}}", AL_NOT_FOUND, "no such model: x" },
    { 400, "{\"error\":{\"message\":\"too long\"}}", AL_INVALID_REQUEST, "too long" },
    { 503, "{\"error\":{\"message\":\"busy %s %n\"}}", AL_INTERNAL, "busy %s %n" },
    { 502, "<html>Bad Gateway</html>", AL_INTERNAL, "the server answered with status 502" },
    { 401, "{\"error\":\"no\"}", AL_INVALID_REQUEST, "the server answered with status 401" },
    { 500, "", AL_INTERNAL, "the server answered with status 500" },
  };
  struct kit *kit = *state;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_err err = {};
    AL_CLEANUP(al_buf_done) struct al_buf answer = {};
    kit->status = cases[i].status;
    kit->body = cases[i].body;
    assert_int_equal(get(kit, "/v1/models", &err), cases[i].code);
    assert_string_equal(err.message, cases[i].message);
    assert_int_equal(al_connection_post(&kit->connection, "/v1/x", al_str("{}"), &answer, &err), cases[i].code);
    assert_string_equal(err.message, cases[i].message);
    assert_int_equal(al_connection_stream(&kit->connection, "/v1/x", al_str("{}"), nullptr, nullptr, -1, &err),
                     cases[i].code);
    assert_string_equal(err.message, cases[i].message);
  }
}

static void overlong_messages_are_cut(void **state)
{
  struct kit *kit = *state;
  static char body[8192];
  (void)snprintf(body, sizeof body, "{\"error\":{\"message\":\"%08000d\"}}", 0);
  struct al_err err = {};
  kit->status = 400;
  kit->body = body;
  assert_int_equal(get(kit, "/status", &err), AL_INVALID_REQUEST);
  assert_int_equal(strlen(err.message), 450);
}

static void paths_are_encoded(void **state)
{
  static const char *const paths[] = {
    "/v1/models/org/tiny model",
    "/v1/models/modèle 模型",
    "/v1/models/100%25",
    "/v1/models/#fragment\"<>",
  };
  struct kit *kit = *state;
  for (size_t i = 0; i < AL_COUNT(paths); i++) {
    struct al_err err = {};
    if (get(kit, paths[i], &err) != AL_OK)
      fail_msg("%s: %s", paths[i], err.message);
    assert_string_equal(kit->path, paths[i]);
  }
  /* A line's end reaches the server as part of the path, which refuses it, and not as the beginning of a header. */
  struct al_err err = {};
  assert_int_equal(get(kit, "/v1/models/a\r\nX: y", &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "control character"));
}

static void the_key_goes_along(void **state)
{
  struct kit *kit = *state;
  assert_int_equal(get(kit, "/status", nullptr), AL_OK);
  assert_string_equal(kit->authorization, "");
  (void)snprintf(kit->config.api_key, sizeof kit->config.api_key, "secret");
  assert_int_equal(get(kit, "/status", nullptr), AL_OK);
  assert_string_equal(kit->authorization, "Bearer secret");
}

static void no_server_is_said(void **state)
{
  struct kit *kit = *state;
  int fd = -1;
  struct al_err err = {};
  struct al_config config = kit->config;
  assert_int_equal(al_http_listen("127.0.0.1", 0, &fd, &config.port, nullptr), AL_OK);
  (void)close(fd);
  struct al_cli cli = { .config = &config, .port_given = true };
  struct al_connection connection;
  assert_int_equal(al_connection_open(&cli, nullptr, &connection, &err), AL_NOT_FOUND);
  assert_string_equal(err.reason, "no_server");
  assert_int_equal(connection.own.pid, 0);
  al_connection_close(&connection);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(answers_are_parsed, begin, finish),
    cmocka_unit_test_setup_teardown(post_sends_the_body, begin, finish),
    cmocka_unit_test_setup_teardown(error_answers_say_what_the_server_said, begin, finish),
    cmocka_unit_test_setup_teardown(overlong_messages_are_cut, begin, finish),
    cmocka_unit_test_setup_teardown(paths_are_encoded, begin, finish),
    cmocka_unit_test_setup_teardown(the_key_goes_along, begin, finish),
    cmocka_unit_test_setup_teardown(no_server_is_said, begin, finish),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
