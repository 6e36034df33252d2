/* The grammars of tool calls: what they admit is what the parser reads as calls, with arguments valid for the schema.
 */
#include "syntax_kit.h"

#include "base/alloc.h"
#include "text/grammar.h"
#include "text/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const with_tools[] = { "hermes",  "qwen3_coder",   "glm",    "glm4", "harmony", "nemotron",
                                          "mistral", "mistral_think", "llama3", "phi4", "granite", "deepseek" };

static struct al_grammar *compile(const char *syntax, const struct al_syntax_request *request, bool *is_lazy)
{
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_err err = {};
  struct al_grammar *grammar = nullptr;
  if (al_syntax_grammar(kit_syntax(syntax), request, &gbnf, is_lazy, &err) != AL_OK)
    fail_msg("%s: %s", syntax, err.message);
  if (gbnf.size > 0 && al_grammar_compile(al_buf_view(&gbnf), &grammar, &err) != AL_OK)
    fail_msg("%s: %s\n%s", syntax, err.message, gbnf.data);
  return grammar;
}

static bool admits(const char *syntax, const struct al_syntax_request *request, const char *text)
{
  bool is_lazy = false;
  struct al_grammar *grammar = compile(syntax, request, &is_lazy);
  struct al_grammar_matcher *matcher = nullptr;
  assert_int_equal(al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr), AL_OK);
  bool fits = al_grammar_matcher_feed(matcher, al_str(text)) && al_grammar_matcher_may_end(matcher);
  al_grammar_matcher_free(matcher);
  al_grammar_unref(grammar);
  return fits;
}

static struct al_syntax_request required(void)
{
  struct al_syntax_request request = kit_request();
  request.choice = AL_TOOL_REQUIRED;
  return request;
}

static void holds_hermes(void **)
{
  struct al_syntax_request request = required();
  const char *call = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"K\"}}\n</tool_call>";
  assert_true(admits("hermes", &request, call));
  assert_true(admits("hermes", &request,
                     "<think>\nIs 1 < 2? </thin\n</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
                     "{\"any\": [1]}}\n</tool_call>\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>"));
  assert_false(admits("hermes", &request, "Hello"));
  assert_false(admits("hermes", &request, "<think>Hello</think>Hello"));
  assert_false(admits("hermes", &request, "<tool_call>{\"name\": \"nobody\", \"arguments\": {}}</tool_call>"));
  assert_false(admits("hermes", &request, "<tool_call>{\"name\": \"get_weather\", \"arguments\": {}}</tool_call>"));
  assert_false(
      admits("hermes", &request, "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": 5}}</tool_call>"));
  request.choice = AL_TOOL_FUNCTION;
  request.function = "f";
  assert_false(admits("hermes", &request, call));
  assert_true(admits("hermes", &request, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"));
  request.parallel = false;
  assert_false(admits("hermes", &request,
                      "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\n<tool_call>{\"name\": \"f\", "
                      "\"arguments\": {}}</tool_call>"));
}

static void holds_tags(void **)
{
  struct al_syntax_request request = required();
  assert_true(
      admits("qwen3_coder", &request,
             "<tool_call>\n<function=get_weather>\n<parameter=city>\n\"<b>\" </param\n</parameter>\n"
             "<parameter=days>\n3\n</parameter>\n<parameter=unit>\nc\n</parameter>\n</function>\n</tool_call>"));
  assert_false(admits("qwen3_coder", &request, "<tool_call>\n<function=get_weather>\n</function>\n</tool_call>"));
  assert_false(admits("qwen3_coder", &request,
                      "<tool_call>\n<function=get_weather>\n<parameter=city>\nx\n</parameter>\n<parameter=days>\n"
                      "three\n</parameter>\n</function>\n</tool_call>"));
  assert_false(admits("qwen3_coder", &request,
                      "<tool_call>\n<function=get_weather>\n<parameter=city>\nx\n</parameter>\n<parameter=unit>\n"
                      "k\n</parameter>\n</function>\n</tool_call>"));
  assert_true(admits("glm", &request,
                     "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>\n</arg_value>\n</tool_call>"));
}

static void holds_harmony(void **)
{
  struct al_syntax_request request = required();
  request.prompt_tail = al_str("<|start|>assistant");
  assert_true(admits("harmony", &request,
                     "<|channel|>analysis<|message|>Hm <| <|end|><|start|>assistant<|channel|>commentary "
                     "to=functions.f <|constrain|>json<|message|>{}"));
  assert_false(admits("harmony", &request, "<|channel|>final<|message|>Hello"));
  request.choice = AL_TOOL_NONE;
  request.answer_gbnf = "answer ::= \"yes\" | \"no\"";
  assert_true(admits("harmony", &request, "<|channel|>final<|message|>yes"));
  assert_true(admits("harmony", &request,
                     "<|channel|>analysis<|message|>?<|end|><|start|>assistant<|channel|>final<|message|>no"));
  assert_false(admits("harmony", &request, "<|channel|>final<|message|>maybe"));
}

static void holds_answers(void **)
{
  struct al_syntax_request request = kit_request();
  request.answer_gbnf = "answer ::= \"yes\" | \"no\"";
  assert_true(admits("hermes", &request, "<think>a</think>\n\nyes"));
  assert_true(admits("hermes", &request, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"));
  assert_false(admits("hermes", &request, "<think>a</think>perhaps"));
  request.tools = nullptr;
  assert_false(admits("hermes", &request, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"));
  assert_true(admits("plain", &request, "no"));
  assert_false(admits("plain", &request, "<think></think>no"));
  request.prompt_tail = al_str("<think>\n");
  assert_true(admits("hermes", &request, "a</think>yes"));
  assert_false(admits("hermes", &request, "yes"));
  request.prompt_tail = al_str("<think>\n\n</think>\n\n");
  assert_true(admits("hermes", &request, "yes"));
  assert_false(admits("hermes", &request, "<think>a</think>yes"));
}

static void is_lazy_or_nothing(void **)
{
  bool is_lazy = false;
  struct al_syntax_request request = kit_request();
  struct al_grammar *grammar = compile("hermes", &request, &is_lazy);
  assert_non_null(grammar);
  assert_true(is_lazy);
  al_grammar_unref(grammar);
  assert_true(admits("hermes", &request, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"));
  request.choice = AL_TOOL_NONE;
  assert_null(compile("hermes", &request, &is_lazy));
  assert_false(is_lazy);
  request = kit_request();
  assert_null(compile("plain", &request, &is_lazy));
}

static void refuses(const char *syntax, const char *parameters, const char *param)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_err err = {};
  bool is_lazy = false;
  al_buf_printf(&text,
                "[{\"type\": \"function\", \"function\": {\"name\": \"f\"}}, {\"type\": \"function\", "
                "\"function\": {\"name\": \"g\", \"parameters\": %s}}]",
                parameters);
  assert_int_equal(al_json_parse(al_buf_view(&text), &doc, nullptr), AL_OK);
  struct al_syntax_request request = { .tools = al_json_root(doc), .choice = AL_TOOL_REQUIRED };
  assert_int_equal(al_syntax_grammar(kit_syntax(syntax), &request, &gbnf, &is_lazy, &err), AL_UNSUPPORTED);
  assert_string_equal(err.param, param);
}

static void names_what_it_cannot_hold(void **)
{
  const char *pattern = "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"pattern\": \"^x\"}}}";
  refuses("qwen3_coder", pattern, "tools[1].function.parameters.properties.a.pattern");
  const char *lengths = "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"minLength\": 3, "
                        "\"maxLength\": 2}}}";
  refuses("glm", lengths, "tools[1].function.parameters.properties.a.minLength");
  refuses("glm", "{\"type\": \"object\", \"minProperties\": 2}", "tools[1].function.parameters.minProperties");
  struct al_syntax_request request = required();
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_err err = {};
  bool is_lazy = false;
  assert_int_equal(al_syntax_grammar(kit_syntax("plain"), &request, &gbnf, &is_lazy, &err), AL_UNSUPPORTED);
  assert_int_equal(gbnf.size, 0);
  request.tools = nullptr;
  assert_int_equal(al_syntax_grammar(kit_syntax("hermes"), &request, &gbnf, &is_lazy, &err), AL_INVALID_REQUEST);
}

/* Either it says so, or the grammar is what it always is. */
static void memory_runs_out(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf whole = {};
  struct al_syntax_request request = required();
  bool is_lazy = false, has_failed = true;
  assert_int_equal(al_syntax_grammar(kit_syntax("qwen3_coder"), &request, &whole, &is_lazy, nullptr), AL_OK);
  for (size_t n = 1; has_failed; n++) {
    AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = al_syntax_grammar(kit_syntax("qwen3_coder"), &request, &gbnf, &is_lazy, nullptr);
    has_failed = al_alloc_fail_at(0) >= n;
    if (code != AL_OOM_RAM)
      assert_true(code == AL_OK && al_str_eq(al_buf_view(&gbnf), al_buf_view(&whole)));
  }
}

/* --- what a grammar lets through -----------------------------------------------------------------------------------
 */

static uint32_t roll(uint32_t *state)
{
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static bool try_endings(struct al_grammar_matcher *matcher, uint32_t *state, struct al_buf *out)
{
  static const char *const endings[] = { "</think>", "[/THINK]", "</parameter>", "</arg_value>", "<|end|>", "\"",
                                         "}",        "]" };
  const char *ending = endings[roll(state) % AL_COUNT(endings)];
  if (!al_grammar_matcher_feed(matcher, al_str(ending)))
    return false;
  al_buf_str(out, ending);
  return true;
}

static bool try_byte(struct al_grammar_matcher *matcher, uint32_t *state, struct al_buf *out)
{
  for (int i = 0; i < 356; i++) {
    char c = (char)(i < 100 ? 32 + roll(state) % 95 : (uint32_t)(i - 100));
    if (al_grammar_matcher_feed(matcher, al_str_n(&c, 1))) {
      al_buf_char(out, c);
      return true;
    }
  }
  return false;
}

/* A random text of the grammar, of some length; false: it did not come to an end. */
static bool walk(struct al_grammar *grammar, uint32_t *state, struct al_buf *out)
{
  struct al_grammar_matcher *matcher = nullptr;
  assert_int_equal(al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr), AL_OK);
  bool moves = true;
  while (moves && out->size < 3000) {
    if (al_grammar_matcher_must_end(matcher) || (al_grammar_matcher_may_end(matcher) && roll(state) % 4 == 0))
      break;
    moves = (roll(state) % 4 == 0 && try_endings(matcher, state, out)) || try_byte(matcher, state, out);
  }
  bool ended = al_grammar_matcher_may_end(matcher);
  if (!moves && !ended)
    fail_msg("stuck: %s", out->data);
  al_grammar_matcher_free(matcher);
  return ended;
}

struct calls {
  struct al_buf name, arguments;
  const char *text; /* all of it */
  int n;
};

static void check_call(void *user, const struct al_syntax_event *event)
{
  struct calls *calls = user;
  if (event->kind == AL_SYNTAX_CALL_BEGIN) {
    al_buf_clear(&calls->name);
    al_buf_clear(&calls->arguments);
    al_buf_add(&calls->name, event->text.data, event->text.size);
  } else if (event->kind == AL_SYNTAX_CALL_DELTA) {
    al_buf_add(&calls->arguments, event->text.data, event->text.size);
  } else if (event->kind == AL_SYNTAX_TEXT) {
    fail_msg("text beside the call: \"%.*s\" in %s", (int)event->text.size, event->text.data, calls->text);
  } else if (event->kind == AL_SYNTAX_CALL_END) {
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    struct al_err err = {};
    enum al_code code = al_json_parse(al_buf_view(&calls->arguments), &doc, &err);
    bool is_twice = strstr(err.message, "stands twice") != nullptr; /* which no grammar can rule out */
    if (event->is_complete == is_twice || (code == AL_OK) == is_twice)
      fail_msg("%s: %s", calls->arguments.data, err.message);
    const struct al_json *tool = al_json_get(al_json_at(kit_tools(), 0), "function");
    if (!is_twice && al_str_is(al_buf_view(&calls->name), "get_weather") &&
        al_schema_validate(al_json_get(tool, "parameters"), al_json_root(doc), &err) != AL_OK)
      fail_msg("%s: %s", calls->arguments.data, err.message);
    calls->n++;
  }
}

static void parse_calls(const char *syntax, const struct al_syntax_request *request, const struct al_buf *text)
{
  struct calls calls = { .text = text->data };
  struct al_syntax_parser *parser = nullptr;
  assert_int_equal(al_syntax_parser_new(kit_syntax(syntax), request, check_call, &calls, &parser, nullptr), AL_OK);
  assert_int_equal(al_syntax_parser_feed(parser, al_buf_view(text), nullptr), AL_OK);
  assert_int_equal(al_syntax_parser_finish(parser, nullptr), AL_OK);
  if (calls.n == 0)
    fail_msg("%s: no call in %s", syntax, text->data);
  al_syntax_parser_free(parser);
  al_buf_done(&calls.name);
  al_buf_done(&calls.arguments);
}

static void lets_only_calls_through(void **)
{
  uint32_t state = 1;
  for (size_t i = 0; i < AL_COUNT(with_tools); i++) {
    bool is_lazy = false;
    int n_ended = 0;
    struct al_syntax_request request = required();
    struct al_grammar *grammar = compile(with_tools[i], &request, &is_lazy);
    for (int round = 0; round < 40; round++) {
      AL_CLEANUP(al_buf_done) struct al_buf text = {};
      if (!walk(grammar, &state, &text))
        continue;
      parse_calls(with_tools[i], &request, &text);
      n_ended++;
    }
    al_grammar_unref(grammar);
    if (n_ended < 10)
      fail_msg("%s: only %d walks came to an end", with_tools[i], n_ended);
  }
}

/* --- the trigger ----------------------------------------------------------------------------------------------------
 */

static void triggers(const char *syntax, const char *text, ptrdiff_t expected)
{
  struct al_syntax_request request = kit_request();
  size_t scanned = 0;
  ptrdiff_t at = -1;
  for (size_t n = 1; at < 0 && n <= strlen(text); n++)
    at = al_syntax_trigger(kit_syntax(syntax), &request, al_str_n(text, n), &scanned);
  if (at != expected)
    print_error("%s: %s\n", syntax, text);
  assert_int_equal(at, expected);
  scanned = 0;
  assert_int_equal(al_syntax_trigger(kit_syntax(syntax), &request, al_str(text), &scanned), expected);
}

static void finds_the_trigger(void **)
{
  triggers("hermes", "Let me see.\n<tool_call>\n{", 12);
  triggers("hermes", "<think><tool_call></think><tool_call>", 26);
  triggers("hermes", "<think><tool_call>", -1);
  triggers("hermes", "<tool_cal>", -1);
  triggers("qwen3_coder", "a<tool_call>", 1);
  triggers("mistral", "[TOOL_CALLS]f[ARGS]", 0);
  triggers("harmony",
           "<|channel|>analysis<|message|>to=functions.f<|end|><|start|>assistant<|channel|>commentary "
           "to=functions.f",
           91);
  triggers("harmony", " to=functions.f", 1);
  triggers("harmony", "<|channel|>final<|message|>to=functions.f", -1);
  triggers("llama3", " {\"name\": \"f\", ", 1);
  triggers("llama3", "<|python_tag|>{\"name\": \"f\", ", 14);
  triggers("llama3", "{\"name\": \"Bob\", ", -1);
  triggers("llama3", "Call {\"name\": \"f\", ", -1);
  triggers("glm4", "f\n{", 0);
  triggers("glm4", "f\nis", -1);
  triggers("plain", "<tool_call>", -1);
}

static void keeps_control_tokens(void **)
{
  assert_true(al_syntax_keeps_control(kit_syntax("harmony"), al_str("<|constrain|>")));
  assert_true(al_syntax_keeps_control(kit_syntax("harmony"), al_str("<|end|>")));
  assert_true(al_syntax_keeps_control(kit_syntax("mistral"), al_str("[ARGS]")));
  assert_true(al_syntax_keeps_control(kit_syntax("hermes"), al_str("</think>")));
  assert_true(al_syntax_keeps_control(kit_syntax("deepseek"), al_str("<｜tool▁sep｜>")));
  assert_false(al_syntax_keeps_control(kit_syntax("hermes"), al_str("<|im_end|>")));
  assert_false(al_syntax_keeps_control(kit_syntax("llama3"), al_str("<|eot_id|>")));
  assert_false(al_syntax_keeps_control(kit_syntax("glm4"), al_str("<|observation|>")));
  assert_false(al_syntax_keeps_control(kit_syntax("hermes"), al_str("")));
  assert_false(al_syntax_keeps_control(kit_syntax("plain"), al_str("<think>")));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(holds_hermes),
    cmocka_unit_test(holds_tags),
    cmocka_unit_test(holds_harmony),
    cmocka_unit_test(holds_answers),
    cmocka_unit_test(is_lazy_or_nothing),
    cmocka_unit_test(names_what_it_cannot_hold),
    cmocka_unit_test(lets_only_calls_through),
    cmocka_unit_test(finds_the_trigger),
    cmocka_unit_test(keeps_control_tokens),
    cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
