#include "kit.h"

#include "net/router.h"
#include "net/status.h"

static void nothing(struct al_http_exchange *exchange, void *app)
{
  (void)exchange;
  (void)app;
}

static const struct al_http_route routes[] = {
  { AL_HTTP_GET, "/v1/models/{id...}", nothing, 0, nullptr },
  { AL_HTTP_GET, "/v1/models", nothing, 0, nullptr },
  { AL_HTTP_GET, "/v1/responses/{id}", nothing, 0, nullptr },
  { AL_HTTP_POST, "/v1/responses/{id}/cancel", nothing, 0, nullptr },
  { AL_HTTP_GET, "/v1/models/special", nothing, 0, nullptr },
  { AL_HTTP_GET, "/", nothing, 0, nullptr },
  { AL_HTTP_GET, "/a/{x}/b/{y}/{rest...}", nothing, 0, nullptr },
};

static const struct {
  enum al_http_method method;
  const char *path;
  int route; /* -1: none */
  unsigned allowed;
  const char *first; /* parameter, or nullptr */
} cases[] = {
  { AL_HTTP_GET, "/v1/models", 1, 1u << AL_HTTP_GET, nullptr },
  { AL_HTTP_GET, "/v1/models/a", 0, 1u << AL_HTTP_GET, "a" },
  { AL_HTTP_GET, "/v1/models/a/b/c", 0, 1u << AL_HTTP_GET, "a/b/c" },
  { AL_HTTP_GET, "/v1/models//", 0, 1u << AL_HTTP_GET, "/" },
  { AL_HTTP_GET, "/v1/models/", -1, 0, nullptr },
  { AL_HTTP_GET, "/v1/models/special", 4, 1u << AL_HTTP_GET, nullptr }, /* literal before parameter */
  { AL_HTTP_HEAD, "/v1/models", 1, 1u << AL_HTTP_GET, nullptr },
  { AL_HTTP_GET, "/v1/responses/r1", 2, 1u << AL_HTTP_GET, "r1" },
  { AL_HTTP_DELETE, "/v1/responses/r1", -1, 1u << AL_HTTP_GET, nullptr },
  { AL_HTTP_METHOD_COUNT, "/v1/responses/r1", -1, 1u << AL_HTTP_GET, nullptr },
  { AL_HTTP_POST, "/v1/responses/r1/cancel", 3, 1u << AL_HTTP_POST, "r1" },
  { AL_HTTP_GET, "/v1/responses//cancel", -1, 0, nullptr },
  { AL_HTTP_GET, "/", 5, 1u << AL_HTTP_GET, nullptr },
  { AL_HTTP_GET, "", -1, 0, nullptr },
  { AL_HTTP_GET, "//", -1, 0, nullptr },
  { AL_HTTP_GET, "/v1/model", -1, 0, nullptr },
  { AL_HTTP_GET, "/v1/modelsx", -1, 0, nullptr },
  { AL_HTTP_GET, "*", -1, 0, nullptr },
};

static void test_find(void **state)
{
  (void)state;
  assert_int_equal(al_net_routes_check(routes, AL_COUNT(routes), nullptr), AL_OK);
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_net_match match = al_net_routes_find(routes, AL_COUNT(routes), cases[i].method, al_str(cases[i].path));
    const struct al_http_route *wanted = cases[i].route < 0 ? nullptr : &routes[cases[i].route];
    if (match.route != wanted || match.allowed != cases[i].allowed)
      fail_msg("%s: route %s, allowed %x", cases[i].path, match.route != nullptr ? match.route->path : "none",
               match.allowed);
    if (cases[i].first != nullptr)
      assert_true(al_str_is(match.params.value[0], cases[i].first));
  }
}

static void test_three_parameters(void **state)
{
  (void)state;
  struct al_net_match match = al_net_routes_find(routes, AL_COUNT(routes), AL_HTTP_GET, al_str("/a/1/b/2/3/4"));
  assert_int_equal(match.params.count, 3);
  assert_true(al_str_is(match.params.name[2], "rest"));
  assert_true(al_str_is(match.params.value[0], "1"));
  assert_true(al_str_is(match.params.value[1], "2"));
  assert_true(al_str_is(match.params.value[2], "3/4"));
}

static void test_bad_patterns(void **state)
{
  (void)state;
  static const char *const patterns[] = { "",      "v1",        "/{a}{b}",
                                          "/x{a}", "/{a...}/b", "/{}",
                                          "/{a",   "/a}",       "/{1}/{2}/{3}/{4}/{5}" };
  for (size_t i = 0; i < AL_COUNT(patterns); i++) {
    const struct al_http_route route = { AL_HTTP_GET, patterns[i], nothing, 0, nullptr };
    if (al_net_routes_check(&route, 1, nullptr) != AL_INVALID_REQUEST)
      fail_msg("%s was accepted", patterns[i]);
  }
  const struct al_http_route no_handler = { AL_HTTP_GET, "/", nullptr, 0, nullptr };
  assert_int_equal(al_net_routes_check(&no_handler, 1, nullptr), AL_INVALID_REQUEST);
  static const struct al_http_body_sink half = {};
  const struct al_http_route half_a_sink = { AL_HTTP_POST, "/", nothing, 0, &half };
  assert_int_equal(al_net_routes_check(&half_a_sink, 1, nullptr), AL_INVALID_REQUEST);
  const struct al_http_route upload_in_memory = { AL_HTTP_POST, "/", nothing, SIZE_MAX, nullptr };
  assert_int_equal(al_net_routes_check(&upload_in_memory, 1, nullptr), AL_INVALID_REQUEST);
}

static void test_allow_list(void **state)
{
  (void)state;
  char list[64];
  al_net_allow_list(1u << AL_HTTP_POST, list, sizeof list);
  assert_string_equal(list, "POST, OPTIONS");
  al_net_allow_list((1u << AL_HTTP_METHOD_COUNT) - 1, list, sizeof list);
  assert_string_equal(list, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

static void test_dates(void **state)
{
  (void)state;
  char text[AL_NET_DATE_BYTES];
  al_net_format_date(text, 784'111'777); /* the example of RFC 9110 */
  assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
  al_net_format_date(text, 1'709'164'800);
  assert_string_equal(text, "Thu, 29 Feb 2024 00:00:00 GMT");
  assert_string_equal(al_net_reason_phrase(404), "Not Found");
  assert_string_equal(al_net_reason_phrase(299), "Unknown");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_find),         cmocka_unit_test(test_three_parameters),
    cmocka_unit_test(test_bad_patterns), cmocka_unit_test(test_allow_list),
    cmocka_unit_test(test_dates),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
