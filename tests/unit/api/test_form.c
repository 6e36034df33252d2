/* Fields of a form as the JSON that the tables read. */
#include "api/form.h"
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct al_api_param params[] = {
  { .name = "text", .read = al_api_check_str },    { .name = "flag", .read = al_api_read_bool },
  { .name = "number", .read = al_api_read_float }, { .name = "count", .read = al_api_read_int },
  { .name = "list", .read = al_api_read_value },
};
static const struct al_api_param_table table = { params, AL_COUNT(params) };

/* name, value, name, value, ..., nullptr */
static enum al_code fill(struct al_api_form *form, const char *const *pairs, struct al_err *err)
{
  for (; *pairs != nullptr; pairs += 2) {
    AL_TRY(al_api_form_begin(form, al_str(pairs[0]), err));
    for (const char *at = pairs[1]; *at != '\0'; at++) /* a value comes in pieces */
      AL_TRY(al_api_form_add(form, al_str_n(at, 1), err));
  }
  return AL_OK;
}

static enum al_code convert(const char *const *pairs, struct al_buf *json, struct al_err *err)
{
  AL_CLEANUP(al_api_form_done) struct al_api_form form = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(fill(&form, pairs, err));
  AL_TRY(al_api_form_json(&form, &table, 1, &doc, err));
  al_json_print(json, al_json_root(doc));
  return al_buf_check(json, err);
}

static void assert_json(const char *const *pairs, const char *expected)
{
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  struct al_err err = {};
  if (convert(pairs, &json, &err) != AL_OK)
    fail_msg("%s", err.message);
  assert_string_equal(json.data, expected);
}

static void assert_refused(const char *const *pairs, const char *param, const char *message)
{
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  struct al_err err = {};
  assert_int_equal(convert(pairs, &json, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, param);
  assert_string_equal(err.message, message);
}

static void text_stays_text(void **state)
{
  (void)state;
  assert_json((const char *[]){ "text", "true", nullptr }, "{\"text\":\"true\"}");
  assert_json((const char *[]){ "text", "12", "other", "1.5", nullptr }, "{\"text\":\"12\",\"other\":\"1.5\"}");
  assert_json((const char *[]){ "text", "", nullptr }, "{\"text\":\"\"}");
  assert_json((const char *[]){ "text", "a\"b\\\nü", nullptr }, "{\"text\":\"a\\\"b\\\\\\nü\"}");
  assert_json((const char *[]){ nullptr }, "{}");
}

static void numbers_and_flags_are_read_where_they_are_wanted(void **state)
{
  (void)state;
  assert_json((const char *[]){ "flag", "true", "number", "0.5", "count", "3", nullptr },
              "{\"flag\":true,\"number\":0.5,\"count\":3}");
  assert_json((const char *[]){ "flag", "False", "number", "1e0", nullptr }, "{\"flag\":false,\"number\":1.0}");
  assert_json((const char *[]){ "flag", "1", nullptr }, "{\"flag\":true}");
  /* What does not read as one is left to the reader to refuse. */
  static const char *const no_numbers[] = { "warm", "", "0x10", "NaN", "[1]", "\"1\"", "1 2", "1,\"x\":2", "+1", ".5" };
  for (size_t i = 0; i < AL_COUNT(no_numbers); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf json = {};
    assert_int_equal(convert((const char *[]){ "number", no_numbers[i], nullptr }, &json, nullptr), AL_OK);
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    assert_int_equal(al_json_parse(al_buf_view(&json), &doc, nullptr), AL_OK);
    assert_int_equal(al_json_count(al_json_root(doc)), 1);
    assert_true(al_str_is(al_json_str(al_json_get(al_json_root(doc), "number")), no_numbers[i]));
  }
  assert_json((const char *[]){ "flag", "yes", nullptr }, "{\"flag\":\"yes\"}");
}

static void brackets_make_arrays_and_objects(void **state)
{
  (void)state;
  assert_json((const char *[]){ "list[]", "a", "text", "x", "list[]", "b", nullptr },
              "{\"list\":[\"a\",\"b\"],\"text\":\"x\"}");
  assert_json((const char *[]){ "list[type]", "t", "list[x]", "1", nullptr },
              "{\"list\":{\"type\":\"t\",\"x\":\"1\"}}");
  /* No brackets as they should be: a name like any other. */
  static const char *const names[] = { "a[", "a]", "[]", "[x]", "a[x]y", "a[x][y]", "a[[x]", "a[x" };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    assert_true(al_str_is(al_api_form_base(al_str(names[i])), names[i]));
  assert_true(al_str_is(al_api_form_base(al_str("a[]")), "a"));
  assert_true(al_str_is(al_api_form_base(al_str("a[b]")), "a"));
  assert_int_equal(al_api_form_base((struct al_str){}).size, 0);
}

static void nothing_is_given_twice(void **state)
{
  (void)state;
  assert_refused((const char *[]){ "text", "a", "flag", "1", "text", "b", nullptr }, "text", "'text' is given twice");
  assert_refused((const char *[]){ "list[]", "a", "list", "b", nullptr }, "list", "'list' is given twice");
  assert_refused((const char *[]){ "list[]", "a", "list[x]", "b", nullptr }, "list[x]", "'list[x]' is given twice");
  assert_refused((const char *[]){ "list[x]", "a", "list[x]", "b", nullptr }, "list[x]", "'list[x]' is given twice");
}

static void text_must_be_utf8(void **state)
{
  (void)state;
  assert_refused((const char *[]){ "text", "a\xff", nullptr }, "text", "'text' must be UTF-8");
}

static void the_size_is_bounded(void **state)
{
  (void)state;
  AL_CLEANUP(al_api_form_done) struct al_api_form form = {};
  static char big[AL_API_FORM_MAX_BYTES];
  memset(big, 'x', sizeof big);
  struct al_err err = {};
  assert_int_equal(al_api_form_begin(&form, al_str("text"), &err), AL_OK);
  assert_int_equal(al_api_form_add(&form, al_str_n(big, sizeof big - 4), &err), AL_OK);
  assert_int_equal(al_api_form_add(&form, al_str("x"), &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "text");
  assert_string_equal(err.message, "The fields of the form are longer than 64 KB in all: 'text' does not fit");
  assert_int_equal(al_api_form_begin(&form, al_str("flag"), &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "flag");
}

static void memory_that_runs_out_is_an_error(void **state)
{
  (void)state;
  static const char *const pairs[] = { "text", "x", "list[]", "a", "number", "1", nullptr };
  for (size_t n = 1; n < 100; n++) {
    AL_CLEANUP(al_buf_done) struct al_buf json = {};
    struct al_err err = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = convert(pairs, &json, &err);
    bool failed = al_alloc_fail_at(0) >= n;
    if (!failed) {
      assert_int_equal(code, AL_OK);
      return;
    }
    /* A number whose parsing failed is left as text: the reader refuses it. */
    assert_true(code == AL_OOM_RAM || strstr(json.data, "\"number\":\"1\"") != nullptr);
  }
  fail();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_stays_text),
    cmocka_unit_test(numbers_and_flags_are_read_where_they_are_wanted),
    cmocka_unit_test(brackets_make_arrays_and_objects),
    cmocka_unit_test(nothing_is_given_twice),
    cmocka_unit_test(text_must_be_utf8),
    cmocka_unit_test(the_size_is_bounded),
    cmocka_unit_test(memory_that_runs_out_is_an_error),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
