#include "api/context.h"
#include "stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool admits(const char *key, const char *path, const char *authorization, const char *api_key)
{
  struct al_api *api = make_api(key);
  struct al_http_exchange exchange;
  exchange_init(&exchange, "");
  exchange.path = path;
  exchange.authorization = authorization;
  exchange.api_key = api_key;
  bool admitted = al_api_auth_before(&exchange, api);
  assert_int_equal(exchange.status, admitted ? 0 : 401);
  if (!admitted)
    assert_non_null(strstr(exchange.headers, "www-authenticate: Bearer"));
  exchange_done(&exchange);
  al_api_free(api);
  return admitted;
}

static void without_a_key_everything_passes(void **state)
{
  (void)state;
  assert_true(admits(nullptr, "/v1/models", nullptr, nullptr));
  assert_true(admits("", "/v1/models", "Bearer whatever", nullptr));
}

static void the_key_opens(void **state)
{
  (void)state;
  assert_true(admits("secret", "/v1/models", "Bearer secret", nullptr));
  assert_true(admits("secret", "/v1/models", "bearer  secret ", nullptr));
  assert_true(admits("secret", "/v1/models", nullptr, "secret"));
}

static void anything_else_does_not(void **state)
{
  (void)state;
  assert_false(admits("secret", "/v1/models", nullptr, nullptr));
  assert_false(admits("secret", "/v1/models", "Bearer", nullptr));
  assert_false(admits("secret", "/v1/models", "Bearer ", nullptr));
  assert_false(admits("secret", "/v1/models", "Bearer secre", nullptr));
  assert_false(admits("secret", "/v1/models", "Bearer secrets", nullptr));
  assert_false(admits("secret", "/v1/models", "Basic secret", nullptr));
  assert_false(admits("secret", "/status", nullptr, "Secret"));
  assert_false(admits("secret", "/load", nullptr, ""));
  assert_false(admits("secret", "/nowhere", nullptr, nullptr));
}

/* Each API's client understands its own form of the refusal. */
static void refusals_have_the_form_of_their_api(void **state)
{
  (void)state;
  static const struct {
    const char *path, *member, *value;
  } cases[] = {
    { "/v1/messages", "error.type", "authentication_error" },
    { "/v1/messages/count_tokens", "type", "error" },
    { "/v1/messages", "error.code", "missing_api_key" },
    { "/v1/messagesx", "error.type", "invalid_request_error" },
    { "/v1/chat/completions", "type", "" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_api *api = make_api("secret");
    struct al_http_exchange exchange;
    exchange_init(&exchange, "");
    exchange.path = cases[i].path;
    assert_false(al_api_auth_before(&exchange, api));
    assert_int_equal(exchange.status, 401);
    struct al_json_doc *doc = sent_json(&exchange);
    assert_string_equal(json_text(doc, cases[i].member), cases[i].value);
    al_json_doc_free(doc);
    exchange_done(&exchange);
    al_api_free(api);
  }
}

static void health_is_open(void **state)
{
  (void)state;
  assert_true(admits("secret", "/health", nullptr, nullptr));
  assert_true(admits("secret", "/health/ready", nullptr, nullptr));
  assert_false(admits("secret", "/health/other", nullptr, nullptr));
  assert_false(admits("secret", "/healthy", nullptr, nullptr));
}

static void a_digest_is_sha256(void **state)
{
  (void)state;
  struct al_key_digest digest = al_key_digest_of(al_str("abc"));
  static const uint8_t expected[4] = { 0xba, 0x78, 0x16, 0xbf }; /* FIPS 180-2, appendix B.1 */
  assert_true(digest.present);
  assert_memory_equal(digest.bytes, expected, sizeof expected);
  assert_false(al_key_digest_of(al_str("")).present);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_a_key_everything_passes),
    cmocka_unit_test(the_key_opens),
    cmocka_unit_test(anything_else_does_not),
    cmocka_unit_test(refusals_have_the_form_of_their_api),
    cmocka_unit_test(health_is_open),
    cmocka_unit_test(a_digest_is_sha256),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
