/* What leaves the parser. */
#include "text/syntax/parser.h"

static void emit(struct al_syntax_parser *p, enum al_syntax_event_kind kind, struct al_str text, bool is_complete)
{
  struct al_syntax_event event = {
    .kind = kind, .text = text, .call = p->n_calls > 0 ? p->n_calls - 1 : 0, .is_complete = is_complete
  };
  p->on_event(p->user, &event);
}

void al_sx_text(struct al_syntax_parser *parser, struct al_str text)
{
  if (text.size > 0)
    emit(parser, AL_SYNTAX_TEXT, text, false);
}

void al_sx_reasoning(struct al_syntax_parser *parser, struct al_str text)
{
  if (text.size > 0)
    emit(parser, parser->keeps_reasoning ? AL_SYNTAX_TEXT : AL_SYNTAX_REASONING, text, false);
}

const struct al_json *al_sx_tool(const struct al_json *tools, struct al_str name)
{
  struct al_json_iter it = al_json_iter(tools);
  while (al_json_next(&it)) {
    const struct al_json *function = al_json_get(it.value, "function");
    if (name.size > 0 && al_str_eq(al_json_str(al_json_get(function, "name")), name))
      return function;
  }
  return nullptr;
}

bool al_sx_declared(const struct al_syntax_parser *parser, struct al_str name)
{
  return parser->tools != nullptr && al_sx_tool(al_json_root(parser->tools), name) != nullptr;
}

bool al_sx_may_be_declared(const struct al_syntax_parser *parser, struct al_str prefix)
{
  struct al_json_iter it = al_json_iter(parser->tools != nullptr ? al_json_root(parser->tools) : nullptr);
  while (al_json_next(&it))
    if (al_str_starts(al_json_str(al_json_get(al_json_get(it.value, "function"), "name")), prefix))
      return true;
  return false;
}

void al_sx_call_begin(struct al_syntax_parser *parser, struct al_str name)
{
  al_buf_clear(&parser->function);
  al_buf_clear(&parser->arguments);
  al_buf_add(&parser->function, name.data, name.size);
  parser->n_calls++;
  parser->in_call = true;
  parser->scan = (struct al_sx_scan){};
  parser->state = AL_SX_BODY;
  emit(parser, AL_SYNTAX_CALL_BEGIN, name, false);
}

void al_sx_call_delta(struct al_syntax_parser *parser, struct al_str json)
{
  if (json.size == 0)
    return;
  al_buf_add(&parser->arguments, json.data, json.size);
  emit(parser, AL_SYNTAX_CALL_DELTA, json, false);
}

static void end(struct al_syntax_parser *p, bool is_complete)
{
  p->in_call = false;
  p->has_whole_call |= is_complete;
  p->state = AL_SX_AFTER;
  emit(p, AL_SYNTAX_CALL_END, (struct al_str){}, is_complete);
}

void al_sx_call_end(struct al_syntax_parser *parser)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  bool is_object = al_json_parse(al_buf_view(&parser->arguments), &doc, nullptr) == AL_OK &&
                   al_json_kind(al_json_root(doc)) == AL_JSON_OBJECT;
  end(parser, is_object);
}

void al_sx_call_break(struct al_syntax_parser *parser)
{
  end(parser, false);
}
