#include "codec/json_python.h"

#include "base/alloc.h"

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

static const char *parse_error(const char *text)
{
  static struct al_err err;
  struct al_json_doc *doc = nullptr;
  err = (struct al_err){};
  assert_int_equal(al_json_parse(al_str(text), &doc, &err), AL_INVALID_REQUEST);
  assert_null(doc);
  return err.message;
}

static struct al_json_doc *parse(const char *text)
{
  struct al_err err = {};
  struct al_json_doc *doc = nullptr;
  if (al_json_parse(al_str(text), &doc, &err) != AL_OK)
    fail_msg("%s: %s", text, err.message);
  return doc;
}

/* What al_json_print makes of the text; valid until the next call. */
static const char *reprint(const char *text)
{
  static char result[4096];
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse(text);
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  al_json_print(&out, al_json_root(doc));
  (void)snprintf(result, sizeof result, "%s", out.data);
  return result;
}

static void reads_every_kind(void **state)
{
  (void)state;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc =
      parse("{\"n\":null,\"b\":true,\"i\":-7,\"r\":2.5,\"s\":\"a\\u00e9\\ud83d\\ude00\\u0000z\","
            "\"a\":[1,\"x\",[]],\"o\":{\"k\":1},\"whole\":3.0,\"big\":18446744073709551615}");
  const struct al_json *root = al_json_root(doc);
  assert_int_equal(al_json_kind(root), AL_JSON_OBJECT);
  assert_int_equal(al_json_count(root), 9);
  assert_int_equal(al_json_kind(al_json_get(root, "n")), AL_JSON_NULL);
  assert_true(al_json_bool(al_json_get(root, "b"), false));
  assert_int_equal(al_json_int(al_json_get(root, "i"), 0), -7);
  assert_true(al_json_real(al_json_get(root, "r"), 0) == 2.5);
  assert_int_equal(al_json_int(al_json_get(root, "r"), 9), 9);
  assert_int_equal(al_json_int(al_json_get(root, "whole"), 9), 3);
  assert_int_equal(al_json_kind(al_json_get(root, "big")), AL_JSON_REAL);
  assert_int_equal(al_json_int(al_json_get(root, "big"), 9), 9);
  struct al_str text = al_json_str(al_json_get(root, "s"));
  assert_int_equal(text.size, 9);
  assert_memory_equal(text.data, "a\xc3\xa9\xf0\x9f\x98\x80\0z", 9);
  const struct al_json *array = al_json_get(root, "a");
  assert_int_equal(al_json_count(array), 3);
  assert_true(al_str_is(al_json_str(al_json_at(array, 1)), "x"));
  assert_null(al_json_at(array, 3));
}

static void tolerates_absent_and_wrong_kinds(void **state)
{
  (void)state;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse("[1]");
  const struct al_json *array = al_json_root(doc);
  assert_null(al_json_get(nullptr, "x"));
  assert_null(al_json_get(array, "x"));
  assert_null(al_json_at(nullptr, 0));
  assert_int_equal(al_json_kind(nullptr), AL_JSON_ABSENT);
  assert_int_equal(al_json_count(al_json_at(array, 0)), 0);
  assert_null(al_json_str(array).data);
  assert_int_equal(al_json_int(array, 5), 5);
  assert_true(al_json_real(nullptr, 1.5) == 1.5);
  assert_true(al_json_bool(array, true));
  struct al_json_iter it = al_json_iter(al_json_at(array, 0));
  assert_false(al_json_next(&it));
  it = al_json_iter(nullptr);
  assert_false(al_json_next(&it));
}

static void walks_in_order(void **state)
{
  (void)state;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse("{\"a\":[10,[11,[12]],13],\"b\":{},\"c\":\"z\"}");
  struct al_json_iter it = al_json_iter(al_json_root(doc));
  assert_true(al_json_next(&it) && al_str_is(it.key, "a") && it.index == 0);
  struct al_json_iter inner = al_json_iter(it.value);
  assert_true(al_json_next(&inner) && al_json_int(inner.value, 0) == 10);
  assert_true(al_json_next(&inner) && al_json_count(inner.value) == 2);
  assert_true(al_json_next(&inner) && al_json_int(inner.value, 0) == 13 && inner.index == 2);
  assert_false(al_json_next(&inner));
  assert_true(al_json_next(&it) && al_str_is(it.key, "b"));
  assert_true(al_json_next(&it) && al_str_is(al_json_str(it.value), "z"));
  assert_false(al_json_next(&it));
  assert_false(al_json_next(&it));
}

static void refuses_what_is_not_json(void **state)
{
  (void)state;
  static const char *const bad[] = {
    " ",
    "{",
    "[1,]",
    "{\"a\":1,}",
    "[1] x",
    "nan",
    "NaN",
    "[Infinity]",
    "[-Infinity]",
    "01",
    "1.",
    ".5",
    "+1",
    "1e",
    "'a'",
    "{a:1}",
    "[1 2]",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\n\"",
    "\"\t\"",
    "tru",
    "// x\n1",
    "/* */1",
    "\xef\xbb\xbf{}",
    "1e999",
    "\"\xff\"",
    "\"\xc0\xaf\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x82\"",
    "]",
    "}",
    "{\"a\"}",
    "{1:2}",
    "[[]",
    "0x10",
    "nul",
    "\"abc",
  };
  for (size_t i = 0; i < AL_COUNT(bad); i++)
    assert_non_null(strstr(parse_error(bad[i]), "line "));
  assert_non_null(strstr(parse_error(""), "empty"));
  struct al_json_doc *doc = nullptr;
  assert_int_equal(al_json_parse(al_str_n("[\"a\0b\"]", 7), &doc, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(al_json_parse(al_str_n("1\0", 2), &doc, nullptr), AL_INVALID_REQUEST);
}

static void says_where(void **state)
{
  (void)state;
  assert_non_null(strstr(parse_error("{\n  \"\xc3\xa9\": nope\n}"), "line 2, column 8"));
  assert_non_null(strstr(parse_error("[1,2"), "line 1, column 5"));
  assert_non_null(strstr(parse_error("{\"a\":1,\n \"a\":2}"), "line 2, column 3"));
}

static void caps_the_depth(void **state)
{
  (void)state;
  static char text[2'000'001];
  memset(text, '[', AL_JSON_MAX_DEPTH);
  memset(text + AL_JSON_MAX_DEPTH, ']', AL_JSON_MAX_DEPTH);
  text[2 * AL_JSON_MAX_DEPTH] = '\0';
  al_json_doc_free(parse(text));
  memset(text, '[', AL_JSON_MAX_DEPTH + 1);
  memset(text + AL_JSON_MAX_DEPTH + 1, ']', AL_JSON_MAX_DEPTH + 1);
  assert_non_null(strstr(parse_error(text), "128"));
  memset(text, '[', sizeof text - 1);
  assert_non_null(strstr(parse_error(text), "line 1, column 129: "));
  al_json_doc_free(parse("\"[[[[\\\"[[[[[\""));
}

static void refuses_duplicate_keys(void **state)
{
  (void)state;
  assert_non_null(strstr(parse_error("{\"key\":1,\"b\":2,\"key\":3}"), "\"key\""));
  assert_non_null(strstr(parse_error("[[{\"x\":{\"\":1,\"\":2}}]]"), "\"\""));
  assert_non_null(strstr(parse_error("{\"a\":1,\"\\u0061\":2}"), "\"a\""));
  al_json_doc_free(parse("{\"a\":{\"a\":{\"a\":1}},\"A\":2,\"a\\u0000\":3}"));
  AL_CLEANUP(al_buf_done) struct al_buf many = {};
  al_buf_char(&many, '{');
  for (int i = 0; i < 200'000; i++)
    al_buf_printf(&many, "\"some long common prefix %d\":0,", i);
  size_t without = many.size;
  al_buf_str(&many, "\"last\":0}");
  al_json_doc_free(parse(many.data));
  many.size = without;
  al_buf_str(&many, "\"some long common prefix 77777\":0}");
  assert_non_null(strstr(parse_error(many.data), "prefix 77777"));
}

/* The reader's hash, to choose keys of 8 bytes that all fall into one place of its table. */
static uint64_t reader_hash(uint64_t word)
{
  uint64_t hash = (8 ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ (hash >> 32);
}

static void colliding_keys_are_compared_too(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf many = {};
  char last[12] = "";
  al_buf_char(&many, '{');
  int n_keys = 0;
  for (int i = 0; n_keys < 2000; i++) {
    char key[12];
    (void)snprintf(key, sizeof key, "%08d", i);
    uint64_t word;
    memcpy(&word, key, 8);
    if ((reader_hash(word) & 4095) >= 4)
      continue;
    al_buf_printf(&many, "\"%s\":0,", key);
    memcpy(last, key, sizeof last);
    n_keys++;
  }
  size_t without = many.size;
  al_buf_str(&many, "\"last\":0}");
  al_json_doc_free(parse(many.data));
  many.size = without;
  al_buf_printf(&many, "\"%s\":0}", last);
  assert_non_null(strstr(parse_error(many.data), last));
}

static void wants_fields(void **state)
{
  (void)state;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc =
      parse("{\"t\":0.5,\"n\":4,\"one\":1.0,\"f\":1.5,\"s\":\"x\",\"b\":true,\"z\":null,\"e\":1e300}");
  const struct al_json *root = al_json_root(doc);
  struct al_err err = {};
  int64_t n = -1;
  double t = -1;
  bool b = false, present = true;
  struct al_str s = {};
  assert_int_equal(al_json_want_int(root, "", "n", 0, 10, &n, &present, &err), AL_OK);
  assert_true(n == 4 && present);
  assert_int_equal(al_json_want_int(root, "", "one", 0, 10, &n, nullptr, &err), AL_OK);
  assert_int_equal(n, 1);
  assert_int_equal(al_json_want_int(root, "", "z", 0, 10, &n, &present, &err), AL_OK);
  assert_true(n == 1 && !present);
  assert_int_equal(al_json_want_real(root, "", "n", 0, 10, &t, nullptr, &err), AL_OK);
  assert_true(t == 4);
  assert_int_equal(al_json_want_bool(root, "", "b", &b, nullptr, &err), AL_OK);
  assert_int_equal(al_json_want_str(root, "", "s", &s, nullptr, &err), AL_OK);
  assert_true(b && al_str_is(s, "x"));

  assert_int_equal(al_json_want_int(root, "messages[2]", "f", 0, 10, &n, nullptr, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "messages[2].f");
  assert_string_equal(err.message, "'messages[2].f' must be an integer, but it is 1.5");
  assert_int_equal(al_json_want_int(root, "", "e", 0, INT64_MAX, &n, nullptr, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_json_want_int(root, "", "n", 5, 10, &n, nullptr, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.message, "'n' must be between 5 and 10, but it is 4");
  assert_int_equal(al_json_want_real(root, "", "t", 1, 2, &t, nullptr, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_json_want_str(root, "", "n", &s, nullptr, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.message, "'n' must be a string, but it is of type integer");
  assert_int_equal(al_json_want_bool(root, "", "s", &b, nullptr, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_json_want_real(root, "", "s", 0, 1, &t, nullptr, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_json_want_int(root, "", "b", 0, 1, &n, nullptr, &err), AL_INVALID_REQUEST);
  assert_int_equal(n, 1);
}

static void prints_numbers_that_read_back(void **state)
{
  (void)state;
  static const double numbers[] = { 0.1,     1.0 / 3, 1e21,          1e-7, 5e-324,
                                    DBL_MAX, DBL_MIN, 123456789.125, -2.5, 0.30000000000000004 };
  for (size_t i = 0; i < AL_COUNT(numbers); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_json_writer w = al_json_writer(&out);
    al_jw_real(&w, numbers[i]);
    assert_true(strtod(out.data, nullptr) == numbers[i]);
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse(out.data);
    assert_true(al_json_real(al_json_root(doc), 0) == numbers[i]);
  }
  assert_string_equal(reprint("[0.1,1.0,-0,1e2,9223372036854775808,-9223372036854775808,18446744073709551615]"),
                      "[0.1,1.0,0,100.0,9223372036854775808,-9223372036854775808,18446744073709551615]");
}

static void tells_a_number_as_it_is_written(void **state)
{
  (void)state;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse("[18446744073709551615, -2.5e-7, 3.0, \"4\"]");
  static const char *const texts[] = { "18446744073709551615", "-2.5e-7", "3.0", "" };
  for (size_t i = 0; i < AL_COUNT(texts); i++) {
    char text[AL_JSON_NUMBER_BYTES];
    assert_int_equal(al_json_number_text(al_json_at(al_json_root(doc), i), text), strlen(texts[i]));
    assert_string_equal(text, texts[i]);
  }
}

static void takes_the_last_of_equal_keys_where_that_is_asked_for(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {
    { "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}" },
    { "[{\"x\":{\"y\":1,\"y\":[]},\"x\":{\"\\u0079\":2,\"y\":null}}]", "[{\"x\":{\"y\":null}}]" },
    { "{\"a\":1}", "{\"a\":1}" },
    { "7", "7" },
  };
  for (size_t i = 0; i < AL_COUNT(pairs); i++) {
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    assert_int_equal(al_json_parse_last(al_str(pairs[i][0]), &doc, nullptr), AL_OK);
    al_json_print(&out, al_json_root(doc));
    assert_string_equal(out.data, pairs[i][1]);
  }
  struct al_json_doc *none = nullptr;
  assert_int_equal(al_json_parse_last(al_str("{\"a\":1,\"a\":}"), &none, nullptr), AL_INVALID_REQUEST);
  enum al_code code = AL_OOM_RAM;
  for (size_t n = 1; code == AL_OOM_RAM; n++) {
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    (void)al_alloc_fail_at(n);
    code = al_json_parse_last(al_str(pairs[0][0]), &doc, nullptr);
    (void)al_alloc_fail_at(0);
  }
  assert_int_equal(code, AL_OK);
}

static void prints_floats_as_short_as_they_read_back(void **state)
{
  (void)state;
  static const float numbers[] = { 0.1f, 1.0f / 3, FLT_MAX, FLT_MIN, 1e-45f, -0.0123456789f, 16777216 };
  for (size_t i = 0; i < AL_COUNT(numbers); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_json_writer w = al_json_writer(&out);
    al_jw_float(&w, numbers[i]);
    assert_true(strtof(out.data, nullptr) == numbers[i]);
    assert_true(out.size <= 16); /* sign, 9 digits, point, exponent */
  }
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_json_writer w = al_json_writer(&out);
  al_jw_array(&w);
  al_jw_float(&w, 0.1f);
  al_jw_float(&w, NAN);
  al_jw_end(&w);
  assert_string_equal(out.data, "[0.1,null]");
}

static void prints_what_it_read(void **state)
{
  (void)state;
  static const char text[] = "{\"a\":[1,{\"b\":null},true,\"\\\"\\\\\\n\\u0001\xc3\xa9\"],\"\":{},\"e\":[]}";
  assert_string_equal(reprint(text), text);
}

static void writes_nested_values(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse("{\"k\":[1]}");
  struct al_json_writer w = al_json_writer(&out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "s", "a\"b\n");
  al_jw_kv_str(&w, "none", nullptr);
  al_jw_kv_int(&w, "least", INT64_MIN);
  al_jw_kv_real(&w, "nan", NAN);
  al_jw_kv_real(&w, "inf", -INFINITY);
  al_jw_kv_bool(&w, "b", false);
  al_jw_key(&w, "list");
  al_jw_array(&w);
  al_jw_int(&w, 1);
  al_jw_object(&w);
  al_jw_end(&w);
  al_jw_raw(&w, al_str("[2]"));
  al_jw_null(&w);
  al_jw_end(&w);
  al_jw_kv_value(&w, "v", al_json_root(doc));
  al_jw_kv_value(&w, "absent", nullptr);
  al_jw_end(&w);
  assert_string_equal(out.data, "{\"s\":\"a\\\"b\\n\",\"none\":null,\"least\":-9223372036854775808,\"nan\":null,"
                                "\"inf\":null,\"b\":false,\"list\":[1,{},[2],null],\"v\":{\"k\":[1]},\"absent\":null}");
}

static void repairs_invalid_utf8(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_json_writer w = al_json_writer(&out);
  al_jw_array(&w);
  al_jw_str_n(&w, al_str_n("a\xff\xe2\x82\"\xc3", 6));
  al_jw_str_n(&w, al_str_n("\0", 1));
  al_jw_str_n(&w, (struct al_str){});
  al_jw_end(&w);
  assert_string_equal(out.data, "[\"a\xef\xbf\xbd\xef\xbf\xbd\\\"\xef\xbf\xbd\",\"\\u0000\",\"\"]");
}

/* Files that Python wrote; what stands in a string stays. */
static void reads_the_infinity_of_python(void **state)
{
  (void)state;
  static const struct {
    const char *text, *want; /* nullptr: refused */
  } cases[] = {
    { "[0.0, Infinity]", "[0.0,null]" },
    { "{\"a\":-Infinity,\"b\":\"Infinity \\\"Infinity\"}", "{\"a\":null,\"b\":\"Infinity \\\"Infinity\"}" },
    { "{\"Infinity\":1}", "{\"Infinity\":1}" },
    { "[NaN]", nullptr },
    { "[Infinit]", nullptr },
    { "[Infinity", nullptr },
    { "Infinity", "null" },
    { "[\"\\", nullptr },
    { "", nullptr },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    al_buf_str(&text, cases[i].text);
    enum al_code code = al_json_parse_python(&text, &doc, nullptr);
    assert_int_equal(code, cases[i].want != nullptr ? AL_OK : AL_INVALID_REQUEST);
    if (code != AL_OK)
      continue;
    al_json_print(&out, al_json_root(doc));
    assert_string_equal(out.data, cases[i].want);
  }
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  static const char text[] = "{\"a\":1,\"b\":[{\"c\":2}]}";
  enum al_code code = AL_OOM_RAM;
  size_t at = 1;
  for (; code == AL_OOM_RAM && at < 100; at++) {
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    (void)al_alloc_fail_at(at);
    code = al_json_parse(al_str(text), &doc, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true((code == AL_OK) == (doc != nullptr));
  }
  assert_int_equal(code, AL_OK);
  assert_true(at > 3);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_every_kind),
    cmocka_unit_test(tolerates_absent_and_wrong_kinds),
    cmocka_unit_test(walks_in_order),
    cmocka_unit_test(refuses_what_is_not_json),
    cmocka_unit_test(says_where),
    cmocka_unit_test(caps_the_depth),
    cmocka_unit_test(refuses_duplicate_keys),
    cmocka_unit_test(colliding_keys_are_compared_too),
    cmocka_unit_test(wants_fields),
    cmocka_unit_test(prints_what_it_read),
    cmocka_unit_test(prints_numbers_that_read_back),
    cmocka_unit_test(tells_a_number_as_it_is_written),
    cmocka_unit_test(takes_the_last_of_equal_keys_where_that_is_asked_for),
    cmocka_unit_test(prints_floats_as_short_as_they_read_back),
    cmocka_unit_test(writes_nested_values),
    cmocka_unit_test(repairs_invalid_utf8),
    cmocka_unit_test(reads_the_infinity_of_python),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("codec/json", tests, nullptr, nullptr);
}
