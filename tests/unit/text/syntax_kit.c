#include "syntax_kit.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char tools_text[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"parameters\": {\"type\": \"object\", "
    "\"properties\": {\"city\": {\"type\": \"string\"}, \"days\": {\"type\": \"integer\"}, \"deep\": {\"type\": "
    "\"object\"}, \"ok\": {\"type\": \"boolean\"}, \"list\": {\"type\": \"array\"}, \"maybe\": {\"anyOf\": "
    "[{\"type\": \"string\"}, {\"type\": \"null\"}]}, \"ref\": {\"$ref\": \"#/$defs/r\"}, \"unit\": {\"enum\": "
    "[\"c\", \"f\"]}}, \"required\": [\"city\"], \"$defs\": {\"r\": {\"type\": \"string\"}}}}}, {\"type\": "
    "\"function\", \"function\": {\"name\": \"f\"}}]";

static struct al_json_doc *tools_doc;

static void free_tools(void)
{
  al_json_doc_free(tools_doc);
}

const struct al_json *kit_tools(void)
{
  if (tools_doc == nullptr) {
    assert_int_equal(al_json_parse(al_str(tools_text), &tools_doc, nullptr), AL_OK);
    (void)atexit(free_tools);
  }
  return al_json_root(tools_doc);
}

struct al_syntax_request kit_request(void)
{
  return (struct al_syntax_request){ .tools = kit_tools(), .parallel = true };
}

const struct al_syntax *kit_syntax(const char *name)
{
  static const struct {
    const char *name, *mark;
  } marks[] = {
    { "hermes", "<tool_call> </think>" },
    { "qwen3_coder", "<function= <parameter=" },
    { "glm", "<arg_key><arg_value>" },
    { "glm4", "[gMASK]<|observation|>" },
    { "harmony", "<|channel|>" },
    { "nemotron", "<TOOLCALL>" },
    { "mistral", "[TOOL_CALLS] [ARGS]" },
    { "mistral_think", "[TOOL_CALLS] [THINK]" },
    { "llama3", "<|python_tag|>" },
    { "phi4", "<|tool|><|/tool|>" },
    { "granite", "<|tool_call|>" },
    { "deepseek", "<｜tool▁calls▁begin｜>" },
    { "plain", "" },
    { "plain_think", "<think></think>" },
  };
  for (size_t i = 0; i < AL_COUNT(marks); i++)
    if (al_streq(marks[i].name, name))
      return al_syntax_find(marks[i].mark);
  fail_msg("no syntax %s", name);
  return nullptr;
}

struct seen {
  struct al_buf text;
  int kind; /* of the last event */
};

static void open_kind(struct seen *seen, const struct al_syntax_event *event, const char *opening)
{
  if (seen->kind != (int)event->kind)
    al_buf_str(&seen->text, opening);
  seen->kind = (int)event->kind;
}

static void close_kind(struct seen *seen, int kind)
{
  bool was_open = seen->kind == AL_SYNTAX_TEXT || seen->kind == AL_SYNTAX_REASONING;
  if (was_open && seen->kind != kind)
    al_buf_char(&seen->text, ')');
}

static void on_event(void *user, const struct al_syntax_event *event)
{
  struct seen *seen = user;
  close_kind(seen, (int)event->kind);
  switch (event->kind) {
  case AL_SYNTAX_TEXT: open_kind(seen, event, "T("); break;
  case AL_SYNTAX_REASONING: open_kind(seen, event, "R("); break;
  case AL_SYNTAX_CALL_BEGIN: al_buf_printf(&seen->text, "C%d:", event->call); break;
  case AL_SYNTAX_CALL_DELTA: open_kind(seen, event, "("); break;
  case AL_SYNTAX_CALL_END:
    al_buf_str(&seen->text, seen->kind == AL_SYNTAX_CALL_DELTA ? ")" : "");
    al_buf_str(&seen->text, event->is_complete ? "!" : "?");
    break;
  }
  bool wants_text = event->kind != AL_SYNTAX_CALL_END;
  assert_true(wants_text == (event->text.size > 0));
  al_buf_add(&seen->text, event->text.data, event->text.size);
  seen->kind = (int)event->kind;
}

static size_t piece_size(struct al_str rest, unsigned *seed)
{
  if (*seed == 0)
    return rest.size;
  size_t n = 1;
  if (*seed > 1) {
    *seed = *seed * 1664525u + 1013904223u;
    n = 1 + (*seed >> 16) % ((*seed >> 8) % 4 == 0 ? 40 : 7);
    *seed |= 2;
  }
  n = al_min_size(n, rest.size);
  while (n < rest.size && ((unsigned char)rest.data[n] & 0xC0) == 0x80)
    n++;
  return n;
}

char *kit_parse(const struct al_syntax *syntax, const struct al_syntax_request *request, const char *text,
                unsigned seed)
{
  struct seen seen = { .kind = -1 };
  struct al_syntax_parser *parser = nullptr;
  assert_int_equal(al_syntax_parser_new(syntax, request, on_event, &seen, &parser, nullptr), AL_OK);
  struct al_str rest = al_str(text);
  while (rest.size > 0) {
    size_t n = piece_size(rest, &seed);
    assert_int_equal(al_syntax_parser_feed(parser, al_str_n(rest.data, n), nullptr), AL_OK);
    rest = al_str_n(rest.data + n, rest.size - n);
  }
  assert_int_equal(al_syntax_parser_finish(parser, nullptr), AL_OK);
  al_syntax_parser_free(parser);
  close_kind(&seen, -1);
  al_buf_str(&seen.text, "");
  return al_buf_take(&seen.text, &(size_t){ 0 });
}

void kit_expect(const char *syntax, const struct al_syntax_request *request, const char *text, const char *expected)
{
  for (unsigned seed = 0; seed < 20; seed++) {
    char *got = kit_parse(kit_syntax(syntax), request, text, seed);
    if (!al_streq(got != nullptr ? got : "", expected))
      print_error("%s, seed %u: %s\n", syntax, seed, text);
    assert_string_equal(got != nullptr ? got : "", expected);
    al_free(got);
  }
}
