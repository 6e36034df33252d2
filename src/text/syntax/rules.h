/* Writes the grammar of a request: what al_syntax_grammar is made of. */
#ifndef AL_TEXT_SYNTAX_RULES_H
#define AL_TEXT_SYNTAX_RULES_H

#include "text/syntax/descriptor.h"

struct al_sx_rules {
  const struct al_syntax *syntax;
  const struct al_syntax_request *request;
  struct al_buf *out;
};

/* One tool of the request. */
struct al_sx_tool_rule {
  size_t index;
  struct al_str name;
  const struct al_json *parameters; /* nullptr: none were given */
  char path[64];                    /* "tools[1].function.parameters" */
};

/* The tool says nothing about its parameters: any object will do. */
bool al_sx_takes_anything(const struct al_json *parameters);
/* A GBNF literal; with `lines`, a line break in it stands for optional white space, and a blank for an optional one. */
void al_sx_rules_literal(struct al_buf *out, struct al_str text, bool lines);
/* Rules `name`: any text up to the first `marker` (ASCII), and the marker. */
void al_sx_rules_until(struct al_buf *out, const char *name, const char *marker);
/* Rules `name` for JSON that is valid for `schema`, whose "$ref" point into `root`. `type` is put in where the schema
 * names none (nullptr: nothing). */
enum al_code al_sx_rules_schema(struct al_sx_rules *rules, const struct al_json *root, const struct al_json *schema,
                                const char *type, const char *name, const char *path, struct al_err *err);
/* Rules `name` for a tool's arguments in tags. */
enum al_code al_sx_rules_tagged(struct al_sx_rules *rules, const struct al_sx_tool_rule *tool, const char *name,
                                struct al_err *err);

#endif
