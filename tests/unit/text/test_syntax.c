/* Each syntax as its models write it. kit_expect cuts every text in twenty ways. */
#include "syntax_kit.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(const char *syntax, const char *text, const char *expected)
{
  struct al_syntax_request request = kit_request();
  kit_expect(syntax, &request, text, expected);
}

static void found_by_template(void **)
{
  assert_string_equal(al_syntax_name(al_syntax_find(nullptr)), "hermes");
  assert_string_equal(al_syntax_name(al_syntax_find("{{ messages }}")), "plain");
  assert_false(al_syntax_has_tools(al_syntax_find("{{ messages }}")));
  assert_string_equal(al_syntax_name(al_syntax_find("{{ '<tool_call>' }}")), "hermes");
  assert_string_equal(al_syntax_name(al_syntax_find("<tool_call><function=a><parameter=b>")), "qwen3_coder");
  assert_string_equal(al_syntax_name(al_syntax_find("<tool_call><arg_key><arg_value>")), "glm");
  assert_string_equal(al_syntax_name(al_syntax_find("<|start|><|channel|> <tool_call>")), "harmony");
  assert_string_equal(al_syntax_name(al_syntax_find("<TOOLCALL>[ <tool_call>")), "nemotron");
  assert_string_equal(al_syntax_name(al_syntax_find("[gMASK]<sop><|observation|>")), "glm4");
  assert_string_equal(al_syntax_name(al_syntax_find("<|start_header_id|> {% if tools %}")), "llama3");
  assert_string_equal(al_syntax_name(al_syntax_find("<|start_header_id|>")), "plain");
  assert_true(al_syntax_has_tools(kit_syntax("mistral")));
}

static void plain_text(void **)
{
  expect("plain", "  Hello <tool_call> \n", "T(  Hello <tool_call> \n)");
  expect("plain", "", "");
  expect("plain_think", "<think>\nwell\n</think>\n\nYes.", "R(well)T(Yes.)");
  expect("plain_think", " \n<think>a < b </thin </think>c", "R(a < b </thin)T(c)");
  expect("plain_think", "<thinking>", "T(<thinking>)");
  expect("plain_think", "a <think>b</think>", "T(a <think>b</think>)");
  expect("plain_think", "<think>\n\n</think>\n\nYes", "T(Yes)");
  expect("plain_think", "<think>never closed </th", "R(never closed </th)");
  expect("plain_think", "<think>a</think><think>b</think>c", "R(ab)T(c)");
}

static void hermes(void **)
{
  expect("hermes", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, \"}\"]}}\n</tool_call>",
         "C0:f({\"a\": [1, \"}\"]})!");
  expect("hermes",
         "<think>\nI look.\n</think>\n\nSure.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n"
         "<tool_call>{\"name\":\"get_weather\",\"arguments\":{\"city\":\"K\\u00f6ln\"}}</tool_call>\n",
         "R(I look.)T(Sure.)C0:f({})!C1:get_weather({\"city\":\"K\\u00f6ln\"})!");
  expect("hermes", "<tool_call>{\"arguments\": {\"a\": 1}, \"name\": \"f\"}</tool_call>", "C0:f({\"a\": 1})!");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}</tool_call>", "C0:f({\"a\": 1})!");
  expect("hermes", "<tool_call>{\"name\": \"f\"}</tool_call> done", "C0:f({})!T(done)");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"x}\"}</tool_call>",
         "C0:f({\"a\": 1})!");
  expect("hermes", "<tool_call>[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"f\", \"arguments\": {\"b\": 2}}]",
         "C0:f({})!C1:f({\"b\": 2})!");
}

static void hermes_broken(void **)
{
  expect("hermes", "a <tool_call> b", "T(a <tool_call> b)");
  expect("hermes", "<tool_call>{\"name\": \"nobody\", \"arguments\": {}}</tool_call>",
         "T(<tool_call>{\"name\": \"nobody\", \"arguments\": {}}</tool_call>)");
  expect("hermes", "<tool_call>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}</tool_call>",
         "T(<tool_call>)C0:f({})!");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": [1, ", "C0:f({\"a\": [1, )?");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\"", "C0:f?");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": oops}}</tool_call>x",
         "C0:f({\"a\": oops})?T(x)");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}\n</tool_call>", "C0:f({\"a\": 1})!");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
         "T(<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>)");
  expect("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_call></tool_call>!", "C0:f({})!T(!)");
  expect("hermes", "x <tool_ca", "T(x <tool_ca)");
}

static void qwen3_coder(void **)
{
  expect("qwen3_coder",
         "Now.\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nK\xc3\xb6ln \"<b>\"\n\n</parameter>\n"
         "<parameter=days>\n3\n</parameter>\n<parameter=deep>\n{\"a\": [1]}\n</parameter>\n<parameter=ok>\nTrue\n"
         "</parameter>\n</function>\n</tool_call>",
         "T(Now.)C0:get_weather({\"city\": \"K\xc3\xb6ln \\\"<b>\\\"\\n\", \"days\": 3, \"deep\": {\"a\": [1]}, "
         "\"ok\": true})!");
  expect("qwen3_coder", "<function=f>\n</function>", "C0:f({})!");
  expect("qwen3_coder",
         "<tool_call>\n<function=f>\n<parameter=a>\n5\n</parameter>\n<parameter=b>\nfive\n</parameter>"
         "\n</function></tool_call>\n<tool_call><function=f></function></tool_call>",
         "C0:f({\"a\": 5, \"b\": \"five\"})!C1:f({})!");
  expect("qwen3_coder",
         "<function=get_weather><parameter=maybe>None</parameter><parameter=ref>7</parameter>"
         "<parameter=unit>null</parameter></tool_call>",
         "C0:get_weather({\"maybe\": null, \"ref\": \"7\", \"unit\": \"null\"})!");
  expect("qwen3_coder", "<function=get_weather>\n<parameter=city>\nRo", "C0:get_weather({\"city\": \"Ro)?");
  expect("qwen3_coder", "<function=get_weather>\noops\n</function>x", "C0:get_weather({)?T(oops\n</function>x)");
  expect("qwen3_coder", "<function=f>\n<parameter=a>\n{\"b\": \"</parameter>\"}\n</parameter>\n</function>",
         "C0:f({\"a\": {\"b\": \"</parameter>\"}})!");
  expect("qwen3_coder", "<function=f>\n<parameter=a>\n\"quoted\" and more\n</parameter>\n</function>",
         "C0:f({\"a\": \"\\\"quoted\\\" and more\"})!");
  expect("qwen3_coder",
         "<function=f>\n<parameter=a>\n{ broken\n</parameter>\n<parameter=b>\n[\"</parameter>\n</function>\nx",
         "C0:f({\"a\": \"{ broken\", \"b\": \"[\\\"\"})!T(x)");
  expect("qwen3_coder", "<function=f>\n<parameter=a>\n{ broken", "C0:f({\"a\": )?");
  expect("qwen3_coder", "<function=nobody>", "T(<function=nobody>)");
}

static void glm(void **)
{
  expect("glm",
         "<think>t</think>\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>\nA\n</arg_value>\n"
         "<arg_key>list</arg_key>\n<arg_value>[1, 2]</arg_value>\n</tool_call>\n<tool_call>f\n</tool_call>",
         "R(t)C0:get_weather({\"city\": \"\\nA\\n\", \"list\": [1, 2]})!C1:f({})!");
  expect("glm", "<tool_call>f<arg_key>k</arg_key><arg_value>true</arg_value></tool_call>", "C0:f({\"k\": true})!");
  expect("glm", "<tool_call>f<arg_key>k</arg_key>x</tool_call>", "C0:f({)?T(<arg_key>k</arg_key>x</tool_call>)");
  expect("glm4", "get_weather\n{\"city\": \"Rome\"}", "C0:get_weather({\"city\": \"Rome\"})!");
  expect("glm4", "get_weather is a function", "T(get_weather is a function)");
  expect("glm4", "\nf\n{}\n", "C0:f({})!");
}

static void harmony(void **)
{
  expect("harmony",
         "<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
         "<|constrain|>json<|message|>{\"a\": \"<|end|>\"}<|call|>",
         "R(Look it up.)C0:f({\"a\": \"<|end|>\"})!");
  expect("harmony",
         "<|channel|>commentary<|message|>Wait.<|end|><|start|>assistant to=functions.get_weather"
         "<|channel|>commentary json<|message|> {\"city\":\"B\"} <|call|>",
         "T(Wait.)C0:get_weather({\"city\":\"B\"})!");
  expect("harmony", "<|channel|>final<|message|>Hi < there<|return|>", "T(Hi < there)");
  expect("harmony", "Just text<|end|>", "T(Just text)");
  expect("harmony", " to the point", "T( to the point)");
  expect("harmony", "<|start|>assistant<|channel|>final<|message|>a", "T(a)");
  expect("harmony", " to=functions.f<|channel|>commentary json<|message|>{}", "C0:f({})!");
  expect("harmony", "<|channel|>commentary to=functions.nobody<|message|>{}<|call|>", "T({})");
  expect("harmony", "<|channel|>commentary to=functions.f<|message|><|call|>", "C0:f({})!");
  expect("harmony", "<|channel|>commentary to=functions.f<|message|>{\"a\": ", "C0:f({\"a\": )?");
  expect("harmony", "<|channel|>analysis<|message|>a<|channel|>final<|message|>b", "R(a)T(b)");
  expect("harmony", "<|channel|>fin", "");
}

static void lists(void **)
{
  expect("nemotron", "<TOOLCALL>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"f\"}]</TOOLCALL>",
         "C0:f({\"a\": 1})!C1:f({})!");
  expect("phi4", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]<|/tool_call|>", "C0:f({})!");
  expect("granite", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]", "C0:f({})!");
  expect("nemotron", "<TOOLCALL>[{\"name\": \"f\", \"arguments\": {}}, oops]</TOOLCALL>",
         "C0:f({})!T( oops]</TOOLCALL>)");
}

static void mistral(void **)
{
  expect("mistral", "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"123456789\"}]",
         "C0:f({\"a\": 1})!");
  expect("mistral", "[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]get_weather[CALL_ID]xyz[ARGS]{}",
         "C0:f({\"a\": 1})!C1:get_weather({})!");
  expect("mistral", "[TOOL_CALLS]f{\"a\": 1}", "C0:f({\"a\": 1})!");
  expect("mistral", "[TOOL_CALLS]nobody[ARGS]{}", "T([TOOL_CALLS]nobody[ARGS]{})");
  expect("mistral_think", "[THINK]a[/THINK]b", "R(a)T(b)");
}

static void llama3(void **)
{
  expect("llama3", "{\"name\": \"f\", \"parameters\": {\"a\": \"1\"}}", "C0:f({\"a\": \"1\"})!");
  expect("llama3", "<|python_tag|>{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}};", "C0:f({})!");
  expect("llama3", "{\"title\": \"f\"}", "T({\"title\": \"f\"})");
  expect("llama3", "Use {\"name\": \"f\", \"parameters\": {}}", "T(Use {\"name\": \"f\", \"parameters\": {}})");
}

static void deepseek(void **)
{
  expect("deepseek",
         "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": "
         "1}\n```<｜tool▁call▁end｜>\n"
         "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         "C0:f({\"a\": 1})!C1:f({})!");
}

static void requests(void **)
{
  struct al_syntax_request request = kit_request();
  request.choice = AL_TOOL_NONE;
  kit_expect("hermes", &request, "<think>a</think><tool_call>{\"name\": \"f\"}", "R(a)T(<tool_call>{\"name\": \"f\"})");
  request = kit_request();
  request.tools = nullptr;
  kit_expect("harmony", &request, "<|channel|>final<|message|>a<|return|>", "T(a)");
  request = kit_request();
  request.keeps_reasoning = true;
  kit_expect("hermes", &request, "<think>\na\n</think>\n\nb", "T(<think>\na\n</think>\n\nb)");
  kit_expect("harmony", &request,
             "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
             "T(<|channel|>analysis<|message|>a<|end|>b)");
  request = kit_request();
  request.parallel = false;
  kit_expect("hermes", &request, "<tool_call>{\"name\": \"f\"}</tool_call><tool_call>{\"name\": \"f\"}</tool_call> x",
             "C0:f({})!");
}

static void prompt_tails(void **)
{
  struct al_syntax_request request = kit_request();
  request.prompt_tail = al_str("<|im_start|>assistant\n<think>\n");
  kit_expect("hermes", &request, "a\n</think>\n\nb", "R(a)T(b)");
  kit_expect("hermes", &request, "<think>\na</think>b", "R(a)T(b)");
  kit_expect("hermes", &request, "a", "R(a)");
  request.prompt_tail = al_str("<|im_start|>assistant\n<think>\n\n</think>\n\n");
  kit_expect("hermes", &request, "b", "T(b)");
  request.prompt_tail = al_str("hi<|end|><|start|>assistant");
  kit_expect("harmony", &request, "<|channel|>analysis<|message|>a<|end|>", "R(a)");
  kit_expect("harmony", &request, " to=functions.f<|channel|>commentary<|message|>{}<|call|>", "C0:f({})!");
  request.prompt_tail = al_str("hi<|end|><|start|>assistant<|channel|>final<|message|>");
  kit_expect("harmony", &request, "a", "T(a)");
}

static void collect(void *user, const struct al_syntax_event *event)
{
  al_buf_add(user, event->text.data, event->text.size);
}

static struct al_syntax_parser *collecting(const char *syntax, const struct al_syntax_request *request,
                                           struct al_buf *out)
{
  struct al_syntax_parser *parser = nullptr;
  assert_int_equal(al_syntax_parser_new(kit_syntax(syntax), request, collect, out, &parser, nullptr), AL_OK);
  return parser;
}

static void gives(struct al_syntax_parser *parser, const char *text, struct al_buf *out, const char *expected)
{
  al_buf_clear(out);
  al_buf_str(out, "");
  assert_int_equal(al_syntax_parser_feed(parser, al_str(text), nullptr), AL_OK);
  assert_string_equal(out->data, expected);
}

static void tells_state(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_syntax_request request = kit_request();
  request.parallel = false;
  struct al_syntax_parser *parser = collecting("hermes", &request, &out);
  assert_false(al_syntax_parser_in_reasoning(parser));
  gives(parser, "<think>a", &out, "a");
  assert_true(al_syntax_parser_in_reasoning(parser));
  gives(parser, "</think>", &out, "");
  assert_false(al_syntax_parser_in_reasoning(parser));
  gives(parser, "<tool_call>{\"name\": \"f\", \"arguments\": {", &out, "f{");
  assert_false(al_syntax_parser_is_done(parser));
  gives(parser, "}", &out, "}");
  assert_true(al_syntax_parser_is_done(parser));
  gives(parser, "}</tool_call> and more", &out, "");
  al_syntax_parser_free(parser);
  al_syntax_parser_free(nullptr);
  parser = collecting("harmony", &request, &out);
  gives(parser, "<|channel|>analysis<|message|>a", &out, "a");
  assert_true(al_syntax_parser_in_reasoning(parser));
  al_syntax_parser_free(parser);
}

/* Only what may be the beginning of a marker waits, with the white space before it. */
static void holds_little_back(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_syntax_request request = kit_request();
  struct al_syntax_parser *parser = collecting("hermes", &request, &out);
  gives(parser, "Hello \n", &out, "Hello");
  gives(parser, "world <b", &out, " \nworld <b");
  gives(parser, "> <tool", &out, ">");
  gives(parser, "box> x", &out, " <toolbox> x");
  gives(parser, "<tool_call>{\"name\": \"f\", ", &out, "");
  gives(parser, "\"arguments\": {\"text\": \"</tool_", &out, "f{\"text\": \"</tool_");
  al_syntax_parser_free(parser);
  parser = collecting("qwen3_coder", &request, &out);
  gives(parser, "<function=get_weather>\n<parameter=city>\nKo", &out, "get_weather{\"city\": \"Ko");
  gives(parser, "eln\n", &out, "eln");
  gives(parser, "\n</para", &out, "\\n");
  al_syntax_parser_free(parser);
}

/* Long runs of what is held back stay bounded. */
static void long_runs(void **)
{
  char text[700] = {};
  char expected[700] = {};
  memset(text, ' ', 300);
  memcpy(text + 300, "<tool_call>{\"name\": \"f\"}", 25);
  memcpy(expected, "T(", 2);
  memset(expected + 2, ' ', 236);
  memcpy(expected + 238, ")C0:f({})!", 11);
  struct al_syntax_request request = kit_request();
  kit_expect("hermes", &request, text, expected);
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_syntax_parser *parser = collecting("hermes", &request, &out);
  gives(parser, "<tool_call>{\"junk\": \"", &out, "");
  for (size_t i = 0; i < 16384 / 32 && out.size == 0; i++)
    assert_int_equal(al_syntax_parser_feed(parser, al_str("0123456789abcdef0123456789abcdef"), nullptr), AL_OK);
  assert_true(out.size > 16000); /* no call: it came out as text */
  al_syntax_parser_free(parser);
}

static void memory_runs_out(void **)
{
  struct al_syntax_request request = kit_request();
  for (size_t n = 1; n < 60; n++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_syntax_parser *parser = nullptr;
    al_buf_room(&out, 4096);
    al_alloc_fail_at(n);
    enum al_code code = al_syntax_parser_new(kit_syntax("qwen3_coder"), &request, collect, &out, &parser, nullptr);
    if (code == AL_OK)
      code = al_syntax_parser_feed(parser,
                                   al_str("<function=get_weather><parameter=city>x</parameter><parameter=days>"
                                          "3</parameter></function>"),
                                   nullptr);
    al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    al_syntax_parser_free(parser);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(found_by_template),
    cmocka_unit_test(plain_text),
    cmocka_unit_test(hermes),
    cmocka_unit_test(hermes_broken),
    cmocka_unit_test(qwen3_coder),
    cmocka_unit_test(glm),
    cmocka_unit_test(harmony),
    cmocka_unit_test(lists),
    cmocka_unit_test(mistral),
    cmocka_unit_test(llama3),
    cmocka_unit_test(deepseek),
    cmocka_unit_test(requests),
    cmocka_unit_test(prompt_tails),
    cmocka_unit_test(tells_state),
    cmocka_unit_test(holds_little_back),
    cmocka_unit_test(long_runs),
    cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
