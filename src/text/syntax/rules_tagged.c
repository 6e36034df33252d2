/* Grammars for arguments in tags: the tool's parameters in the order of its schema, strings as they are, all other
 * values as JSON. What a raw string cannot be held to is refused. */
#include "text/syntax/match.h"
#include "text/syntax/rules.h"
#include "text/syntax/types.h"

#include <stdio.h>

constexpr int64_t MAX_LENGTH = 1'000'000;

struct param {
  const struct al_json *root; /* the tool's parameters */
  const struct al_json *schema;
  struct al_str key;
  char name[64]; /* of its rule */
  char path[160];
};

static enum al_code refuse(const char *path, const char *keyword, const char *why, struct al_err *err)
{
  char full[200];
  (void)snprintf(full, sizeof full, "%s.%s", path, keyword);
  enum al_code code = al_fail_param(err, full, "%s %s", full, why);
  if (err != nullptr)
    err->code = AL_UNSUPPORTED;
  (void)code;
  return AL_UNSUPPORTED;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static void value_close(struct al_sx_rules *rules)
{
  const struct al_sx_tags *tags = rules->syntax->tags;
  if (tags->has_own_lines)
    al_buf_str(rules->out, "\"\\n\" ");
  al_sx_rules_literal(rules->out, al_str(tags->value_close), false);
  al_buf_char(rules->out, '\n');
}

static enum al_code enum_rule(struct al_sx_rules *rules, const struct param *p, const struct al_json *values,
                              struct al_err *err)
{
  al_buf_printf(rules->out, "%s ::= ( ", p->name);
  struct al_json_iter it = al_json_iter(values);
  for (bool is_first = true; al_json_next(&it); is_first = false) {
    struct al_str text = al_json_str(it.value);
    if (memmem(text.data, text.size, rules->syntax->tags->value_close, strlen(rules->syntax->tags->value_close)))
      return refuse(p->path, "enum", "holds what ends a value in this model's syntax", err);
    al_buf_str(rules->out, is_first ? "" : "| ");
    al_sx_rules_literal(rules->out, text, false);
    al_buf_str(rules->out, text.size == 0 ? "\"\" " : "");
  }
  al_buf_str(rules->out, ") ");
  value_close(rules);
  return AL_OK;
}

static const char *format_class(struct al_str format)
{
  static const struct {
    const char *name, *gbnf;
  } formats[] = {
    { "date", "[0-9]{4} \"-\" (\"0\" [1-9] | \"1\" [0-2]) \"-\" (\"0\" [1-9] | \"1\" [0-9] | \"2\" [0-8])" },
    { "time", "([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9] \":\" [0-5] [0-9] \"Z\"" },
    { "date-time", "[0-9]{4} \"-\" (\"0\" [1-9] | \"1\" [0-2]) \"-\" (\"0\" [1-9] | \"1\" [0-9] | \"2\" [0-8]) \"T\" "
                   "([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9] \":\" [0-5] [0-9] \"Z\"" },
    { "uuid", "[0-9a-f]{8} \"-\" [0-9a-f]{4} \"-\" [0-9a-f]{4} \"-\" [0-9a-f]{4} \"-\" [0-9a-f]{12}" },
    { "email",
      "[a-zA-Z0-9_]{1,32} (\".\" [a-zA-Z0-9_]{1,32}){0,4} \"@\" [a-zA-Z0-9]{1,32} (\".\" [a-zA-Z0-9]{1,32}){1,4}" },
  };
  for (size_t i = 0; i < AL_COUNT(formats); i++)
    if (al_str_is(format, formats[i].name))
      return formats[i].gbnf;
  return nullptr;
}

/* Bounded lengths leave out '<', so that the end is where it seems to be. */
static void length_rule(struct al_sx_rules *rules, const struct param *p)
{
  int64_t least = al_json_int(al_json_get(p->schema, "minLength"), 0);
  int64_t most = al_json_int(al_json_get(p->schema, "maxLength"), -1);
  al_buf_printf(rules->out, "%s ::= [^<]{%lld,", p->name, (long long)least);
  if (most >= 0)
    al_buf_printf(rules->out, "%lld", (long long)most);
  al_buf_str(rules->out, "} ");
  value_close(rules);
}

static enum al_code check_length(const struct param *p, const char *keyword, struct al_err *err)
{
  const struct al_json *value = al_json_get(p->schema, keyword);
  int64_t length = al_json_int(value, -1);
  if (value != nullptr && (length < 0 || length > MAX_LENGTH))
    return refuse(p->path, keyword, "must be a length, and not a very large one", err);
  return AL_OK;
}

static enum al_code check_lengths(const struct param *p, struct al_err *err)
{
  AL_TRY(check_length(p, "minLength", err));
  AL_TRY(check_length(p, "maxLength", err));
  const struct al_json *most = al_json_get(p->schema, "maxLength");
  if (most != nullptr && al_json_int(al_json_get(p->schema, "minLength"), 0) > al_json_int(most, 0))
    return refuse(p->path, "minLength", "is above maxLength: no string is allowed", err);
  return AL_OK;
}

static enum al_code raw_string(struct al_sx_rules *rules, const struct param *p, struct al_err *err)
{
  static const char *const refused[] = { "pattern", "anyOf", "oneOf", "allOf", "not", "if", "contentEncoding" };
  for (size_t i = 0; i < AL_COUNT(refused); i++)
    if (al_json_get(p->schema, refused[i]) != nullptr)
      return refuse(p->path, refused[i], "cannot be enforced where the model writes strings without quotes", err);
  AL_TRY(check_lengths(p, err));
  bool has_length = al_json_get(p->schema, "minLength") != nullptr || al_json_get(p->schema, "maxLength") != nullptr;
  const struct al_json *format = al_json_get(p->schema, "format");
  const struct al_json *one = al_json_get(p->schema, "const");
  const struct al_json *values = al_json_get(p->schema, "enum");
  const char *format_gbnf = format_class(al_json_str(format));
  int n_forms =
      (has_length ? 1 : 0) + (format != nullptr ? 1 : 0) + (one != nullptr ? 1 : 0) + (values != nullptr ? 1 : 0);
  if (n_forms > 1)
    return refuse(p->path, "type", "has more than one constraint where the model writes strings without quotes", err);
  if (format != nullptr && format_gbnf == nullptr)
    return refuse(p->path, "format", "is not one that can be enforced", err);
  if (values != nullptr)
    return enum_rule(rules, p, values, err);
  if (has_length) {
    length_rule(rules, p);
  } else if (one == nullptr && format == nullptr) {
    al_sx_rules_until(rules->out, p->name, rules->syntax->tags->value_close);
  } else {
    al_buf_printf(rules->out, "%s ::= ", p->name);
    if (one != nullptr)
      al_sx_rules_literal(rules->out, al_json_str(one), false);
    else
      al_buf_printf(rules->out, "%s ", format_gbnf);
    value_close(rules);
  }
  return AL_OK;
}

/* Rule p->name: the value and its end. */
static enum al_code value_rule(struct al_sx_rules *rules, struct param *p, struct al_err *err)
{
  if (al_sx_types(p->root, p->schema) == AL_SX_TYPE_STRING) {
    struct param resolved = *p;
    resolved.schema = al_sx_resolve(p->root, p->schema);
    return raw_string(rules, &resolved, err);
  }
  char json[80];
  (void)snprintf(json, sizeof json, "%s-json", p->name);
  al_buf_printf(rules->out, "%s ::= %s ", p->name, json);
  value_close(rules);
  return al_sx_rules_schema(rules, p->root, p->schema, nullptr, json, p->path, err);
}

/* --- parameters -------------------------------------------------------------------------------------------------- */

static void param_open(struct al_sx_rules *rules, const char *key_gbnf, struct al_str key)
{
  const struct al_sx_tags *tags = rules->syntax->tags;
  al_sx_rules_literal(rules->out, al_str(tags->param_open), false);
  if (key_gbnf != nullptr)
    al_buf_str(rules->out, key_gbnf);
  else
    al_sx_rules_literal(rules->out, key, false);
  al_sx_rules_literal(rules->out, al_str(tags->key_close), false);
  if (tags->value_open != nullptr) {
    al_buf_str(rules->out, "sx-ws ");
    al_sx_rules_literal(rules->out, al_str(tags->value_open), false);
  }
  al_buf_str(rules->out, tags->has_own_lines ? "\"\\n\" " : "");
}

/* No schema: any keys, and any text as values. */
static void free_params(struct al_sx_rules *rules, const char *name)
{
  char value[64];
  (void)snprintf(value, sizeof value, "%s-v", name);
  al_buf_printf(rules->out, "%s ::= ( ", name);
  param_open(rules, "[a-zA-Z_] [a-zA-Z0-9_]{0,63} ", (struct al_str){});
  al_buf_printf(rules->out, "%s sx-ws )?\n", value);
  al_sx_rules_until(rules->out, value, rules->syntax->tags->value_close);
}

static bool is_required(const struct al_json *parameters, struct al_str key)
{
  struct al_json_iter it = al_json_iter(al_json_get(parameters, "required"));
  while (al_json_next(&it))
    if (al_str_eq(al_json_str(it.value), key))
      return true;
  return false;
}

static enum al_code check_object(const struct al_json *schema, const char *path, struct al_err *err)
{
  static const char *const refused[] = { "anyOf",
                                         "oneOf",
                                         "allOf",
                                         "not",
                                         "if",
                                         "minProperties",
                                         "maxProperties",
                                         "patternProperties",
                                         "propertyNames",
                                         "dependentRequired",
                                         "dependentSchemas",
                                         "unevaluatedProperties",
                                         "enum",
                                         "const" };
  for (size_t i = 0; i < AL_COUNT(refused); i++)
    if (al_json_get(schema, refused[i]) != nullptr)
      return refuse(path, refused[i], "cannot be enforced in this model's syntax", err);
  const struct al_json *type = al_json_get(schema, "type");
  if (type != nullptr && !al_str_is(al_json_str(type), "object"))
    return refuse(path, "type", "of a function's parameters must be object", err);
  struct al_json_iter it = al_json_iter(al_json_get(schema, "required"));
  while (al_json_next(&it))
    if (al_json_kind(al_json_get(schema, "properties")) != AL_JSON_OBJECT ||
        al_sx_parameter(schema, al_json_str(it.value)) == nullptr)
      return refuse(path, "required", "names a property that is not described", err);
  return AL_OK;
}

static enum al_code param_rules(struct al_sx_rules *rules, struct param *p, struct al_err *err)
{
  struct al_str close = al_str(rules->syntax->tags->key_close);
  if (p->key.size == 0 || memmem(p->key.data, p->key.size, close.data, close.size) != nullptr)
    return refuse(p->path, "name", "cannot be written in this model's syntax", err);
  al_buf_printf(rules->out, "%s-p ::= ", p->name);
  param_open(rules, nullptr, p->key);
  al_buf_printf(rules->out, "%s sx-ws\n", p->name);
  return value_rule(rules, p, err);
}

enum al_code al_sx_rules_tagged(struct al_sx_rules *rules, const struct al_sx_tool_rule *tool, const char *name,
                                struct al_err *err)
{
  const struct al_json *schema = al_sx_resolve(tool->parameters, tool->parameters);
  if (al_sx_takes_anything(tool->parameters)) {
    free_params(rules, name);
    return AL_OK;
  }
  if (al_json_kind(schema) != AL_JSON_OBJECT)
    return al_fail_param(err, tool->path, "%s must be a JSON schema for an object", tool->path);
  AL_TRY(check_object(schema, tool->path, err));
  const struct al_json *properties = al_json_get(schema, "properties");
  al_buf_printf(rules->out, "%s ::= \"\" ", name);
  struct al_json_iter it = al_json_iter(properties);
  while (al_json_next(&it))
    al_buf_printf(rules->out, "%s-%zu-p%s ", name, it.index, is_required(schema, it.key) ? "" : "?");
  al_buf_char(rules->out, '\n');
  it = al_json_iter(properties);
  while (al_json_next(&it)) {
    struct param p = { .root = tool->parameters, .schema = it.value, .key = it.key };
    (void)snprintf(p.name, sizeof p.name, "%s-%zu", name, it.index);
    (void)snprintf(p.path, sizeof p.path, "%s.properties.%.*s", tool->path, (int)al_min_size(it.key.size, 64),
                   it.key.data);
    AL_TRY(param_rules(rules, &p, err));
  }
  return AL_OK;
}
