/* The grammar of an answer: reasoning, then calls or an answer. Rule names begin with "sx-", so that they do not meet
 * those of a schema or of the answer's own grammar. */
#include "text/syntax/rules.h"

#include "text/schema.h"
#include "text/syntax/match.h"
#include "text/syntax/parser.h"
#include "text/syntax/types.h"

#include <stdio.h>

static const char common[] = "sx-ws ::= [ \\t\\r\\n]{0,4}\nsx-sp ::= [ \\n]{0,2}\n";

/* --- pieces ------------------------------------------------------------------------------------------------------ */

static void quoted_char(struct al_buf *out, char c, const char *special)
{
  if ((unsigned char)c < 0x20 || c == 0x7f)
    al_buf_printf(out, "\\x%02X", (unsigned)(unsigned char)c);
  else if (strchr(special, c) != nullptr)
    al_buf_printf(out, "\\%c", c);
  else
    al_buf_char(out, c);
}

void al_sx_rules_literal(struct al_buf *out, struct al_str text, bool lines)
{
  bool is_open = false;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    bool is_space = lines && (c == '\n' || c == ' ');
    if (is_space == is_open) {
      al_buf_str(out, is_open ? "\" " : "\"");
      is_open = !is_open;
    }
    if (is_space)
      al_buf_str(out, c == '\n' ? "sx-ws " : "sx-sp ");
    else
      quoted_char(out, c, "\\\"");
  }
  al_buf_str(out, is_open ? "\" " : "");
}

/* How much of the marker stands at the end of its first `n` characters followed by `c`. */
static size_t next_state(const char *marker, size_t n, char c)
{
  if (marker[n] == c)
    return n + 1;
  for (size_t k = n; k > 0; k--)
    if (marker[k - 1] == c && memcmp(marker, marker + n + 1 - k, k - 1) == 0)
      return k;
  return 0;
}

static void state_name(struct al_buf *out, const char *name, size_t state)
{
  if (state > 0)
    al_buf_printf(out, "%s-%zu", name, state);
  else
    al_buf_str(out, name);
}

/* One state of the automaton that looks for the marker: a rule that goes on as another one. */
static void until_state(struct al_buf *out, const char *name, const char *marker, size_t state)
{
  char seen[64] = {};
  size_t n_seen = 0;
  state_name(out, name, state);
  al_buf_str(out, " ::= ");
  for (size_t i = 0; marker[i] != '\0' && n_seen < sizeof seen - 1; i++) {
    size_t next = next_state(marker, state, marker[i]);
    if (next == 0 || strchr(seen, marker[i]) != nullptr)
      continue;
    seen[n_seen++] = marker[i];
    al_sx_rules_literal(out, al_str_n(&marker[i], 1), false);
    if (marker[next] != '\0')
      state_name(out, name, next);
    al_buf_str(out, " | ");
  }
  al_buf_str(out, "[^");
  for (size_t i = 0; i < n_seen; i++)
    quoted_char(out, seen[i], "\\]^-");
  al_buf_str(out, "] ");
  al_buf_str(out, name);
  al_buf_char(out, '\n');
}

void al_sx_rules_until(struct al_buf *out, const char *name, const char *marker)
{
  for (size_t state = 0; marker[state] != '\0'; state++)
    until_state(out, name, marker, state);
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static void copy_definitions(struct al_json_writer *w, const struct al_json *root, const struct al_json *schema)
{
  static const char *const keys[] = { "$defs", "definitions" };
  for (size_t i = 0; i < AL_COUNT(keys) && root != schema; i++)
    if (al_json_get(root, keys[i]) != nullptr && al_json_get(schema, keys[i]) == nullptr)
      al_jw_kv_value(w, keys[i], al_json_get(root, keys[i]));
}

enum al_code al_sx_rules_schema(struct al_sx_rules *rules, const struct al_json *root, const struct al_json *schema,
                                const char *type, const char *name, const char *path, struct al_err *err)
{
  struct al_schema_options options = { .path = path };
  if (al_json_kind(schema) != AL_JSON_OBJECT)
    return al_schema_to_gbnf(schema, name, &options, rules->out, err);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  struct al_json_iter it = al_json_iter(schema);
  while (al_json_next(&it)) {
    al_jw_key_n(&w, it.key);
    al_jw_value(&w, it.value);
  }
  if (type != nullptr && al_json_get(schema, "type") == nullptr)
    al_jw_kv_str(&w, "type", type);
  copy_definitions(&w, root, schema);
  al_jw_end(&w);
  AL_TRY(al_buf_check(&text, err));
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(al_buf_view(&text), &doc, err));
  return al_schema_to_gbnf(al_json_root(doc), name, &options, rules->out, err);
}

bool al_sx_takes_anything(const struct al_json *parameters)
{
  enum al_json_kind kind = al_json_kind(parameters);
  return kind == AL_JSON_ABSENT || kind == AL_JSON_NULL || al_json_bool(parameters, false) ||
         (kind == AL_JSON_OBJECT && al_json_count(parameters) == 0);
}

static enum al_code json_arguments(struct al_sx_rules *rules, const struct al_sx_tool_rule *tool, const char *name,
                                   struct al_err *err)
{
  if (al_sx_takes_anything(tool->parameters))
    return al_schema_any_to_gbnf(true, name, rules->out, err);
  return al_sx_rules_schema(rules, tool->parameters, tool->parameters, "object", name, tool->path, err);
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static void name_in_json(struct al_buf *out, struct al_str name)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_str_n(&w, name);
  if (text.failed)
    out->failed = true;
  al_sx_rules_literal(out, al_buf_view(&text), false);
}

/* What stands between a call's own beginning and its end. */
static void call_rule(struct al_sx_rules *rules, const struct al_sx_tool_rule *tool, const char *arguments)
{
  const struct al_sx_form *form = &rules->syntax->form;
  al_buf_printf(rules->out, "sx-call-%zu ::= ", tool->index);
  if (form->args_key == nullptr) {
    al_sx_rules_literal(rules->out, tool->name, false);
    al_sx_rules_literal(rules->out, al_str(form->name_end), true);
    al_buf_printf(rules->out, "%s%s\n", rules->syntax->step != nullptr ? "sx-header " : "", arguments);
    return;
  }
  al_buf_str(rules->out, "\"{\" sx-sp \"\\\"name\\\":\" sx-sp ");
  name_in_json(rules->out, tool->name);
  al_buf_printf(rules->out, "\",\" sx-sp \"\\\"%s\\\":\" sx-sp %s %ssx-ws \"}\"\n", form->args_key, arguments,
                form->has_id ? "( \",\" sx-sp \"\\\"id\\\":\" sx-sp \"\\\"\" [a-zA-Z0-9_-]{1,40} \"\\\"\" )? " : "");
}

static enum al_code tool_rules(struct al_sx_rules *rules, const struct al_sx_tool_rule *tool, struct al_err *err)
{
  char arguments[32];
  (void)snprintf(arguments, sizeof arguments, "sx-args-%zu", tool->index);
  call_rule(rules, tool, arguments);
  return rules->syntax->tags != nullptr ? al_sx_rules_tagged(rules, tool, arguments, err)
                                        : json_arguments(rules, tool, arguments, err);
}

/* The rules of every tool that may be called, and sx-tool: one of them. */
static enum al_code tools_rules(struct al_sx_rules *rules, struct al_err *err)
{
  const struct al_syntax_request *request = rules->request;
  AL_CLEANUP(al_buf_done) struct al_buf any = {};
  struct al_json_iter it = al_json_iter(request->tools);
  while (al_json_next(&it)) {
    const struct al_json *function = al_json_get(it.value, "function");
    struct al_sx_tool_rule tool = { .index = it.index,
                                    .name = al_json_str(al_json_get(function, "name")),
                                    .parameters = al_json_get(function, "parameters") };
    if (tool.name.size == 0 || (request->choice == AL_TOOL_FUNCTION && !al_str_is(tool.name, request->function)))
      continue;
    (void)snprintf(tool.path, sizeof tool.path, "tools[%zu].function.parameters", it.index);
    AL_TRY(tool_rules(rules, &tool, err));
    al_buf_printf(&any, "%ssx-call-%zu", any.size > 0 ? " | " : "", it.index);
  }
  AL_TRY(al_buf_check(&any, err));
  if (any.size == 0)
    return al_fail_param(err, "tool_choice", "tool_choice names a function that is not among the tools");
  al_buf_printf(rules->out, "sx-tool ::= %s\n", any.data);
  return AL_OK;
}

/* sx-calls. The lazy one begins where the trigger does. */
static void calls_rule(struct al_sx_rules *rules, bool is_lazy)
{
  const struct al_sx_form *form = &rules->syntax->form;
  struct al_buf *out = rules->out;
  if (rules->syntax->step != nullptr) {
    al_buf_printf(out,
                  "sx-calls ::= %s\"to=functions.\" sx-tool\n"
                  "sx-kind ::= \" \" ( \"<|constrain|>\"? \"json\" )?\n"
                  "sx-header ::= ( sx-kind | \"<|channel|>commentary\" sx-kind? )? \"<|message|>\"\n",
                  is_lazy ? "" : "( \"<|channel|>commentary \" | \" \" ) ");
    return;
  }
  al_buf_str(out, "sx-call ::= ");
  al_sx_rules_literal(out, al_str(form->item_open), true);
  al_buf_str(out, "sx-tool ");
  al_sx_rules_literal(out, al_str(form->item_close), true);
  al_buf_str(out, "\nsx-calls ::= ");
  al_sx_rules_literal(out, al_str(form->open), true);
  al_buf_str(out, "sx-call ");
  if (rules->request->parallel && !form->is_single) {
    al_buf_str(out, "( ");
    al_sx_rules_literal(out, al_str(form->between), true);
    al_buf_str(out, "sx-call )* ");
  }
  al_sx_rules_literal(out, al_str(form->close), true);
  al_buf_char(out, '\n');
}

/* --- reasoning --------------------------------------------------------------------------------------------------- */

enum thinking { THINKS_NOT, MAY_THINK, IS_THINKING };

static enum thinking thinking(const struct al_sx_rules *rules)
{
  const struct al_syntax *syntax = rules->syntax;
  struct al_str opened = al_sx_prompt_opened(syntax, rules->request->prompt_tail);
  if (syntax->step != nullptr && !al_str_ends(opened, al_str("<|message|>")))
    return MAY_THINK;
  if (syntax->step != nullptr)
    return al_str_ends(opened, al_str("<|channel|>analysis<|message|>")) ? IS_THINKING : THINKS_NOT;
  if (opened.size > 0)
    return IS_THINKING;
  bool is_closed = al_sx_prompt_closed(syntax, rules->request->prompt_tail);
  return syntax->template_thinks && !is_closed ? MAY_THINK : THINKS_NOT;
}

/* sx-think; nothing when the model cannot think at this place. Behind harmony's reasoning a new message begins. */
static void think_rule(struct al_sx_rules *rules, enum thinking thinks)
{
  const struct al_syntax *syntax = rules->syntax;
  struct al_buf *out = rules->out;
  if (thinks == THINKS_NOT) {
    al_buf_str(out, "sx-think ::= \"\"\n");
    return;
  }
  al_sx_rules_until(out, "sx-reasoning", syntax->think_close);
  const char *behind = syntax->step != nullptr ? "\"<|start|>assistant\"" : "sx-ws";
  al_buf_str(out, "sx-think ::= ");
  if (thinks == MAY_THINK) {
    al_buf_str(out, syntax->step != nullptr ? "( " : "( sx-ws ");
    al_sx_rules_literal(out, al_str(syntax->think_open), false);
  }
  al_buf_printf(out, "sx-reasoning %s%s\n", behind, thinks == MAY_THINK ? " )?" : "");
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static bool is_final_open(const struct al_sx_rules *rules)
{
  return rules->syntax->step != nullptr && thinking(rules) == THINKS_NOT;
}

static void answer_rule(struct al_sx_rules *rules)
{
  bool is_harmony = rules->syntax->step != nullptr;
  al_buf_printf(rules->out, "sx-answer ::= %sanswer\n%s\n",
                is_harmony && !is_final_open(rules) ? "\"<|channel|>final<|message|>\" " : "",
                rules->request->answer_gbnf);
}

enum al_code al_syntax_grammar(const struct al_syntax *syntax, const struct al_syntax_request *request,
                               struct al_buf *gbnf, bool *is_lazy, struct al_err *err)
{
  bool must_call = request->choice == AL_TOOL_REQUIRED || request->choice == AL_TOOL_FUNCTION;
  bool may_call = request->choice != AL_TOOL_NONE && al_json_count(request->tools) > 0;
  *is_lazy = false;
  if (must_call && !may_call)
    return al_fail_param(err, "tool_choice", "tool_choice asks for a call, and there are no tools");
  if (must_call && !al_syntax_has_tools(syntax))
    return al_fail_reason(
        err, al_fail(err, AL_UNSUPPORTED, "this model's chat template has no way to write tool calls that is known"),
        "tools_unsupported");
  may_call = may_call && al_syntax_has_tools(syntax);
  bool may_answer = !must_call && request->answer_gbnf != nullptr;
  if (!may_call && !may_answer)
    return AL_OK;
  bool lazy = may_call && !must_call && !may_answer;
  struct al_sx_rules rules = { .syntax = syntax, .request = request, .out = gbnf };
  al_buf_printf(gbnf, "root ::= %s%s%s%s\n%s", lazy ? "" : "sx-think ", may_call ? "sx-calls" : "",
                may_call && may_answer ? " | sx-think " : "", may_answer ? "sx-answer" : "", common);
  if (!lazy)
    think_rule(&rules, thinking(&rules));
  if (may_answer)
    answer_rule(&rules);
  if (may_call) {
    calls_rule(&rules, lazy);
    AL_TRY(tools_rules(&rules, err));
  }
  *is_lazy = lazy;
  return al_buf_check(gbnf, err);
}
