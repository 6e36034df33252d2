/* Tools, tool_choice and response formats: what reaches the engine, and what is refused by which name. */
#include "stand_in.h"

#include "api/format.h"
#include "api/tools.h"
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
  struct al_arena *arena;
  struct al_api_text_params params;
  struct al_json_doc *doc;
  struct al_err err;
  enum al_code code;
};

static void init(struct fixture *f, const char *json)
{
  *f = (struct fixture){ .arena = al_arena_new(1 << 20) };
  al_api_text_params_init(&f->params, f->arena);
  assert_int_equal(al_json_parse(al_str(json), &f->doc, &f->err), AL_OK);
}

static void done(struct fixture *f)
{
  al_json_doc_free(f->doc);
  al_arena_free(f->arena);
}

/* {"tools": ..., "tool_choice": ...} */
static void read_tools(struct fixture *f, const char *json, enum al_api_tool_form form)
{
  init(f, json);
  const struct al_json *root = al_json_root(f->doc);
  f->code = al_api_tools_read(al_json_get(root, "tools"), al_json_get(root, "tool_choice"), form, &f->params, &f->err);
}

static void read_format(struct fixture *f, const char *json, enum al_api_format_form form)
{
  init(f, json);
  f->code = al_api_format_read(al_json_root(f->doc), "response_format", form, &f->params, &f->err);
}

static void assert_tools(const struct fixture *f, const char *expected)
{
  if (f->code != AL_OK)
    fail_msg("%s", f->err.message);
  assert_int_equal(f->params.tools.size, strlen(expected));
  if (f->params.tools.size > 0)
    assert_memory_equal(f->params.tools.data, expected, strlen(expected));
}

#define CHAT(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"
#define FLAT(name) "{\"type\":\"function\",\"name\":\"" name "\",\"parameters\":{\"type\":\"object\"},\"strict\":true}"
#define CLAUDE(name) "{\"name\":\"" name "\",\"input_schema\":{\"type\":\"object\"}}"

/* --- what is honoured -------------------------------------------------------------------------------------------- */

static void every_form_becomes_one(void **state)
{
  (void)state;
  struct fixture f;
  read_tools(&f,
             "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a.b-c_1\",\"description\":\"d\","
             "\"parameters\":{\"type\":\"object\"}}}]}",
             AL_API_TOOLS_CHAT);
  assert_tools(&f, "[{\"type\":\"function\",\"function\":{\"name\":\"a.b-c_1\",\"description\":\"d\","
                   "\"parameters\":{\"type\":\"object\"}}}]");
  done(&f);
  read_tools(&f, "{\"tools\":[" FLAT("a") "]}", AL_API_TOOLS_RESPONSES);
  assert_tools(&f, "[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{\"type\":\"object\"},"
                   "\"strict\":true}}]");
  done(&f);
  read_tools(&f,
             "{\"tools\":[{\"type\":\"custom\",\"name\":\"a\",\"description\":\"d\",\"input_schema\":"
             "{\"type\":\"object\"},\"cache_control\":{\"type\":\"ephemeral\"}}]}",
             AL_API_TOOLS_ANTHROPIC);
  assert_tools(&f, "[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":\"d\","
                   "\"parameters\":{\"type\":\"object\"}}}]");
  done(&f);
}

static void null_is_not_written_down(void **state)
{
  (void)state;
  struct fixture f;
  read_tools(&f,
             "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":null,"
             "\"parameters\":null,\"strict\":null}}]}",
             AL_API_TOOLS_CHAT);
  assert_tools(&f, "[{\"type\":\"function\",\"function\":{\"name\":\"a\"}}]");
  done(&f);
  read_tools(&f, "{\"tools\":null,\"tool_choice\":null}", AL_API_TOOLS_CHAT);
  assert_tools(&f, "");
  assert_int_equal(f.params.tool_choice, AL_TOOL_AUTO);
  done(&f);
}

static void tools_that_are_no_functions_are_never_called(void **state)
{
  (void)state;
  struct fixture f;
  read_tools(&f, "{\"tools\":[{\"type\":\"web_search\",\"x\":[1]},{\"type\":\"from_the_future\"}]}",
             AL_API_TOOLS_RESPONSES);
  assert_tools(&f, "");
  done(&f);
  read_tools(&f, "{\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}," CLAUDE("a") "]}",
             AL_API_TOOLS_ANTHROPIC);
  assert_tools(&f, "[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{\"type\":\"object\"}}}]");
  done(&f);
}

static void choices_arrive(void **state)
{
  (void)state;
  static const struct {
    const char *choice;
    enum al_api_tool_form form;
    enum al_tool_choice kind;
    const char *function;
    bool one_call;
  } cases[] = {
    { "\"auto\"", AL_API_TOOLS_CHAT, AL_TOOL_AUTO, nullptr, false },
    { "\"none\"", AL_API_TOOLS_CHAT, AL_TOOL_NONE, nullptr, false },
    { "\"required\"", AL_API_TOOLS_CHAT, AL_TOOL_REQUIRED, nullptr, false },
    { CHAT("b"), AL_API_TOOLS_CHAT, AL_TOOL_FUNCTION, "b", false },
    { "{\"type\":\"function\",\"name\":\"b\"}", AL_API_TOOLS_RESPONSES, AL_TOOL_FUNCTION, "b", false },
    { "{\"type\":\"auto\"}", AL_API_TOOLS_ANTHROPIC, AL_TOOL_AUTO, nullptr, false },
    { "{\"type\":\"any\",\"disable_parallel_tool_use\":true}", AL_API_TOOLS_ANTHROPIC, AL_TOOL_REQUIRED, nullptr,
      true },
    { "{\"type\":\"none\"}", AL_API_TOOLS_ANTHROPIC, AL_TOOL_NONE, nullptr, false },
    { "{\"type\":\"tool\",\"name\":\"b\"}", AL_API_TOOLS_ANTHROPIC, AL_TOOL_FUNCTION, "b", false },
  };
  static const char *const tools[] = {
    [AL_API_TOOLS_CHAT] = CHAT("a") "," CHAT("b"),
    [AL_API_TOOLS_RESPONSES] = FLAT("a") "," FLAT("b"),
    [AL_API_TOOLS_ANTHROPIC] = CLAUDE("a") "," CLAUDE("b"),
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    char json[512];
    (void)snprintf(json, sizeof json, "{\"tools\":[%s],\"tool_choice\":%s}", tools[cases[i].form], cases[i].choice);
    read_tools(&f, json, cases[i].form);
    if (f.code != AL_OK)
      fail_msg("%s: %s", cases[i].choice, f.err.message);
    assert_int_equal(f.params.tool_choice, cases[i].kind);
    assert_true(al_streq(f.params.tool_function, cases[i].function));
    assert_int_equal(f.params.parallel_tool_calls, !cases[i].one_call);
    done(&f);
  }
}

static void allowed_tools_hide_the_others(void **state)
{
  (void)state;
  struct fixture f;
  read_tools(
      &f,
      "{\"tools\":[" CHAT("a") "," CHAT("b") "," CHAT("c") "],\"tool_choice\":{\"type\":\"allowed_tools\","
                                                           "\"allowed_tools\":{\"mode\":\"required\",\"tools\":[" CHAT(
                                                               "c") "," CHAT("a") "," CHAT("c") "]}}}",
      AL_API_TOOLS_CHAT);
  assert_tools(&f, "[" CHAT("c") "," CHAT("a") "]");
  assert_int_equal(f.params.tool_choice, AL_TOOL_REQUIRED);
  done(&f);
  read_tools(&f,
             "{\"tools\":[" FLAT("a") "," FLAT("b") "],\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\","
                                                    "\"tools\":[{\"type\":\"web_search\"}]}}",
             AL_API_TOOLS_RESPONSES);
  assert_tools(&f, "");
  assert_int_equal(f.params.tool_choice, AL_TOOL_AUTO);
  done(&f);
}

static void formats_arrive(void **state)
{
  (void)state;
  static const struct {
    const char *json;
    enum al_api_format_form form;
    enum al_text_format format;
    const char *path;
  } cases[] = {
    { "{\"type\":\"text\"}", AL_API_FORMAT_CHAT, AL_FORMAT_TEXT, nullptr },
    { "{\"type\":\"json_object\"}", AL_API_FORMAT_CHAT, AL_FORMAT_JSON_OBJECT, "response_format" },
    { "{\"type\":\"json_object\",\"schema\":{}}", AL_API_FORMAT_CHAT, AL_FORMAT_JSON_SCHEMA, "response_format.schema" },
    { "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"description\":\"d\",\"schema\":{},\"strict\":true}}",
      AL_API_FORMAT_CHAT, AL_FORMAT_JSON_SCHEMA, "response_format.json_schema.schema" },
    { "{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{},\"strict\":null}", AL_API_FORMAT_RESPONSES,
      AL_FORMAT_JSON_SCHEMA, "response_format.schema" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    read_format(&f, cases[i].json, cases[i].form);
    if (f.code != AL_OK)
      fail_msg("%s: %s", cases[i].json, f.err.message);
    assert_int_equal(f.params.format, cases[i].format);
    assert_true(al_streq(f.params.format_path, cases[i].path));
    assert_int_equal(f.params.schema != nullptr, cases[i].format == AL_FORMAT_JSON_SCHEMA);
    done(&f);
  }
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

struct refusal {
  const char *json;
  enum al_api_tool_form form;
  const char *param;
};

#define NAMED(name)    "{\"tools\":[" CHAT(name) "]}"
#define CHOICE(choice) "{\"tools\":[" CHAT("a") "],\"tool_choice\":" choice "}"
#define ALLOWED(inner) CHOICE("{\"type\":\"allowed_tools\",\"allowed_tools\":" inner "}")

static const struct refusal refusals[] = {
  { "{\"tools\":{}}", AL_API_TOOLS_CHAT, "tools" },
  { "{\"tools\":[1]}", AL_API_TOOLS_CHAT, "tools[0]" },
  { "{\"tools\":[{}]}", AL_API_TOOLS_CHAT, "tools[0].type" },
  { "{\"tools\":[{\"type\":1}]}", AL_API_TOOLS_CHAT, "tools[0].type" },
  { "{\"tools\":[{\"type\":\"\"}]}", AL_API_TOOLS_CHAT, "tools[0].type" },
  { "{\"tools\":[{\"type\":\"function\"}]}", AL_API_TOOLS_CHAT, "tools[0].function" },
  { "{\"tools\":[{\"type\":\"function\",\"name\":\"a\"}]}", AL_API_TOOLS_CHAT, "tools[0].name" },
  { "{\"tools\":[{\"type\":\"function\",\"function\":{}}]}", AL_API_TOOLS_CHAT, "tools[0].function.name" },
  { "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":1}}]}", AL_API_TOOLS_CHAT, "tools[0].function.name" },
  { NAMED(""), AL_API_TOOLS_CHAT, "tools[0].function.name" },
  { NAMED("a b"), AL_API_TOOLS_CHAT, "tools[0].function.name" },
  { NAMED("\xc3\xa4"), AL_API_TOOLS_CHAT, "tools[0].function.name" },
  { NAMED("<tool>"), AL_API_TOOLS_CHAT, "tools[0].function.name" },
  { "{\"tools\":[" CHAT("a") "," CHAT("a") "]}", AL_API_TOOLS_CHAT, "tools[1].function.name" },
  { "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":[]}}]}", AL_API_TOOLS_CHAT,
    "tools[0].function.parameters" },
  { "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"description\":1}}]}", AL_API_TOOLS_CHAT,
    "tools[0].function.description" },
  { "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"strict\":\"yes\"}}]}", AL_API_TOOLS_CHAT,
    "tools[0].function.strict" },
  { "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"extra\":1}}]}", AL_API_TOOLS_CHAT,
    "tools[0].function.extra" },
  { "{\"tools\":[{\"type\":\"function\",\"parameters\":{}}]}", AL_API_TOOLS_RESPONSES, "tools[0].name" },
  { "{\"tools\":[{\"name\":\"a\"}]}", AL_API_TOOLS_RESPONSES, "tools[0].type" },
  { "{\"tools\":[{\"name\":\"a\"}]}", AL_API_TOOLS_ANTHROPIC, "tools[0].input_schema" },
  { "{\"tools\":[{\"input_schema\":{}}]}", AL_API_TOOLS_ANTHROPIC, "tools[0].name" },
  { CHOICE("1"), AL_API_TOOLS_CHAT, "tool_choice" },
  { CHOICE("\"any\""), AL_API_TOOLS_CHAT, "tool_choice" },
  { CHOICE("{}"), AL_API_TOOLS_CHAT, "tool_choice.type" },
  { CHOICE("{\"type\":\"function\"}"), AL_API_TOOLS_CHAT, "tool_choice.function" },
  { CHOICE("{\"type\":\"function\",\"function\":{}}"), AL_API_TOOLS_CHAT, "tool_choice.function.name" },
  { CHOICE("{\"type\":\"function\",\"name\":\"a\"}"), AL_API_TOOLS_CHAT, "tool_choice.name" },
  { CHOICE("{\"type\":\"web_search\"}"), AL_API_TOOLS_CHAT, "tool_choice.type" },
  { CHOICE(CHAT("b")), AL_API_TOOLS_CHAT, "tool_choice" },
  { ALLOWED("1"), AL_API_TOOLS_CHAT, "tool_choice.allowed_tools" },
  { ALLOWED("{\"mode\":\"some\",\"tools\":[]}"), AL_API_TOOLS_CHAT, "tool_choice.allowed_tools.mode" },
  { ALLOWED("{\"mode\":\"auto\"}"), AL_API_TOOLS_CHAT, "tool_choice.allowed_tools.tools" },
  { ALLOWED("{\"mode\":\"auto\",\"tools\":[1]}"), AL_API_TOOLS_CHAT, "tool_choice.allowed_tools.tools[0]" },
  { ALLOWED("{\"mode\":\"auto\",\"tools\":[" CHAT("b") "]}"), AL_API_TOOLS_CHAT, "tool_choice.allowed_tools.tools[0]" },
  { ALLOWED("{\"mode\":\"required\",\"tools\":[]}"), AL_API_TOOLS_CHAT, "tool_choice" },
  { "{\"tool_choice\":\"required\"}", AL_API_TOOLS_CHAT, "tool_choice" },
  { "{\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"required\"}", AL_API_TOOLS_RESPONSES, "tool_choice" },
  { "{\"tool_choice\":\"auto\"}", AL_API_TOOLS_ANTHROPIC, "tool_choice" },
  { "{\"tool_choice\":{\"type\":\"some\"}}", AL_API_TOOLS_ANTHROPIC, "tool_choice.type" },
  { "{\"tool_choice\":{\"type\":\"tool\"}}", AL_API_TOOLS_ANTHROPIC, "tool_choice.name" },
  { "{\"tool_choice\":{\"type\":\"auto\",\"name\":\"a\"}}", AL_API_TOOLS_ANTHROPIC, "tool_choice.name" },
};

static void each_wrong_tool_is_named(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(refusals); i++) {
    struct fixture f;
    read_tools(&f, refusals[i].json, refusals[i].form);
    if (f.code == AL_OK)
      fail_msg("%s was taken", refusals[i].json);
    if (strcmp(f.err.param, refusals[i].param) != 0)
      fail_msg("%s: '%s' was named: %s", refusals[i].json, f.err.param, f.err.message);
    done(&f);
  }
}

static void a_name_may_be_128_long(void **state)
{
  (void)state;
  for (int length = 128; length <= 129; length++) {
    struct fixture f;
    char name[130], json[256];
    memset(name, 'n', (size_t)length);
    name[length] = '\0';
    (void)snprintf(json, sizeof json, "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"%s\"}}]}", name);
    read_tools(&f, json, AL_API_TOOLS_CHAT);
    assert_int_equal(f.code, length == 128 ? AL_OK : AL_INVALID_REQUEST);
    done(&f);
  }
}

static void each_wrong_format_is_named(void **state)
{
  (void)state;
  static const struct {
    const char *json;
    enum al_api_format_form form;
    const char *param;
  } cases[] = {
    { "1", AL_API_FORMAT_CHAT, "response_format" },
    { "{}", AL_API_FORMAT_CHAT, "response_format.type" },
    { "{\"type\":\"xml\"}", AL_API_FORMAT_CHAT, "response_format.type" },
    { "{\"type\":\"grammar\",\"grammar\":\"x\"}", AL_API_FORMAT_CHAT, "response_format.type" },
    { "{\"type\":\"text\",\"schema\":{}}", AL_API_FORMAT_CHAT, "response_format.schema" },
    { "{\"type\":\"json_object\",\"schema\":{}}", AL_API_FORMAT_RESPONSES, "response_format.schema" },
    { "{\"type\":\"json_schema\"}", AL_API_FORMAT_CHAT, "response_format.json_schema" },
    { "{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}", AL_API_FORMAT_CHAT,
      "response_format.json_schema.name" },
    { "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\"}}", AL_API_FORMAT_CHAT,
      "response_format.json_schema.schema" },
    { "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":[]}}", AL_API_FORMAT_CHAT,
      "response_format.json_schema.schema" },
    { "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{},\"x\":1}}", AL_API_FORMAT_CHAT,
      "response_format.json_schema.x" },
    { "{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{},\"strict\":1}", AL_API_FORMAT_RESPONSES,
      "response_format.strict" },
    { "{\"type\":\"json_schema\",\"json_schema\":{}}", AL_API_FORMAT_RESPONSES, "response_format.json_schema" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    read_format(&f, cases[i].json, cases[i].form);
    assert_int_not_equal(f.code, AL_OK);
    assert_string_equal(f.err.param, cases[i].param);
    done(&f);
  }
}

/* --- through the endpoint ---------------------------------------------------------------------------------------- */

#define MESSAGES "\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void chat(const char *body, int status, const char *param)
{
  submitted_clear();
  struct al_api *api = make_api(nullptr);
  struct al_http_exchange exchange;
  exchange_init(&exchange, body);
  al_api_chat(&exchange, api);
  assert_int_equal(exchange.status, status);
  if (status != 0) {
    struct al_json_doc *doc = sent_json(&exchange);
    assert_string_equal(json_text(doc, "error.param"), param);
    al_json_doc_free(doc);
  } else {
    assert_int_equal(submitted.count, 1);
    play_done(AL_FINISH_STOP, 0);
  }
  exchange_done(&exchange);
  al_api_free(api);
}

static void an_answer_has_one_form(void **state)
{
  (void)state;
  chat("{" MESSAGES ",\"grammar\":\"root ::= \\\"a\\\"\"}", 0, nullptr);
  assert_int_equal(submitted.request.format, AL_FORMAT_GRAMMAR);
  assert_int_equal(submitted.request.grammar.size, 12);
  chat("{" MESSAGES ",\"json_schema\":{\"type\":\"string\"}}", 0, nullptr);
  assert_int_equal(submitted.request.format, AL_FORMAT_JSON_SCHEMA);
  chat("{" MESSAGES ",\"grammar\":\"\",\"response_format\":{\"type\":\"json_object\"}}", 0, nullptr);
  assert_int_equal(submitted.request.format, AL_FORMAT_JSON_OBJECT);
  chat("{" MESSAGES ",\"response_format\":{\"type\":\"json_object\"},\"grammar\":\"root ::= \\\"a\\\"\"}", 400,
       "grammar");
  chat("{" MESSAGES ",\"grammar\":\"x\",\"response_format\":{\"type\":\"json_object\"}}", 400, "response_format");
  chat("{" MESSAGES ",\"grammar\":1}", 400, "grammar");
  submitted_clear();
}

static void the_template_sees_the_tools(void **state)
{
  (void)state;
  chat("{" MESSAGES ",\"tools\":[" CHAT("a") ",{\"type\":\"custom\",\"custom\":{}}],\"tool_choice\":" CHAT(
           "a") ",\"parallel_tool_calls\":false}",
       0, nullptr);
  assert_string_equal(submitted.chat,
                      "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[" CHAT("a") "]}");
  assert_int_equal(submitted.request.tool_choice, AL_TOOL_FUNCTION);
  assert_false(submitted.request.parallel_tool_calls);
  submitted_clear();
}

static void memory_may_run_out(void **state)
{
  (void)state;
  bool worked = false;
  for (size_t n = 1; !worked; n++) {
    struct fixture f;
    init(&f, "{\"tools\":[" CHAT("a") "," CHAT("b") "],\"tool_choice\":" CHAT("b") "}");
    const struct al_json *root = al_json_root(f.doc);
    (void)al_alloc_fail_at(n);
    f.code = al_api_tools_read(al_json_get(root, "tools"), al_json_get(root, "tool_choice"), AL_API_TOOLS_CHAT,
                               &f.params, &f.err);
    worked = al_alloc_fail_at(0) < n;
    assert_int_equal(f.code, worked ? AL_OK : AL_OOM_RAM);
    done(&f);
    assert_true(n < 50);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_form_becomes_one),
    cmocka_unit_test(null_is_not_written_down),
    cmocka_unit_test(tools_that_are_no_functions_are_never_called),
    cmocka_unit_test(choices_arrive),
    cmocka_unit_test(allowed_tools_hide_the_others),
    cmocka_unit_test(formats_arrive),
    cmocka_unit_test(each_wrong_tool_is_named),
    cmocka_unit_test(a_name_may_be_128_long),
    cmocka_unit_test(each_wrong_format_is_named),
    cmocka_unit_test(an_answer_has_one_form),
    cmocka_unit_test(the_template_sees_the_tools),
    cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
