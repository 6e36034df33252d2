/* Parses model output for test_syntax.py: JSON lines {"template", "tools", "prompt_tail", "text", "seed"} on standard
 * input, {"syntax", "text", "reasoning", "calls": [{"name", "arguments", "complete"}]} on standard output. The text is
 * cut into pieces by the seed. With "grammar": true in the line, the answer also has "accepted": does the grammar of a
 * required call admit the text? */
#include "text/grammar.h"
#include "text/syntax.h"

#include <stdio.h>
#include <stdlib.h>

struct seen {
  struct al_buf text, reasoning, arguments, name, calls;
};

static void end_call(struct seen *seen, bool is_complete)
{
  struct al_json_writer w = al_json_writer(&seen->calls);
  al_buf_str(&seen->calls, seen->calls.size > 0 ? ", " : "");
  al_jw_object(&w);
  al_jw_kv_str_n(&w, "name", al_buf_view(&seen->name));
  al_jw_kv_str_n(&w, "arguments", al_buf_view(&seen->arguments));
  al_jw_kv_bool(&w, "complete", is_complete);
  al_jw_end(&w);
}

static void on_event(void *user, const struct al_syntax_event *event)
{
  struct seen *seen = user;
  struct al_buf *into = event->kind == AL_SYNTAX_TEXT         ? &seen->text
                        : event->kind == AL_SYNTAX_REASONING  ? &seen->reasoning
                        : event->kind == AL_SYNTAX_CALL_BEGIN ? &seen->name
                                                              : &seen->arguments;
  if (event->kind == AL_SYNTAX_CALL_BEGIN) {
    al_buf_clear(&seen->name);
    al_buf_clear(&seen->arguments);
  }
  if (event->kind == AL_SYNTAX_CALL_END)
    end_call(seen, event->is_complete);
  else
    al_buf_add(into, event->text.data, event->text.size);
}

static size_t piece(struct al_str rest, uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  size_t n = al_min_size(1 + (*seed >> 16) % 12, rest.size);
  while (n < rest.size && ((unsigned char)rest.data[n] & 0xC0) == 0x80)
    n++;
  return n;
}

static enum al_code parse(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                          uint32_t seed, struct seen *seen, struct al_err *err)
{
  struct al_syntax_parser *parser = nullptr;
  AL_TRY(al_syntax_parser_new(syntax, request, on_event, seen, &parser, err));
  enum al_code code = AL_OK;
  for (size_t n; code == AL_OK && text.size > 0; text = al_str_n(text.data + n, text.size - n)) {
    n = piece(text, &seed);
    code = al_syntax_parser_feed(parser, al_str_n(text.data, n), err);
  }
  if (code == AL_OK)
    code = al_syntax_parser_finish(parser, err);
  al_syntax_parser_free(parser);
  return code;
}

static enum al_code admits(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                           bool *accepted, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_grammar *grammar = nullptr;
  struct al_grammar_matcher *matcher = nullptr;
  bool is_lazy = false;
  AL_TRY(al_syntax_grammar(syntax, request, &gbnf, &is_lazy, err));
  AL_TRY(al_grammar_compile(al_buf_view(&gbnf), &grammar, err));
  enum al_code code = al_grammar_matcher_new(grammar, nullptr, &matcher, err);
  if (code == AL_OK)
    *accepted = al_grammar_matcher_feed(matcher, text) && al_grammar_matcher_may_end(matcher);
  al_grammar_matcher_free(matcher);
  al_grammar_unref(grammar);
  return code;
}

static enum al_code run_line(struct al_str line, struct seen *seen, struct al_json_writer *w, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(line, &doc, err));
  const struct al_json *root = al_json_root(doc);
  const struct al_syntax *syntax = al_syntax_find(al_json_str(al_json_get(root, "template")).data);
  struct al_syntax_request request = { .tools = al_json_get(root, "tools"),
                                       .parallel = true,
                                       .prompt_tail = al_json_str(al_json_get(root, "prompt_tail")) };
  struct al_str text = al_json_str(al_json_get(root, "text"));
  al_jw_kv_str(w, "syntax", al_syntax_name(syntax));
  AL_TRY(parse(syntax, &request, text, (uint32_t)al_json_int(al_json_get(root, "seed"), 0), seen, err));
  if (al_json_bool(al_json_get(root, "grammar"), false)) {
    bool accepted = false;
    request.choice = AL_TOOL_REQUIRED;
    AL_TRY(admits(syntax, &request, text, &accepted, err));
    al_jw_kv_bool(w, "accepted", accepted);
  }
  return AL_OK;
}

static void answer(struct al_str line)
{
  struct seen seen = {};
  struct al_err err = {};
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_json_writer w = al_json_writer(&out);
  al_jw_object(&w);
  if (run_line(line, &seen, &w, &err) != AL_OK)
    al_jw_kv_str(&w, "error", err.message);
  al_buf_str(&seen.calls, "");
  al_jw_kv_str_n(&w, "text", al_buf_view(&seen.text));
  al_jw_kv_str_n(&w, "reasoning", al_buf_view(&seen.reasoning));
  al_jw_key(&w, "calls");
  al_buf_printf(&out, "[%s]}", seen.calls.data);
  (void)printf("%s\n", out.data);
  al_buf_done(&seen.text);
  al_buf_done(&seen.reasoning);
  al_buf_done(&seen.arguments);
  al_buf_done(&seen.name);
  al_buf_done(&seen.calls);
}

int main(void)
{
  char *line = nullptr;
  size_t capacity = 0;
  for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0;)
    answer(al_str_n(line, (size_t)size));
  free(line);
  return 0;
}
