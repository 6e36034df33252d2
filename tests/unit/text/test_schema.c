#include "text/schema.h"

#include "base/alloc.h"
#include "text/grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct al_json_doc *parse(const char *text)
{
  struct al_json_doc *doc = nullptr;
  if (al_json_parse(al_str(text), &doc, nullptr) != AL_OK)
    fail_msg("not JSON: %s", text);
  return doc;
}

static struct al_grammar *compile(struct al_str gbnf)
{
  struct al_grammar *grammar = nullptr;
  struct al_err err = {};
  if (al_grammar_compile(gbnf, &grammar, &err) != AL_OK)
    fail_msg("%s\n%s", gbnf.data, err.message);
  return grammar;
}

static bool matches(struct al_grammar *grammar, const char *text)
{
  struct al_grammar_matcher *matcher = nullptr;
  assert_int_equal(al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr), AL_OK);
  bool is_whole = al_grammar_matcher_feed(matcher, al_str(text)) && al_grammar_matcher_may_end(matcher);
  al_grammar_matcher_free(matcher);
  return is_whole;
}

/* Each text begins with '+' (valid, and the grammar admits it), '-' (not valid, and not admitted) or '~' (valid, but
 * the grammar is narrower). */
static void expect_in(const char *schema_text, bool free_whitespace, const char *const *texts)
{
  struct al_json_doc *schema = parse(schema_text);
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_schema_options options = { .path = "s", .free_whitespace = free_whitespace };
  struct al_err err = {};
  if (al_schema_to_gbnf(al_json_root(schema), "root", &options, &gbnf, &err) != AL_OK)
    fail_msg("%s: %s", schema_text, err.message);
  struct al_grammar *grammar = compile(al_buf_view(&gbnf));
  for (; *texts != nullptr; texts++) {
    struct al_json_doc *value = nullptr;
    bool is_json = al_json_parse(al_str(*texts + 1), &value, nullptr) == AL_OK;
    bool is_valid = is_json && al_schema_validate(al_json_root(schema), al_json_root(value), nullptr) == AL_OK;
    if (matches(grammar, *texts + 1) != (**texts == '+') || is_valid != (**texts != '-'))
      fail_msg("%s: %s", schema_text, *texts);
    al_json_doc_free(value);
  }
  al_grammar_unref(grammar);
  al_json_doc_free(schema);
}

static void expect(const char *schema_text, const char *const *texts)
{
  expect_in(schema_text, false, texts);
}

static void admits_types(void **)
{
  expect("{\"type\": \"string\"}", (const char *[]){ "+\"\"", "+\"a\u00e9\\n\\u00e9\\ud83d\\ude00\"", "-\"\\ud800\"",
                                                     "-\"a\nb\"", "-1", nullptr });
  expect("{\"type\": [\"boolean\", \"null\"]}", (const char *[]){ "+true", "+false", "+null", "-0", nullptr });
  expect("{\"type\": \"integer\", \"nullable\": true}",
         (const char *[]){ "+0", "+-12", "+null", "-01", "-1.5", "~1.0", nullptr });
  expect("{\"type\": \"number\"}", (const char *[]){ "+0", "+-1.5e10", "-.5", "-1.", "-\"1\"", nullptr });
  expect("true", (const char *[]){ "+{\"a\":[1, {}]}", "+null", "-", nullptr });
  expect("{}", (const char *[]){ "+[]", "+\"x\"", nullptr });
}

static void admits_values(void **)
{
  expect("{\"enum\": [1, \"a\\\"b\", null, {\"x\": [1, 2]}]}",
         (const char *[]){ "+1", "+\"a\\\"b\"", "+null", "+{\"x\": [1,2]}", "-2", "-{\"x\":[1]}", nullptr });
  expect("{\"const\": {\"b\": 1, \"a\": {}}}",
         (const char *[]){ "+{\"b\":1, \"a\":{}}", "~{\"a\":{},\"b\":1}", "~{\"b\":1.0,\"a\":{}}", nullptr });
  expect("{\"type\": \"string\", \"enum\": [\"x\", 1, \"yy\"], \"maxLength\": 1}",
         (const char *[]){ "+\"x\"", "-\"yy\"", "-1", nullptr });
}

static void bounds_integers(void **)
{
  expect("{\"type\": \"integer\", \"minimum\": -12, \"exclusiveMaximum\": 130}",
         (const char *[]){ "+-12", "+-1", "+0", "+9", "+99", "+129", "--13", "-130", "-1000", "-1.5", nullptr });
  expect("{\"type\": \"integer\", \"minimum\": 9223372036854775807}",
         (const char *[]){ "+9223372036854775807", "-9223372036854775806", nullptr });
  expect("{\"type\": \"integer\", \"maximum\": -9223372036854775807}",
         (const char *[]){ "+-9223372036854775808", "+-9223372036854775807", "--9223372036854775806", nullptr });
  expect("{\"type\": \"integer\", \"maximum\": 18446744073709551615, \"minimum\": 0}",
         (const char *[]){ "+0", "+9223372036854775807", "~18446744073709551615", "-18446744073709551616", nullptr });
  expect("{\"type\": \"integer\", \"minimum\": 0.5, \"maximum\": 2.5}",
         (const char *[]){ "-0", "+1", "+2", "-3", nullptr });
  expect("{\"minimum\": 5, \"exclusiveMinimum\": true, \"type\": \"integer\"}",
         (const char *[]){ "-5", "+6", nullptr });
}

static void bounds_numbers(void **)
{
  expect("{\"type\": \"number\", \"minimum\": -1.25, \"exclusiveMaximum\": 2.5}",
         (const char *[]){ "+-1.25", "+-1.2", "+0", "+0.0", "+2.4999", "+-1.250", "--1.26", "-2.5", "-2.50", "-3",
                           "--2", nullptr });
  expect("{\"type\": \"number\", \"exclusiveMinimum\": 0}",
         (const char *[]){ "-0", "-0.0", "+0.1", "+0.001", "+7.5", "--1", nullptr });
  expect("{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 0.5}",
         (const char *[]){ "+0.5", "+0.500", "-0.4", "-0.51", "-1", nullptr });
  expect("{\"type\": \"number\", \"multipleOf\": 1}", (const char *[]){ "+3", "-3.5", "~3.0", nullptr });
}

static void admits_objects(void **)
{
  expect("{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": {\"type\": \"null\"}, \"c\": "
         "true},"
         "\"required\": [\"b\"], \"additionalProperties\": false}",
         (const char *[]){ "+{\"b\":null}", "+{\"a\":1,\"b\": null, \"c\":[]}", "+{\"b\":null,\"c\":{}}", "-{\"a\":1}",
                           "-{}", "~{\"b\":null,\"a\":1}", "-{\"b\":null,\"d\":1}", "~{ \"b\":null}", "~{\"b\":  null}",
                           nullptr });
  expect("{\"type\": \"object\", \"properties\": {\"ab\": {\"type\": \"null\"}}, \"additionalProperties\": {\"type\": "
         "\"integer\"}}",
         (const char *[]){ "+{}", "+{\"ab\":null}", "+{\"ab\":null,\"a\":1,\"abc\":2,\"\":3}", "-{\"ab\":1}",
                           "-{\"x\":null}", "-{\"ab\":null,\"ab\":1}", nullptr });
  expect("{\"type\": \"object\", \"properties\": {\"a\": true}}",
         (const char *[]){ "+{}", "+{\"a\":1}", "~{\"b\":1}", nullptr });
  expect("{\"required\": [\"z\"]}", (const char *[]){ "+{\"z\":1}", "-{}", "~1", nullptr });
}

static void counts_members(void **)
{
  expect("{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"null\"}, \"b\": {\"type\": \"null\"}, \"c\": "
         "{\"type\": "
         "\"null\"}}, \"minProperties\": 1, \"maxProperties\": 2, \"additionalProperties\": false}",
         (const char *[]){ "-{}", "+{\"c\":null}", "+{\"a\":null,\"c\":null}", "-{\"a\":null,\"b\":null,\"c\":null}",
                           nullptr });
  expect("{\"type\": \"object\", \"minProperties\": 2, \"maxProperties\": 2, \"additionalProperties\": {\"type\": "
         "\"null\"}}",
         (const char *[]){ "-{}", "-{\"a\":null}", "+{\"a\":null,\"b\":null}", "-{\"a\":null,\"b\":null,\"c\":null}",
                           nullptr });
}

static void admits_arrays(void **)
{
  expect("{\"type\": \"array\", \"items\": {\"type\": \"null\"}, \"minItems\": 2, \"maxItems\": 3}",
         (const char *[]){ "-[null]", "+[null,null]", "+[null, null,null]", "-[null,null,null,null]", nullptr });
  expect("{\"type\": \"array\", \"prefixItems\": [{\"type\": \"null\"}, {\"const\": 1}], \"items\": {\"const\": 2}}",
         (const char *[]){ "+[]", "+[null]", "+[null,1]", "+[null,1,2,2]", "-[1]", "-[null,1,1]", nullptr });
  expect("{\"type\": \"array\", \"items\": [{\"type\": \"null\"}], \"additionalItems\": false}",
         (const char *[]){ "+[]", "+[null]", "-[null,null]", nullptr });
  expect("{\"type\": \"array\", \"items\": false}", (const char *[]){ "+[]", "-[1]", nullptr });
}

static void limits_strings(void **)
{
  expect("{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}",
         (const char *[]){ "-\"a\"", "+\"\u00e9\u00e9\"", "+\"\\n\\u00e9\\ud83d\\ude00\"", "-\"abcd\"", nullptr });
  expect("{\"type\": \"string\", \"pattern\": \"^[a-c\\\"\\\\\\\\]+$\"}",
         (const char *[]){ "+\"abc\"", "+\"\\\"\\\\\"", "-\"d\"", "-\"\"", nullptr });
  expect("{\"type\": \"string\", \"pattern\": \"x\"}", (const char *[]){ "+\"x\"", "+\"ax\\nb\"", "-\"y\"", nullptr });
  expect("{\"type\": \"string\", \"format\": \"date\"}",
         (const char *[]){ "+\"2024-02-29\"", "-\"2023-02-29\"", "-\"2024-04-31\"", "+\"2000-02-29\"",
                           "-\"1900-02-29\"", "-\"0000-01-01\"", nullptr });
  expect("{\"type\": \"string\", \"format\": \"date-time\"}",
         (const char *[]){ "+\"2024-01-02T03:04:05.5Z\"", "-\"2024-01-02 03:04:05Z\"", nullptr });
  expect("{\"type\": \"string\", \"format\": \"uuid\"}",
         (const char *[]){ "+\"123e4567-e89b-12d3-a456-426614174000\"", "-\"123e4567\"", nullptr });
  expect("{\"type\": \"string\", \"format\": \"email\"}",
         (const char *[]){ "+\"a.b@c.de\"", "-\"a.b\"", "-\"@c\"", nullptr });
}

static void follows_references(void **)
{
  expect("{\"$defs\": {\"a/b~\": {\"type\": \"object\", \"properties\": {\"n\": {\"anyOf\": [{\"$ref\": "
         "\"#/$defs/a~1b~0\"}, "
         "{\"type\": \"null\"}]}}, \"required\": [\"n\"], \"additionalProperties\": false}}, \"$ref\": "
         "\"#/$defs/a~1b~0\"}",
         (const char *[]){ "+{\"n\":null}", "+{\"n\":{\"n\": {\"n\":null}}}", "-{\"n\":{}}", nullptr });
  expect("{\"allOf\": [{\"properties\": {\"a\": {\"minimum\": 3}}, \"type\": \"object\"}, {\"properties\": {\"a\": "
         "{\"type\": "
         "\"integer\", \"maximum\": 4}}, \"required\": [\"a\"]}]}",
         (const char *[]){ "+{\"a\":3}", "+{\"a\":4}", "-{\"a\":5}", "-{\"a\":2}", "-{}", nullptr });
  expect("{\"type\": \"integer\", \"anyOf\": [{\"maximum\": 1}, {\"minimum\": 9}], \"minimum\": 0, \"maximum\": 10}",
         (const char *[]){ "+0", "+1", "+9", "+10", "-5", "-11", nullptr });
  expect("{\"oneOf\": [{\"const\": 1}, {\"type\": \"string\"}]}", (const char *[]){ "+1", "+\"x\"", "-2", nullptr });
}

static void free_whitespace_is_bounded(void **)
{
  static const char schema[] =
      "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": {\"type\": \"null\"}}}}";
  expect_in(
      schema, true,
      (const char *[]){ "+{\n  \"a\": [\n    null,\n    null\n  ]\n}", "+{\"a\":[]}", "~{\n\n\"a\":[]}", nullptr });
  expect_in(schema, false, (const char *[]){ "~{\n  \"a\": []\n}", nullptr });
}

static void refuses_with_the_path(void **)
{
  static const struct {
    const char *schema, *param;
    enum al_code code;
  } cases[] = {
    { "{\"properties\": {\"age\": {\"type\": \"number\", \"multipleOf\": 0.5}}}", "s.properties.age.multipleOf",
      AL_UNSUPPORTED },
    { "{\"not\": {}}", "s.not", AL_UNSUPPORTED },
    { "{\"$defs\": {\"N\": {\"if\": true}}, \"items\": {\"$ref\": \"#/$defs/N\"}}", "s.$defs.N.if", AL_UNSUPPORTED },
    { "{\"anyOf\": [true, {\"contains\": true}]}", "s.anyOf[1].contains", AL_UNSUPPORTED },
    { "{\"type\": \"array\", \"prefixItems\": [{\"format\": \"odd\"}]}", "s.prefixItems[0].format", AL_UNSUPPORTED },
    { "{\"type\": \"text\"}", "s.type", AL_INVALID_REQUEST },
    { "{\"required\": \"a\"}", "s.required", AL_INVALID_REQUEST },
    { "{\"$ref\": \"#/$defs/none\"}", "s.$ref", AL_INVALID_REQUEST },
    { "{\"$ref\": \"other.json\"}", "s.$ref", AL_UNSUPPORTED },
    { "{\"$ref\": \"#\"}", "s", AL_INVALID_REQUEST },
    { "{\"anyOf\": [{\"$ref\": \"#\"}]}", "s", AL_INVALID_REQUEST },
    { "{\"oneOf\": [{\"type\": \"object\"}, {\"type\": \"object\"}]}", "s.oneOf", AL_UNSUPPORTED },
    { "{\"pattern\": \"a(?=b)\"}", "s.pattern", AL_UNSUPPORTED },
    { "{\"pattern\": \"^a*$\", \"maxLength\": 3}", "s.pattern", AL_UNSUPPORTED },
    { "{\"whatever\": 1}", "s.whatever", AL_UNSUPPORTED },
    { "{\"type\": \"integer\", \"minimum\": 3, \"maximum\": 2}", "s", AL_INVALID_REQUEST },
    { "false", "s", AL_INVALID_REQUEST },
    { "[]", "s", AL_INVALID_REQUEST },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_json_doc *schema = parse(cases[i].schema);
    AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
    struct al_schema_options options = { .path = "s" };
    struct al_err err = {};
    enum al_code code = al_schema_to_gbnf(al_json_root(schema), "root", &options, &gbnf, &err);
    if (code != cases[i].code || strcmp(err.param, cases[i].param) != 0)
      fail_msg("%s: %s, %s: %s", cases[i].schema, al_code_name(code), err.param, err.message);
    assert_int_equal(gbnf.size, 0); /* half a grammar is none */
    al_json_doc_free(schema);
  }
}

static void hostile_schemas_stay_small(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {}, gbnf = {};
  al_buf_str(&text, "{\"type\": \"object\", \"properties\": {");
  for (int i = 0; i < 1000; i++)
    al_buf_printf(&text, "%s\"p%d\": {\"type\": \"string\", \"maxLength\": 100000}", i > 0 ? "," : "", i);
  al_buf_str(&text, "}}");
  struct al_json_doc *schema = parse(text.data);
  assert_int_equal(al_schema_to_gbnf(al_json_root(schema), "root", nullptr, &gbnf, nullptr), AL_OK);
  assert_true(gbnf.size < 500'000);
  struct al_grammar *grammar = compile(al_buf_view(&gbnf));
  assert_true(matches(grammar, "{\"p0\":\"x\",\"p999\":\"y\"}"));
  al_grammar_unref(grammar);
  al_json_doc_free(schema);
}

static void names_where_a_value_is_wrong(void **)
{
  struct al_json_doc *schema = parse("{\"properties\": {\"a\": {\"items\": {\"type\": \"integer\", \"maximum\": 3}}}}");
  struct al_json_doc *value = parse("{\"a\": [1, 2, 7]}");
  struct al_err err = {};
  assert_int_equal(al_schema_validate(al_json_root(schema), al_json_root(value), &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "a[2]");
  assert_non_null(strstr(err.message, "out of bounds"));
  al_json_doc_free(schema);
  al_json_doc_free(value);
}

static void any_json_is_a_grammar_too(void **)
{
  for (int object_only = 0; object_only < 2; object_only++) {
    AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
    assert_int_equal(al_schema_any_to_gbnf(object_only != 0, "root", &gbnf, nullptr), AL_OK);
    struct al_grammar *grammar = compile(al_buf_view(&gbnf));
    assert_true(matches(grammar, "{\"a\": [1, true, {\"b\":\"c\"}]}"));
    assert_true(matches(grammar, "{\n  \"a\": 1\n}"));
    assert_int_equal(matches(grammar, "[]"), object_only == 0);
    assert_false(matches(grammar, "{a:1}"));
    al_grammar_unref(grammar);
  }
}

static void survives_every_failed_allocation(void **)
{
  struct al_json_doc *schema =
      parse("{\"$defs\": {\"n\": {\"type\": \"number\", \"minimum\": 0.5}}, \"type\": "
            "\"object\", \"properties\": {\"a\": {\"$ref\": "
            "\"#/$defs/n\"}, \"b\": {\"oneOf\": [{\"enum\": [\"x\", {\"k\": 1}]}, {\"type\": \"array\", "
            "\"items\": {\"pattern\": \"^a+$\"}}]}}, "
            "\"additionalProperties\": {\"type\": \"integer\"}, \"maxProperties\": 3}");
  struct al_json_doc *value = parse("{\"a\": 1, \"b\": [\"aa\"], \"c\": 3}");
  AL_CLEANUP(al_buf_done) struct al_buf right = {};
  assert_int_equal(al_schema_to_gbnf(al_json_root(schema), "root", nullptr, &right, nullptr), AL_OK);
  bool whole = false;
  for (size_t n = 1; !whole; n++) {
    AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = al_schema_to_gbnf(al_json_root(schema), "root", nullptr, &gbnf, nullptr);
    enum al_code verdict =
        code == AL_OK ? al_schema_validate(al_json_root(schema), al_json_root(value), nullptr) : code;
    whole = al_alloc_fail_at(0) < n; /* none was left to fail */
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    if (code == AL_OK)
      assert_string_equal(gbnf.data, right.data);
    assert_true(!whole || verdict == AL_OK);
  }
  al_json_doc_free(schema);
  al_json_doc_free(value);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(admits_types),
    cmocka_unit_test(admits_values),
    cmocka_unit_test(bounds_integers),
    cmocka_unit_test(bounds_numbers),
    cmocka_unit_test(admits_objects),
    cmocka_unit_test(counts_members),
    cmocka_unit_test(admits_arrays),
    cmocka_unit_test(limits_strings),
    cmocka_unit_test(follows_references),
    cmocka_unit_test(free_whitespace_is_bounded),
    cmocka_unit_test(refuses_with_the_path),
    cmocka_unit_test(hostile_schemas_stay_small),
    cmocka_unit_test(names_where_a_value_is_wrong),
    cmocka_unit_test(any_json_is_a_grammar_too),
    cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
