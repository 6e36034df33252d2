#include "text/template.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char chat[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \" "
    "H\xc3\xa9llo \"},"
    " {\"role\": \"assistant\", \"content\": \"<think>\\nhm\\n</think>\\n\\nHi\"}], \"bos_token\": \"<s>\","
    " \"add_generation_prompt\": true, \"n\": 3, \"f\": 2.0, \"nil\": null,"
    " \"tools\": [{\"name\": \"a\", \"parameters\": {\"x\": [1, 2.5, null, true, \"\\u00e9\\\"\"]}}]}";

static enum al_code render_with(const char *source, const char *vars, const struct al_template_limits *limits,
                                struct al_buf *out, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(al_str(vars), &doc, err));
  struct al_template *compiled = nullptr;
  AL_TRY(al_template_compile(al_str(source), &compiled, err));
  const struct al_json *root = al_json_root(doc);
  enum al_code code = al_template_render(compiled, &(struct al_template_vars){ &root, 1 }, limits, out, err);
  al_template_free(compiled);
  return code;
}

static void renders(const char *source, const char *expected)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_err err = {};
  if (render_with(source, chat, nullptr, &out, &err) != AL_OK)
    fail_msg("%s: %s", source, err.message);
  assert_string_equal(out.data != nullptr ? out.data : "", expected);
}

static void fails(const char *source, enum al_code code, const char *part_of_message)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_err err = {};
  struct al_template_limits tight = { .max_output_bytes = 1 << 20, .max_steps = 500'000, .max_memory_bytes = 64 << 20 };
  al_buf_str(&out, "before");
  assert_int_equal(render_with(source, chat, &tight, &out, &err), code);
  if (strstr(err.message, part_of_message) == nullptr)
    fail_msg("%s: \"%s\" is not in \"%s\"", source, part_of_message, err.message);
  assert_string_equal(out.data, "before");
}

static void default_is_chatml(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf tools = {};
  assert_int_equal(
      render_with(
          al_template_default(),
          "{\"tools\": [{\"name\": \"f\"}], \"messages\": [{\"role\": \"user\", \"content\": \"Q\"}, {\"role\": "
          "\"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"a\": "
          "1}}}, {\"function\": {\"name\": \"f\", \"arguments\": \"{}\"}}]}, {\"role\": \"tool\", \"content\": "
          "\"R\"}]}",
          nullptr, &tools, nullptr),
      AL_OK);
  const char *behind = strstr(tools.data, "<|im_start|>user");
  assert_non_null(strstr(tools.data, "<tools>\n{\"name\": \"f\"}\n</tools>"));
  assert_string_equal(behind != nullptr ? behind : "",
                      "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"f\", "
                      "\"arguments\": {\"a\": 1}}\n</tool_call>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n"
                      "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nR\n</tool_response><|im_end|>\n");
  AL_CLEANUP(al_buf_done) struct al_buf plain = {};
  al_buf_str(&plain, "{% set tools = none %}");
  al_buf_str(&plain, al_template_default());
  renders(plain.data, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n H\xc3\xa9llo <|im_end|>\n"
                      "<|im_start|>assistant\n<think>\nhm\n</think>\n\nHi<|im_end|>\n<|im_start|>assistant\n");
}

static void renders_a_llama_header(void **)
{
  renders("{{- bos_token }}{% for m in messages[1:] %}{{ '<|h|>' ~ m.role ~ '<|e|>\\n\\n' ~ m['content']|trim ~ "
          "'<|eot|>' }}"
          "{% endfor %}{% if tools is defined and tools is not none %}{{ tools[0]|tojson(indent=2) }}{% endif %}",
          "<s><|h|>user<|e|>\n\nH\xc3\xa9llo<|eot|><|h|>assistant<|e|>\n\n<think>\nhm\n</think>\n\nHi<|eot|>"
          "{\n  \"name\": \"a\",\n  \"parameters\": {\n    \"x\": [\n      1,\n      2.5,\n      null,\n      true,\n"
          "      \"\xc3\xa9\\\"\"\n    ]\n  }\n}");
}

static void renders_a_qwen_history(void **)
{
  renders("{%- set ns = namespace(last=0) %}{% for m in messages[::-1] %}{% if m.role == 'user' and not ns.last %}"
          "{% set ns.last = messages|length - loop.index %}{% endif %}{% endfor %}{{ ns.last }}"
          "{% for m in messages %}{% set c = m.content.split('</think>')[-1].lstrip('\\n') %}"
          "{{ loop.index0 }}{{ '*' if loop.index0 > ns.last }}{{ c }}{{ '' if loop.last else '|' }}{% endfor %}",
          "10Be brief.|1 H\xc3\xa9llo |2*Hi");
}

static void controls_white_space(void **)
{
  renders("  {% if true %}\n  a\n  {% endif %}\nb\n", "  a\nb");
  renders("a  {%- if true -%}  b  {%- endif -%}  c", "abc");
  renders("x\n  {%+ if true +%}\n y{% endif %}", "x\n  \n y");
  renders("{% raw %}{{ x }}{% endraw %}{# gone #}", "{{ x }}");
}

static void prints_as_python(void **)
{
  renders("{{ [1, 'it\\'s', none, true, 1e16, 0.1, (2,)] }}", "[1, \"it's\", None, True, 1e+16, 0.1, (2,)]");
  renders("{{ f }}{{ n / 2 }}{{ 7 // -2 }}{{ -7 % 3 }}{{ nil }}{{ missing }}", "2.01.5-42None");
  renders("{{ 'H\xc3\xa9'|length }}{{ 'H\xc3\xa9llo'[::-1] }}{{ {'a': {'b': 1}} }}", "2oll\xc3\xa9H{'a': {'b': 1}}");
}

static void scopes_as_jinja(void **)
{
  renders("{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "231");
  renders("{% macro m(a, b=a) %}{{ a }}{{ b }}{{ x }}{% endmacro %}{% set x = 9 %}{{ m(1) }}{{ m(b=2, a=3) }}",
          "119329");
  renders("{% set a, b = 'x', [1] %}{% set t %}[{{ a }}]{% endset %}{{ t }}{{ b }}", "[x][1]");
}

/* What the top level assigns before it reads it is its own, even where the assignment has not run. */
static void hides_what_it_assigns(void **)
{
  renders("{% for i in [1] %}{{ n }}{% endfor %}{% set n = 2 %}{{ n }}", "2");
  renders("{% for i in [1] %}{{ n }}{% endfor %}{% if nil %}{% set n = 2 %}{% endif %}{{ n }}", "33");
  renders("{{ n }}{% for i in [1] %}{{ n }}{% endfor %}{% set n = 2 %}", "33");
  renders("{% block a %}{{ n }}{% endblock %}{% set n = 2 %}", "3");
}

static void has_rare_features(void **)
{
  renders("{% block a %}1{% endblock a %}{% autoescape false %}{{ '<' }}{% endautoescape %}", "1<");
  renders("{% set j = joiner('; ') %}{% for i in [1, 2] %}{{ j() }}{{ i }}{% endfor %}", "1; 2");
  renders("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}", "aba");
  renders("{{ 'a b/\xc3\xa4' | urlencode }}{{ {'k': '<'} | xmlattr }}{{ 1500 | filesizeformat }}",
          "a%20b/%C3%A4 k=\"&lt;\"1.5 kB");
  renders("{{ '<p>a <i>b</i></p>' | striptags }}{{ ['x'] | pprint }}", "a b['x']");
  fails("{% block a %}{% endblock %}{% block a %}{% endblock %}", AL_INVALID_REQUEST, "same name");
  fails("{% autoescape true %}{% endautoescape %}", AL_UNSUPPORTED, "escaping");
  fails("{% extends 'x' %}", AL_UNSUPPORTED, "extends");
  fails("{{ 99999999999999999999 }}", AL_UNSUPPORTED, "64 bits");
  fails("{{ 2 ** 64 }}", AL_UNSUPPORTED, "64 bits");
}

/* What a hostile template may use up is counted, not timed: with n steps allowed, no more than n are taken. */
static void stops_in_bounded_steps(void **)
{
  static const char *const endless[] = {
    "{% for a in range(100000) %}{% for b in range(100000) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{% for a in range(100000) %}{% set x = messages|map(attribute='content')|sort|list %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for a in range(100000) recursive %}{{ loop(range(100000)) }}{% endfor %}",
    "{% set j = joiner() %}{% for a in range(100000) %}{% for b in range(99999) %}{{ j() }}{% endfor %}{% endfor %}",
    "{% set c = cycler(1, 2) %}{% for a in range(100000) %}{{ c.next() ~ c.next() }}{% endfor %}",
    "{% for a in range(100000) %}{% block x scoped %}{% for b in range(99999) %}{% endfor %}{% endblock %}{% endfor %}",
    "{% for a in range(100000) %}{{ ('<' * 1000000) | striptags | urlencode | length }}{% endfor %}",
    "{% for a in range(100000) %}{{ ([1] * 100000) | map('string') | join | length }}{% endfor %}",
  };
  for (size_t i = 0; i < AL_COUNT(endless); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_err err = {};
    struct al_template_limits limits = { .max_steps = 100'000, .max_memory_bytes = 64 << 20 };
    assert_int_equal(render_with(endless[i], chat, &limits, &out, &err), AL_INVALID_REQUEST);
    if (strstr(err.message, "more than") == nullptr)
      fail_msg("%s: %s", endless[i], err.message);
  }
}

/* Memory that runs out while the text is written is not the template's fault. */
static void tells_memory_from_length(void **)
{
  struct al_err err = {};
  struct al_template *compiled = nullptr;
  assert_int_equal(al_template_compile(al_str("{{ 'x' }}"), &compiled, &err), AL_OK);
  bool seen = false;
  for (size_t n = 1; n < 20; n++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_template_vars none = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = al_template_render(compiled, &none, nullptr, &out, &err);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    seen = seen || code == AL_OOM_RAM;
  }
  assert_true(seen);
  al_template_free(compiled);
}

static void finds_keys_and_methods(void **)
{
  renders("{{ {'items': 1}['items'] }}{{ {'a': 1}.items()|list }}{{ {'get': 2}.get('get') }}", "1[('a', 1)]2");
  renders("{{ [].append is defined }}{{ messages[0].nothing is defined }}", "FalseFalse");
}

static void names_what_is_wrong(void **)
{
  fails("a\n{{ missing.x }}", AL_INVALID_REQUEST, "template line 2");
  fails("{% if %}", AL_INVALID_REQUEST, "template line 1");
  fails("{% for x in y %}", AL_INVALID_REQUEST, "endfor");
  fails("{{ x|nothing }}", AL_INVALID_REQUEST, "nothing");
  fails("{% include 'x' %}", AL_UNSUPPORTED, "include");
  fails("{{ 'x'|urlize }}", AL_UNSUPPORTED, "urlize");
  fails("{{ raise_exception('roles must alternate') }}", AL_INVALID_REQUEST, "roles must alternate");
  fails("{{ [].append(1) }}", AL_INVALID_REQUEST, "cannot be called");
  fails("\xff", AL_INVALID_REQUEST, "UTF-8");
}

static void bounds_its_work(void **)
{
  fails("{{ range(1000000000) }}", AL_INVALID_REQUEST, "range");
  fails("{{ 'x' * 1000000000000 }}", AL_INVALID_REQUEST, "more than");
  fails("{{ [1] * 1000000000 }}", AL_INVALID_REQUEST, "more than");
  fails("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", AL_INVALID_REQUEST, "nesting");
  fails("{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        AL_INVALID_REQUEST, "nesting");
  fails("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", AL_INVALID_REQUEST,
        "steps");
  fails("{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('x', 'xx') %}{% endfor %}",
        AL_INVALID_REQUEST, "more than");
  AL_CLEANUP(al_buf_done) struct al_buf deep = {};
  al_buf_str(&deep, "{{ ");
  for (int i = 0; i < 400; i++)
    al_buf_char(&deep, '(');
  fails(deep.data, AL_INVALID_REQUEST, "nested");
}

static void keeps_given_limits(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_err err = {};
  struct al_template_limits few_bytes = { .max_output_bytes = 100 };
  struct al_template_limits few_steps = { .max_steps = 100 };
  struct al_template_limits little_memory = { .max_memory_bytes = 10'000 };
  const char *loop = "{% for i in range(50) %}{{ i ~ 'abc' }}{% endfor %}";
  assert_int_equal(render_with(loop, "{}", &few_bytes, &out, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "100 bytes"));
  assert_int_equal(render_with(loop, "{}", &few_steps, &out, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "100 steps"));
  assert_int_equal(render_with("{{ [0] * 1000 }}", "{}", &little_memory, &out, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "memory"));
  assert_int_equal(out.size, 0);
  assert_int_equal(render_with(loop, "{}", nullptr, &out, &err), AL_OK);
}

static void later_variables_win(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *first = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *second = nullptr;
  assert_int_equal(al_json_parse(al_str("{\"a\": 1, \"b\": 2}"), &first, nullptr), AL_OK);
  assert_int_equal(al_json_parse(al_str("{\"b\": 3}"), &second, nullptr), AL_OK);
  struct al_template *compiled = nullptr;
  assert_int_equal(al_template_compile(al_str("{{ a }}{{ b }}"), &compiled, nullptr), AL_OK);
  const struct al_json *objects[] = { al_json_root(first), al_json_root(second) };
  struct al_template_vars vars = { objects, 2 };
  assert_int_equal(al_template_render(compiled, &vars, nullptr, &out, nullptr), AL_OK);
  assert_int_equal(al_template_render(compiled, &vars, nullptr, &out, nullptr), AL_OK); /* again, behind the first */
  assert_string_equal(out.data, "1313");
  al_template_free(compiled);
}

static void survives_failing_allocations(void **)
{
  const char *source =
      "{% macro m(a) %}{{ a }}{% endmacro %}{% for x in messages|map(attribute='role')|sort if x %}"
      "{{ m(x)|upper }}{{ loop.length }}{% set y %}{{ x }}{% endset %}{{ [y, {'k': x}]|tojson }}{% endfor %}";
  for (size_t n = 1; n < 500; n++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_err err = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = render_with(source, chat, nullptr, &out, &err);
    size_t made = al_alloc_fail_at(0);
    if (made < n) {
      assert_int_equal(code, AL_OK);
      return;
    }
    if (code == AL_OK)
      fail_msg("allocation %zu of %zu failed and nobody said so", n, made);
  }
  fail_msg("it never succeeded");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(default_is_chatml),      cmocka_unit_test(renders_a_llama_header),
    cmocka_unit_test(renders_a_qwen_history), cmocka_unit_test(controls_white_space),
    cmocka_unit_test(prints_as_python),       cmocka_unit_test(scopes_as_jinja),
    cmocka_unit_test(finds_keys_and_methods), cmocka_unit_test(names_what_is_wrong),
    cmocka_unit_test(bounds_its_work),        cmocka_unit_test(keeps_given_limits),
    cmocka_unit_test(hides_what_it_assigns),  cmocka_unit_test(has_rare_features),
    cmocka_unit_test(stops_in_bounded_steps), cmocka_unit_test(tells_memory_from_length),
    cmocka_unit_test(later_variables_win),    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
