#include "text/stop.h"

#include "base/alloc.h"
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct al_stop *make(const char *const *stop, size_t n_stop)
{
  struct al_stop *filter = nullptr;
  assert_int_equal(al_stop_new(stop, n_stop, &filter, nullptr), AL_OK);
  return filter;
}

static void expect(struct al_buf *out, const char *text)
{
  assert_string_equal(out->data != nullptr ? out->data : "", text);
  al_buf_clear(out);
}

static void passes_text_at_once(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_stop *filter = make(nullptr, 0);
  assert_int_equal(al_stop_feed(filter, al_str("hello"), &out), -1);
  expect(&out, "hello");
  al_stop_flush(filter, &out);
  expect(&out, "");
  al_stop_free(filter);
}

static void holds_unfinished_characters(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_stop *filter = make(nullptr, 0);
  assert_int_equal(al_stop_feed(filter, al_str("a\xf0\x9f"), &out), -1);
  expect(&out, "a");
  assert_int_equal(al_stop_feed(filter, al_str("\x99\x82!"), &out), -1);
  expect(&out, "\xf0\x9f\x99\x82!");
  assert_int_equal(al_stop_feed(filter, al_str("\xe2\x82"), &out), -1);
  expect(&out, "");
  assert_int_equal(al_stop_feed(filter, al_str("z"), &out), -1);
  expect(&out, "\xef\xbf\xbdz"); /* it was none */
  assert_int_equal(al_stop_feed(filter, al_str("\xc3"), &out), -1);
  al_stop_flush(filter, &out);
  expect(&out, "\xef\xbf\xbd");
  al_stop_free(filter);
}

static void holds_beginnings_of_stop_strings(void **)
{
  static const char *const stop[] = { "</s>", "STOP" };
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_stop *filter = make(stop, 2);
  assert_int_equal(al_stop_feed(filter, al_str("a<"), &out), -1);
  expect(&out, "a");
  assert_int_equal(al_stop_feed(filter, al_str("b<</"), &out), -1);
  expect(&out, "<b<"); /* "</" may still become one */
  assert_int_equal(al_stop_feed(filter, al_str("s>tail"), &out), 0);
  expect(&out, "");
  assert_int_equal(al_stop_feed(filter, al_str("more"), &out), -1);
  al_stop_flush(filter, &out);
  expect(&out, "");
  al_stop_free(filter);
}

static void flush_gives_what_was_held(void **)
{
  static const char *const stop[] = { "STOP" };
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_stop *filter = make(stop, 1);
  assert_int_equal(al_stop_feed(filter, al_str("xSTO"), &out), -1);
  expect(&out, "x");
  al_stop_flush(filter, &out);
  expect(&out, "STO");
  al_stop_free(filter);
}

static void first_and_longest_wins(void **)
{
  static const char *const stop[] = { "b", "ab", "abcd" };
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_stop *filter = make(stop, 3);
  assert_int_equal(al_stop_feed(filter, al_str("xabcd"), &out), 1);
  expect(&out, "x");
  al_stop_free(filter);
}

static void refuses_empty_strings(void **)
{
  static const char *const stop[] = { "a", "" };
  struct al_stop *filter = nullptr;
  struct al_err err;
  assert_int_equal(al_stop_new(stop, 2, &filter, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "stop");
  assert_null(filter);
}

static void survives_failing_allocations(void **)
{
  static const char *const stop[] = { "one", "two" };
  for (size_t n = 1; n < 10; n++) {
    struct al_stop *filter = nullptr;
    (void)al_alloc_fail_at(n);
    enum al_code code = al_stop_new(stop, 2, &filter, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || (code == AL_OOM_RAM && filter == nullptr));
    al_stop_free(filter);
    if (code == AL_OK)
      return;
  }
  fail_msg("it never succeeded");
}

/* --- against a plain implementation that sees everything at once --- */

struct random {
  uint32_t state;
};

static uint32_t next(struct random *random, uint32_t below)
{
  random->state = random->state * 1664525u + 1013904223u;
  return (random->state >> 8) % below;
}

struct plain {
  int met;
  size_t visible; /* bytes before the stop string, or all */
};

/* The stop string whose end comes first; of those that end there, the longest. */
static struct plain plain_search(struct al_str text, const char *const *stop, size_t n_stop)
{
  for (size_t end = 1; end <= text.size; end++) {
    struct plain found = { -1, 0 };
    for (size_t i = 0; i < n_stop; i++) {
      struct al_str pattern = al_str(stop[i]);
      bool longer = found.met < 0 || end - pattern.size < found.visible;
      if (al_str_ends(al_str_n(text.data, end), pattern) && longer)
        found = (struct plain){ (int)i, end - pattern.size };
    }
    if (found.met >= 0)
      return found;
  }
  return (struct plain){ -1, text.size };
}

/* The least that must stay behind after `seen`: a beginning of a stop string, or an unfinished character. */
static size_t must_hold(struct al_str seen, const char *const *stop, size_t n_stop)
{
  size_t hold = al_utf8_incomplete_tail(seen);
  for (size_t i = 0; i < n_stop; i++)
    for (size_t size = strlen(stop[i]) - 1; size > hold; size--)
      if (al_str_ends(seen, al_str_n(stop[i], size)))
        hold = size;
  return hold;
}

static void round_of(struct random *random)
{
  static const char *const pool[] = {
    "ab", "aab", "ba", "\xc3\xa9", "b\xc3\xa9", "aaaa", "\xe2\x82\xac\xc3\xa9", "bab"
  };
  static const char *const pieces[] = { "a", "b", "\xc3\xa9", "\xe2\x82\xac", "\xc3", "\x82", "\xf0\x9f" };
  const char *stop[3];
  size_t n_stop = next(random, 4);
  for (size_t i = 0; i < n_stop; i++)
    stop[i] = pool[next(random, AL_COUNT(pool))];
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  AL_CLEANUP(al_buf_done) struct al_buf expected = {};
  for (uint32_t n = next(random, 24); n > 0; n--)
    al_buf_str(&text, pieces[next(random, AL_COUNT(pieces))]);
  struct al_str all = al_buf_view(&text);
  struct plain plain = plain_search(all, stop, n_stop);
  struct al_stop *filter = make(stop, n_stop);
  int met = -1;
  for (size_t at = 0; at < all.size && met < 0;) {
    size_t size = al_min_size(1 + next(random, 5), all.size - at);
    met = al_stop_feed(filter, al_str_n(all.data + at, size), &out);
    at += size;
    if (met >= 0)
      break;
    size_t held = must_hold(al_str_n(all.data, at), stop, n_stop);
    al_buf_clear(&expected);
    al_utf8_sanitize(al_str_n(all.data, at - held), &expected);
    assert_true(out.size <= expected.size + 2); /* never more than may leave, up to what U+FFFD adds */
    if (al_utf8_valid(al_str_n(all.data, at - held)))
      assert_int_equal(out.size, at - held); /* and nothing is kept that need not be */
  }
  al_stop_flush(filter, &out);
  al_buf_clear(&expected);
  al_utf8_sanitize(al_str_n(all.data, plain.visible), &expected);
  assert_int_equal(met, plain.met < 0 ? -1 : met);
  assert_true((met < 0) == (plain.met < 0));
  if (met >= 0)
    assert_string_equal(stop[met], stop[plain.met]);
  assert_int_equal(out.size, expected.size);
  if (out.size > 0)
    assert_memory_equal(out.data, expected.data, out.size);
  al_stop_free(filter);
}

static void agrees_with_plain_search(void **)
{
  struct random random = { 12345 };
  for (int i = 0; i < 50'000; i++)
    round_of(&random);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(passes_text_at_once),
    cmocka_unit_test(holds_unfinished_characters),
    cmocka_unit_test(holds_beginnings_of_stop_strings),
    cmocka_unit_test(flush_gives_what_was_held),
    cmocka_unit_test(first_and_longest_wins),
    cmocka_unit_test(refuses_empty_strings),
    cmocka_unit_test(survives_failing_allocations),
    cmocka_unit_test(agrees_with_plain_search),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
