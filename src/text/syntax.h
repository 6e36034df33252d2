/* How a model family writes its reasoning and its tool calls, and how to read that back while it streams (TXT-8).
 *
 * The syntax is found from the chat template's source. Its parser turns the model's text (control tokens included, as
 * text) into reasoning, answer and calls; its grammar holds a model to calls whose arguments are valid JSON for the
 * tool's schema. What is broken or cut short is never an error: it becomes plain text, or a call that ends early.
 * The list of syntaxes is a table, one file each. Immutable parts are thread-safe; a parser is one generation's. */
#ifndef AL_TEXT_SYNTAX_H
#define AL_TEXT_SYNTAX_H

#include "base/buf.h"
#include "codec/json.h"

struct al_syntax; /* static descriptors: hermes (Qwen 2.5/3), qwen3_coder (also Nemotron 3), glm, harmony, nemotron
                     (<TOOLCALL>), mistral, llama3, ... and "plain": no known tool calls */

/* Never nullptr. A nullptr source is the default template's (ChatML: hermes). */
const struct al_syntax *al_syntax_find(const char *chat_template);
const char *al_syntax_name(const struct al_syntax *syntax);
bool al_syntax_has_tools(const struct al_syntax *syntax);
/* Must this control token's text ("<|call|>") reach the parser and the trigger? Others are dropped. */
bool al_syntax_keeps_control(const struct al_syntax *syntax, struct al_str token_text);

enum al_tool_choice { AL_TOOL_AUTO, AL_TOOL_NONE, AL_TOOL_REQUIRED, AL_TOOL_FUNCTION };

/* What a request wants of the output's form. */
struct al_syntax_request {
  const struct al_json *tools; /* Chat Completions' form: [{"type":"function","function":{"name","parameters",...}}];
                                  nullptr or empty: no calls are parsed */
  enum al_tool_choice choice;
  const char *function;      /* with AL_TOOL_FUNCTION */
  bool parallel;             /* more than one call in an answer */
  bool keeps_reasoning;      /* reasoning stays in the answer as the model wrote it (reasoning_format "none") */
  struct al_str prompt_tail; /* the end of the rendered prompt (some hundred bytes): a template may have opened
                                "<think>" or a channel already */
  const char *answer_gbnf;   /* rules with the start symbol "answer" for the answer itself; nullptr: free text */
};

/* The grammar for the request, appended as GBNF with the start symbol "root", reasoning before it allowed as the syntax
 * writes it. *is_lazy: it holds only from the first trigger on (tool_choice auto with free text), which the constraint
 * finds with al_syntax_trigger. Appends nothing when nothing is to be held. AL_UNSUPPORTED (a schema that cannot be
 * enforced, a syntax that cannot call) names the place in err->param: "tools[1].function.parameters....". */
enum al_code al_syntax_grammar(const struct al_syntax *syntax, const struct al_syntax_request *request,
                               struct al_buf *gbnf, bool *is_lazy, struct al_err *err);
/* With a lazy grammar: the offset in `text` (all generated so far) from which the grammar applies, or -1: not yet. Only
 * outside of reasoning. Cheap to call again with a longer text: `*scanned` (0 at first) is what it has seen. */
ptrdiff_t al_syntax_trigger(const struct al_syntax *syntax, const struct al_syntax_request *request, struct al_str text,
                            size_t *scanned);

/* --- the parser -------------------------------------------------------------------------------------------------- */

enum al_syntax_event_kind {
  AL_SYNTAX_TEXT, /* of the answer */
  AL_SYNTAX_REASONING,
  AL_SYNTAX_CALL_BEGIN, /* `text` is the function's name; `call` counts from 0 */
  AL_SYNTAX_CALL_DELTA, /* a piece of the arguments, as JSON text (converted where the syntax is not JSON) */
  AL_SYNTAX_CALL_END,   /* is_complete: the arguments are whole JSON objects */
};

struct al_syntax_event {
  enum al_syntax_event_kind kind;
  struct al_str text; /* borrowed for the call; never empty with TEXT, REASONING, CALL_DELTA */
  int call;
  bool is_complete;
};
typedef void al_syntax_event_fn(void *user, const struct al_syntax_event *event);

struct al_syntax_parser;

/* Copies what it needs of the request. `on_event` runs inside feed and finish. */
enum al_code al_syntax_parser_new(const struct al_syntax *syntax, const struct al_syntax_request *request,
                                  al_syntax_event_fn *on_event, void *user, struct al_syntax_parser **parser,
                                  struct al_err *err);
void al_syntax_parser_free(struct al_syntax_parser *parser); /* accepts nullptr */
/* Text of whole UTF-8 characters. Holds back only what may be the beginning of a marker. AL_OOM_RAM is the only error.
 */
enum al_code al_syntax_parser_feed(struct al_syntax_parser *parser, struct al_str text, struct al_err *err);
/* The generation has ended: what was held back comes out; an open call ends with is_complete false. */
enum al_code al_syntax_parser_finish(struct al_syntax_parser *parser, struct al_err *err);
bool al_syntax_parser_in_reasoning(const struct al_syntax_parser *parser);
/* Every tool call the request allows has been made (parallel false and one whole call): generation should stop. */
bool al_syntax_parser_is_done(const struct al_syntax_parser *parser);

#endif
