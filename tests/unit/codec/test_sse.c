#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "codec/sse.h"

#include <stdio.h>

struct seen {
  struct al_buf text;
  int stop_after; /* 0: never */
  int count;
};

static bool see(void *context, struct al_str event, struct al_str data)
{
  struct seen *seen = context;
  al_buf_printf(&seen->text, "[%.*s|%.*s]", (int)event.size, event.data, (int)data.size, data.data);
  return ++seen->count != seen->stop_after;
}

static const struct {
  const char *bytes, *events;
} cases[] = {
  { "data: a\n\n", "[message|a]" },
  { "data:a\n\n", "[message|a]" },
  { "data:  a\n\n", "[message| a]" },
  { "data\n\n", "[message|]" },
  { "data: a\ndata: b\n\n", "[message|a\nb]" },
  { "data\ndata\n\n", "[message|\n]" },
  { "event: x\ndata: a\n\ndata: b\n\n", "[x|a][message|b]" },
  { "event: x\n\ndata: b\n\n", "[message|b]" },
  { ": comment\n\ndata: a\n: more\nid: 4\nretry: 5\nunknown: 6\n\n", "[message|a]" },
  { "data: a\r\n\r\ndata: b\r\rdata: c\n\n", "[message|a][message|b][message|c]" },
  { "\xef\xbb\xbf"
    "data: a\n\n",
    "[message|a]" },
  { "data: \xef\xbb\xbf\n\n", "[message|\xef\xbb\xbf]" },
  { "data: lost\n", "" },
  { "data: {\"a\":\"b: c\"}\n\n", "[message|{\"a\":\"b: c\"}]" },
};

/* Whole, and cut in two at every byte. */
static void test_events_at_every_split(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_str bytes = al_str(cases[i].bytes);
    for (size_t at = 0; at <= bytes.size; at++) {
      struct seen seen = {};
      struct al_sse sse;
      al_sse_init(&sse, 1000);
      assert_int_equal(al_sse_feed(&sse, al_str_n(bytes.data, at), see, &seen, nullptr), AL_OK);
      assert_int_equal(al_sse_feed(&sse, al_str_n(bytes.data + at, bytes.size - at), see, &seen, nullptr), AL_OK);
      assert_true(al_str_is(al_buf_view(&seen.text), cases[i].events));
      al_sse_done(&sse);
      al_buf_done(&seen.text);
    }
  }
}

static void test_bounds(void **state)
{
  (void)state;
  struct seen seen = {};
  struct al_err err;
  struct al_sse sse;
  al_sse_init(&sse, 20);
  assert_int_equal(al_sse_feed(&sse, al_str("data: 0123456789abcdef"), see, &seen, &err), AL_OOM_RAM);
  al_sse_done(&sse);
  al_sse_init(&sse, 20);
  assert_int_equal(al_sse_feed(&sse, al_str("data: 0123456789\ndata: 0123456789\n\n"), see, &seen, &err), AL_OOM_RAM);
  assert_int_equal(seen.count, 0);
  al_sse_done(&sse);
  al_sse_init(&sse, 20);
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_sse_feed(&sse, al_str("data: 0\n\n"), see, &seen, &err), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  al_sse_done(&sse);
}

static void test_handler_stops(void **state)
{
  (void)state;
  struct seen seen = { .stop_after = 1 };
  struct al_sse sse;
  al_sse_init(&sse, 1000);
  assert_int_equal(al_sse_feed(&sse, al_str("data: a\n\ndata: b\n\n"), see, &seen, nullptr), AL_CANCELLED);
  assert_string_equal(seen.text.data, "[message|a]");
  al_sse_done(&sse);
  al_buf_done(&seen.text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_events_at_every_split),
    cmocka_unit_test(test_bounds),
    cmocka_unit_test(test_handler_stops),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
