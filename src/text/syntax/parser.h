/* The parser's state, and what the syntaxes' slots work with. One generation's; not thread-safe. */
#ifndef AL_TEXT_SYNTAX_PARSER_H
#define AL_TEXT_SYNTAX_PARSER_H

#include "text/syntax/descriptor.h"
#include "text/syntax/json_scan.h"

enum al_sx_state {
  AL_SX_START,     /* nothing but white space has come */
  AL_SX_REASONING, /* between the markers */
  AL_SX_ANSWER,    /* reasoning has just ended: white space before the answer is dropped */
  AL_SX_TEXT,
  AL_SX_HEADER, /* at an opener, or where a call may begin bare */
  AL_SX_BODY,   /* inside a call's arguments */
  AL_SX_AFTER,  /* a call has ended: closers, the next call, or text */
  AL_SX_DONE,   /* all calls are made: the rest is ignored */
};

/* Where an open call's tags are. */
struct al_sx_tag_state {
  bool in_value;
  bool is_fresh;  /* nothing of the value has been looked at */
  bool is_blank;  /* nothing but white space has come of it */
  bool in_json;   /* inside an object, array or string: what looks like the value's end is part of it */
  bool is_string; /* passed on as it comes; other values are kept until they are whole */
  bool has_param;
  unsigned types; /* AL_SX_TYPE_* */
  struct al_sx_scan scan;
};

struct al_syntax_parser {
  const struct al_syntax *syntax;
  al_syntax_event_fn *on_event;
  void *user;
  struct al_json_doc *tools; /* a copy; nullptr: no calls are looked for */
  bool is_parallel;
  bool keeps_reasoning;
  enum al_sx_state state;
  struct al_buf pending; /* from `at` on: not consumed */
  size_t at;
  bool trims_reasoning; /* nothing of the reasoning has come out */
  bool may_open_bare;
  int n_calls; /* begun */
  bool in_call;
  bool has_whole_call;
  bool in_list;            /* calls stand in an array */
  bool in_wrapper;         /* the object around the arguments is open */
  bool skips;              /* over what stands behind the arguments in it */
  struct al_sx_scan scan;  /* of JSON arguments, then of what is skipped */
  struct al_buf arguments; /* of the open call */
  struct al_buf function;  /* its name */
  struct al_buf value;     /* of the open parameter */
  struct al_buf scratch;   /* failures stick, and feed tells */
  struct al_sx_tag_state tag;
  int channel; /* harmony's */
};

/* White space before a marker goes with it; more than this is text. */
constexpr size_t AL_SX_MAX_SPACE = 64;
/* What stands before a call's arguments. More than this is no call. */
constexpr size_t AL_SX_MAX_HEADER = 16384;

void al_sx_text(struct al_syntax_parser *parser, struct al_str text);
void al_sx_reasoning(struct al_syntax_parser *parser, struct al_str text);

/* A call with this name was announced in the request. */
bool al_sx_declared(const struct al_syntax_parser *parser, struct al_str name);
bool al_sx_may_be_declared(const struct al_syntax_parser *parser, struct al_str prefix); /* a name begins with it */
const struct al_json *al_sx_tool(const struct al_json *tools,
                                 struct al_str name); /* its "function" object, or nullptr */

/* The open call: begin, deltas, end. Its arguments are checked as a whole when it ends. */
void al_sx_call_begin(struct al_syntax_parser *parser, struct al_str name);
void al_sx_call_delta(struct al_syntax_parser *parser, struct al_str json);
void al_sx_call_end(struct al_syntax_parser *parser);
void al_sx_call_break(struct al_syntax_parser *parser); /* ends it as incomplete */

/* Slots that several syntaxes share. */
al_sx_slot al_sx_json_body;     /* an object, passed on as it comes */
al_sx_slot al_sx_tagged_body;   /* syntax->tags */
al_sx_slot al_sx_wrapped_begin; /* opener or none, then {"name": ..., "arguments": ...}, also in an array */

/* Opens the call `name`, whose arguments begin at view[at]. */
enum al_sx_verdict al_sx_named_open(struct al_syntax_parser *parser, struct al_str name, struct al_str view, size_t at,
                                    bool is_last, size_t *used);
enum al_sx_verdict al_sx_tagged_open(struct al_syntax_parser *parser, struct al_str name);

bool al_sx_harmony_in_reasoning(const struct al_syntax_parser *parser);

/* At the end of everything: a parameter's JSON was never finished, but its closing tag is in there. The value ends at
 * that tag after all, and what came behind it is given back to `pending`. */
bool al_sx_tagged_recover(struct al_syntax_parser *parser);

/* What the prompt's end has opened already, as the model would have written it; empty: nothing. */
struct al_str al_sx_prompt_opened(const struct al_syntax *syntax, struct al_str prompt_tail);
/* The prompt ends with reasoning that is over. */
bool al_sx_prompt_closed(const struct al_syntax *syntax, struct al_str prompt_tail);

#endif
