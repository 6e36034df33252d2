/* Hostile model output: any bytes of a model that knows the markers. The first byte picks the syntax, the second how
 * the text is cut; whatever the cut, the events must be the same, and everything must come to an end. With the
 * first byte's high bit the rest is the request's tools, and whatever grammar is made for them must compile. */
#include "text/grammar.h"
#include "text/syntax.h"

static const char *const templates[] = {
  "<tool_call> </think>", "<function= <parameter=",
  "<arg_key><arg_value>", "[gMASK]<|observation|>",
  "<|channel|>",          "<TOOLCALL>",
  "[TOOL_CALLS] [THINK]", "<|python_tag|>",
  "<|tool|><|/tool|>",    "<｜tool▁calls▁begin｜>",
  "<think></think>",      "[TOOL_CALLS]",
};

static const char tools_text[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{\"s\":{"
    "\"type\":\"string\"},\"n\":{\"type\":\"integer\"},\"o\":{\"$ref\":\"#/$defs/o\"}},\"$defs\":{\"o\":{\"anyOf\":[{"
    "\"type\":\"object\"},{\"$ref\":\"#/$defs/o\"}]}}}}},{\"type\":\"function\",\"function\":{\"name\":\"g_1\"}}]";

struct seen {
  struct al_buf text;
  int kind;
  int open; /* calls that have begun and not ended */
};

static void on_event(void *user, const struct al_syntax_event *event)
{
  struct seen *seen = user;
  if ((event->kind == AL_SYNTAX_CALL_END) != (event->text.size == 0))
    __builtin_trap();
  seen->open += event->kind == AL_SYNTAX_CALL_BEGIN ? 1 : event->kind == AL_SYNTAX_CALL_END ? -1 : 0;
  if (seen->open < 0 || seen->open > 1 || (event->kind == AL_SYNTAX_CALL_DELTA && seen->open != 1))
    __builtin_trap();
  if (seen->kind != (int)event->kind || event->kind == AL_SYNTAX_CALL_BEGIN)
    al_buf_printf(&seen->text, "\x01%d%d%d", (int)event->kind, event->call, event->is_complete);
  seen->kind = (int)event->kind;
  al_buf_add(&seen->text, event->text.data, event->text.size);
}

static void run(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                uint8_t cut, struct seen *seen)
{
  struct al_syntax_parser *parser = nullptr;
  size_t scanned = 0;
  seen->kind = -1;
  if (al_syntax_parser_new(syntax, request, on_event, seen, &parser, nullptr) != AL_OK)
    __builtin_trap();
  uint32_t state = cut;
  for (size_t at = 0; at < text.size;) {
    state = state * 1664525u + 1013904223u;
    size_t n = cut == 0 ? text.size : 1 + (state >> 20) % (1 + (size_t)cut % 16);
    n = al_min_size(n, text.size - at);
    while (at + n < text.size && ((unsigned char)text.data[at + n] & 0xC0) == 0x80)
      n++;
    if (al_syntax_parser_feed(parser, al_str_n(text.data + at, n), nullptr) != AL_OK)
      __builtin_trap();
    at += n;
    ptrdiff_t trigger = al_syntax_trigger(syntax, request, al_str_n(text.data, at), &scanned);
    if (trigger > (ptrdiff_t)at)
      __builtin_trap();
  }
  if (al_syntax_parser_finish(parser, nullptr) != AL_OK || seen->open != 0)
    __builtin_trap();
  al_syntax_parser_free(parser);
}

static void make_grammar(const struct al_syntax *syntax, struct al_str text)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_err err = {};
  struct al_grammar *grammar = nullptr;
  bool is_lazy = false;
  if (al_json_parse(text, &doc, nullptr) != AL_OK)
    return;
  struct al_syntax_request request = { .tools = al_json_root(doc), .choice = AL_TOOL_REQUIRED, .parallel = true };
  if (al_syntax_grammar(syntax, &request, &gbnf, &is_lazy, &err) != AL_OK)
    return;
  if (al_grammar_compile(al_buf_view(&gbnf), &grammar, &err) != AL_OK && gbnf.size < 10'000)
    __builtin_trap();
  al_grammar_unref(grammar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct al_json_doc *tools;
  if ((tools == nullptr && al_json_parse(al_str(tools_text), &tools, nullptr) != AL_OK) || size < 3)
    return 0;
  const struct al_syntax *syntax = al_syntax_find(templates[(data[0] & 0x7f) % AL_COUNT(templates)]);
  if ((data[0] & 0x80) != 0) {
    make_grammar(syntax, al_str_n((const char *)data + 2, size - 2));
    return 0;
  }
  struct al_syntax_request request = { .tools = al_json_root(tools),
                                       .parallel = (data[1] & 1) != 0,
                                       .keeps_reasoning = (data[1] & 2) != 0,
                                       .prompt_tail = (data[1] & 4) != 0 ? al_str("a\n<think>\n") : (struct al_str){} };
  AL_CLEANUP(al_buf_done) struct al_buf whole = {};
  AL_CLEANUP(al_buf_done) struct al_buf pieces = {};
  struct seen one = { .text = whole }, many = { .text = pieces };
  struct al_str text = al_str_n((const char *)data + 2, size - 2);
  run(syntax, &request, text, 0, &one);
  run(syntax, &request, text, (uint8_t)(data[1] | 1), &many);
  whole = one.text;
  pieces = many.text;
  if (!al_str_eq(al_buf_view(&whole), al_buf_view(&pieces)))
    __builtin_trap();
  return 0;
}
