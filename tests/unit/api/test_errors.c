#include "api/errors.h"

#include "stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct al_err make(enum al_code code, const char *reason, const char *message)
{
  struct al_err err;
  (void)!al_fail_reason(&err, al_fail(&err, code, "%s", message), reason);
  return err;
}

static void every_code_has_a_row(void **state)
{
  (void)state;
  for (int code = AL_INVALID_REQUEST; code < AL_CODE_COUNT; code++) {
    struct al_err err = make((enum al_code)code, nullptr, "x");
    const struct al_api_error *row = al_api_error_of(&err);
    assert_int_equal(row->code, code);
    assert_true(row->status >= 400 && row->status < 600);
  }
}

static void a_reason_goes_before_its_code(void **state)
{
  (void)state;
  static const struct {
    enum al_code code;
    const char *reason;
    int status;
    const char *word;
  } cases[] = {
    { AL_OOM_RAM, "overloaded", 503, "overloaded" },
    { AL_OOM_RAM, nullptr, 507, "oom_ram" },
    { AL_OOM_VRAM, nullptr, 507, "oom_vram" },
    { AL_CANCELLED, "shutting_down", 503, "shutting_down" },
    { AL_CANCELLED, nullptr, 499, "cancelled" },
    { AL_INVALID_REQUEST, "context_length_exceeded", 400, "context_length_exceeded" },
    { AL_NOT_FOUND, "model_not_found", 404, "model_not_found" },
    { AL_UNSUPPORTED, "model_quarantined", 503, "model_quarantined" },
    { AL_UNSUPPORTED, "unsupported_parameter", 400, "unsupported_parameter" },
    { AL_MODEL_CORRUPT, nullptr, 422, "model_corrupt" },
    { AL_TIMEOUT, nullptr, 504, "timeout" },
    { AL_INTERNAL, nullptr, 500, "internal_error" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_err err = make(cases[i].code, cases[i].reason, "x");
    assert_int_equal(al_api_error_of(&err)->status, cases[i].status);
    assert_string_equal(al_api_error_word(&err), cases[i].word);
  }
}

static void paths_do_not_leave(void **state)
{
  (void)state;
  static const char *const cases[][2] = {
    { "cannot open /home/me/models/a.gguf: gone", "cannot open a.gguf: gone" },
    { "'/srv/x/y.safetensors' is short", "'y.safetensors' is short" },
    { "/a/b", "b" },
    { "dir /a/b/ ends", "dir b/ ends" },
    { "model org/name and 3/4 of it", "model org/name and 3/4 of it" },
    { "read/write and / alone", "read/write and / alone" },
    { "file=/a/b,(/c/d)", "file=b,(d)" },
    { "see GET /v1/models and /status", "see GET /v1/models and /status" },
    { "//a//b", "b" },
    { "", "" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_err err = make(AL_LOAD_FAILED, nullptr, cases[i][0]);
    char message[512];
    al_api_error_message(&err, message, sizeof message);
    assert_string_equal(message, cases[i][1]);
  }
}

static void a_long_message_is_cut(void **state)
{
  (void)state;
  struct al_err err = make(AL_LOAD_FAILED, nullptr, "0123456789");
  char message[5];
  al_api_error_message(&err, message, sizeof message);
  assert_string_equal(message, "0123");
}

static void headers_tell_clients_when_to_ask_again(void **state)
{
  (void)state;
  struct al_http_exchange exchange;
  exchange_init(&exchange, "");
  struct al_err err = make(AL_OOM_RAM, "overloaded", "busy");
  al_api_reply_err(&exchange, &err);
  assert_int_equal(exchange.status, 503);
  assert_string_equal(exchange.headers, "retry-after: 1\n");
  exchange_done(&exchange);

  exchange_init(&exchange, "");
  err = make(AL_LOAD_FAILED, nullptr, "no");
  al_api_reply_err(&exchange, &err);
  assert_int_equal(exchange.status, 500);
  assert_string_equal(exchange.headers, "x-should-retry: false\n");
  exchange_done(&exchange);
}

static void a_missing_model_names_the_parameter(void **state)
{
  (void)state;
  struct al_http_exchange exchange;
  exchange_init(&exchange, "");
  struct al_err err = make(AL_NOT_FOUND, "model_not_found", "no such model");
  al_api_reply_err(&exchange, &err);
  struct al_json_doc *doc = sent_json(&exchange);
  assert_string_equal(json_text(doc, "error.param"), "model");
  assert_string_equal(json_text(doc, "error.code"), "model_not_found");
  assert_string_equal(json_text(doc, "error.type"), "invalid_request_error");
  al_json_doc_free(doc);
  exchange_done(&exchange);
}

/* docs/errors.md is for users: every word that can stand in "code" is in it, with its status in the same row. */
static void the_documentation_has_every_row(void **state)
{
  (void)state;
  static char text[65'536];
  FILE *file = fopen(AL_TEST_DOCS "/errors.md", "rb");
  assert_non_null(file);
  size_t size = fread(text, 1, sizeof text - 1, file);
  text[size] = '\0';
  (void)fclose(file);
  for (size_t i = 0; i < al_api_n_errors; i++) {
    char row[96];
    (void)snprintf(row, sizeof row, "| `%s` | %d |", al_api_errors[i].word, al_api_errors[i].status);
    if (strstr(text, row) == nullptr)
      fail_msg("docs/errors.md lacks the row %s", row);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_code_has_a_row),
    cmocka_unit_test(a_reason_goes_before_its_code),
    cmocka_unit_test(paths_do_not_leave),
    cmocka_unit_test(a_long_message_is_cut),
    cmocka_unit_test(headers_tell_clients_when_to_ask_again),
    cmocka_unit_test(a_missing_model_names_the_parameter),
    cmocka_unit_test(the_documentation_has_every_row),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
