#include "api/tools.h"

#include "api/tool_choice.h"
#include "base/alloc.h"

#include <stdio.h>

constexpr size_t MAX_TOOLS = 1024;
constexpr size_t MAX_NAME = 128;

struct function { /* one tool that can be called; borrowed from the body */
  struct al_str name;
  struct al_str description; /* data nullptr: none */
  const struct al_json *parameters;
  const struct al_json *whole; /* the tool itself, when it has Chat's form already */
  bool has_strict, strict;
  char path[64]; /* of the object that holds the name */
};

struct reading {
  enum al_api_tool_form form;
  struct function *functions; /* [MAX_TOOLS], owned */
  size_t n_functions;
};

static void reading_done(struct reading *reading)
{
  al_free(reading->functions);
}

/* --- one tool ---------------------------------------------------------------------------------------------------- */

static bool is_name(struct al_str name)
{
  if (name.size == 0 || name.size > MAX_NAME)
    return false;
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
      return false;
  }
  return true;
}

static enum al_code read_name(const struct al_json *object, struct function *function, struct al_err *err)
{
  char path[64];
  al_api_path(path, sizeof path, function->path, al_str("name"));
  bool present = false;
  AL_TRY(al_json_want_str(object, function->path, "name", &function->name, &present, err));
  if (!present)
    return al_fail_param(err, path, "%s is missing", path);
  if (!is_name(function->name))
    return al_fail_param(err, path, "%s must be 1 to %zu letters, digits, '_', '-' or '.'", path, MAX_NAME);
  return AL_OK;
}

static enum al_code read_schema(const struct al_json *object, const char *key, struct function *function,
                                struct al_err *err)
{
  const struct al_json *schema = al_json_get(object, key);
  enum al_json_kind kind = al_json_kind(schema);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  char path[64];
  al_api_path(path, sizeof path, function->path, al_str(key));
  if (kind != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", schema);
  function->parameters = schema;
  return AL_OK;
}

static enum al_code read_members(const struct al_json *object, const char *schema_key, struct function *function,
                                 struct al_err *err)
{
  AL_TRY(read_name(object, function, err));
  AL_TRY(al_json_want_str(object, function->path, "description", &function->description, nullptr, err));
  AL_TRY(al_json_want_bool(object, function->path, "strict", &function->strict, &function->has_strict, err));
  return read_schema(object, schema_key, function, err);
}

static enum al_code read_chat(const struct al_json *tool, const char *path, struct function *function,
                              struct al_err *err)
{
  static const char *const keys[] = { "type", "function", nullptr };
  static const char *const function_keys[] = { "name", "description", "parameters", "strict", nullptr };
  AL_TRY(al_api_only_keys(tool, path, keys, err));
  al_api_path(function->path, sizeof function->path, path, al_str("function"));
  const struct al_json *object = al_json_get(tool, "function");
  if (al_json_kind(object) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, function->path, "an object", object);
  AL_TRY(al_api_only_keys(object, function->path, function_keys, err));
  AL_TRY(read_members(object, "parameters", function, err));
  bool has_null = false; /* null means absent, but a template would write it down */
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it))
    has_null |= al_json_kind(it.value) == AL_JSON_NULL;
  function->whole = has_null ? nullptr : tool;
  return AL_OK;
}

static enum al_code read_responses(const struct al_json *tool, const char *path, struct function *function,
                                   struct al_err *err)
{
  static const char *const keys[] = { "type", "name", "description", "parameters", "strict", nullptr };
  AL_TRY(al_api_only_keys(tool, path, keys, err));
  (void)snprintf(function->path, sizeof function->path, "%s", path);
  return read_members(tool, "parameters", function, err);
}

static enum al_code read_anthropic(const struct al_json *tool, const char *path, struct function *function,
                                   struct al_err *err)
{
  /* cache_control marks a prefix, and every prefix is cached; eager_input_streaming asks for what happens anyway. */
  static const char *const keys[] = { "type",          "name",   "description",           "input_schema",
                                      "cache_control", "strict", "eager_input_streaming", nullptr };
  AL_TRY(al_api_only_keys(tool, path, keys, err));
  (void)snprintf(function->path, sizeof function->path, "%s", path);
  AL_TRY(read_members(tool, "input_schema", function, err));
  if (function->parameters != nullptr)
    return AL_OK;
  char schema_path[64];
  al_api_path(schema_path, sizeof schema_path, path, al_str("input_schema"));
  return al_fail_param(err, schema_path, "%s is missing", schema_path);
}

/* *is_function false: of another type, which is accepted and never called. */
static enum al_code read_type(const struct al_json *tool, const char *path, enum al_api_tool_form form,
                              bool *is_function, struct al_err *err)
{
  if (al_json_kind(tool) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", tool);
  struct al_str type = {};
  bool present = false;
  AL_TRY(al_json_want_str(tool, path, "type", &type, &present, err));
  if (form == AL_API_TOOLS_ANTHROPIC) {
    *is_function = !present || al_str_is(type, "custom");
    return AL_OK;
  }
  *is_function = al_str_is(type, "function");
  if (present && type.size > 0)
    return AL_OK;
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  return al_fail_param(err, type_path, "%s is missing", type_path);
}

static enum al_code read_tool(struct reading *reading, const struct al_json *tool, const char *path, struct al_err *err)
{
  typedef enum al_code read_fn(const struct al_json *tool, const char *path, struct function *function,
                               struct al_err *err);
  static read_fn *const readers[] = {
    [AL_API_TOOLS_CHAT] = read_chat,
    [AL_API_TOOLS_RESPONSES] = read_responses,
    [AL_API_TOOLS_ANTHROPIC] = read_anthropic,
  };
  bool is_function = false;
  AL_TRY(read_type(tool, path, reading->form, &is_function, err));
  if (!is_function)
    return AL_OK;
  struct function *function = &reading->functions[reading->n_functions];
  *function = (struct function){};
  AL_TRY(readers[reading->form](tool, path, function, err));
  for (size_t i = 0; i < reading->n_functions; i++)
    if (al_str_eq(reading->functions[i].name, function->name)) {
      char name_path[64];
      al_api_path(name_path, sizeof name_path, function->path, al_str("name"));
      return al_fail_param(err, name_path, "%s: another tool has this name already", name_path);
    }
  reading->n_functions++;
  return AL_OK;
}

static enum al_code read_all(struct reading *reading, const struct al_json *tools, struct al_err *err)
{
  enum al_json_kind kind = al_json_kind(tools);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  if (kind != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, "tools", "an array", tools);
  size_t count = al_json_count(tools);
  if (count > MAX_TOOLS)
    return al_fail_param(err, "tools", "tools may have at most %zu elements, not %zu", MAX_TOOLS, count);
  if (count == 0)
    return AL_OK;
  reading->functions = al_calloc(count, sizeof *reading->functions);
  if (reading->functions == nullptr)
    return al_fail_oom(err, count * sizeof *reading->functions);
  struct al_json_iter it = al_json_iter(tools);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "tools[%zu]", it.index);
    AL_TRY(read_tool(reading, it.value, path, err));
  }
  return AL_OK;
}

/* --- the choice among them --------------------------------------------------------------------------------------- */

static bool has(const struct reading *reading, struct al_str name)
{
  for (size_t i = 0; i < reading->n_functions; i++)
    if (al_str_eq(reading->functions[i].name, name))
      return true;
  return false;
}

/* Drops the functions that allowed_tools does not name: the model does not see them. */
static enum al_code keep_allowed(struct reading *reading, const struct al_api_tool_choice *choice, struct al_err *err)
{
  size_t n_kept = 0; /* the functions before it are allowed */
  struct al_json_iter it = al_json_iter(choice->allowed);
  while (al_json_next(&it)) {
    char path[64];
    (void)snprintf(path, sizeof path, "%s[%zu]", choice->allowed_path, it.index);
    struct al_str name = {};
    AL_TRY(al_api_tool_reference(it.value, path, reading->form, &name, err));
    if (name.data != nullptr && !has(reading, name))
      return al_fail_param(err, path, "%s: there is no such function in tools", path);
    for (size_t i = n_kept; i < reading->n_functions && name.data != nullptr; i++) {
      if (!al_str_eq(reading->functions[i].name, name))
        continue;
      struct function found = reading->functions[i];
      memmove(&reading->functions[n_kept + 1], &reading->functions[n_kept], (i - n_kept) * sizeof found);
      reading->functions[n_kept++] = found;
    }
  }
  reading->n_functions = n_kept;
  return AL_OK;
}

static enum al_code take_choice(const struct reading *reading, const struct al_api_tool_choice *choice,
                                struct al_api_text_params *params, struct al_err *err)
{
  params->tool_choice = choice->kind;
  if (choice->one_call)
    params->parallel_tool_calls = false;
  bool must_call = choice->kind == AL_TOOL_REQUIRED || choice->kind == AL_TOOL_FUNCTION;
  if (must_call && reading->n_functions == 0)
    return al_fail_param(err, "tool_choice", "tool_choice asks for a call, but there is no function in tools");
  if (choice->kind != AL_TOOL_FUNCTION)
    return AL_OK;
  if (!has(reading, choice->function))
    return al_fail_param(err, "tool_choice", "tool_choice names '%.*s', but tools has no such function",
                         (int)al_min_size(choice->function.size, MAX_NAME), choice->function.data);
  params->tool_function = al_arena_strndup(params->arena, choice->function.data, choice->function.size);
  return params->tool_function != nullptr ? AL_OK : al_fail_oom(err, choice->function.size);
}

/* --- the one form ------------------------------------------------------------------------------------------------ */

static void write_function(struct al_json_writer *w, const struct function *function)
{
  if (function->whole != nullptr) {
    al_jw_value(w, function->whole);
    return;
  }
  al_jw_object(w);
  al_jw_kv_str(w, "type", "function");
  al_jw_key(w, "function");
  al_jw_object(w);
  al_jw_kv_str_n(w, "name", function->name);
  if (function->description.data != nullptr)
    al_jw_kv_str_n(w, "description", function->description);
  if (function->parameters != nullptr)
    al_jw_kv_value(w, "parameters", function->parameters);
  if (function->has_strict)
    al_jw_kv_bool(w, "strict", function->strict);
  al_jw_end(w);
  al_jw_end(w);
}

static enum al_code write_all(const struct reading *reading, struct al_api_text_params *params, struct al_err *err)
{
  if (reading->n_functions == 0)
    return AL_OK;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_array(&w);
  for (size_t i = 0; i < reading->n_functions; i++)
    write_function(&w, &reading->functions[i]);
  al_jw_end(&w);
  AL_TRY(al_buf_check(&text, err));
  params->tools = al_str_n(al_arena_strndup(params->arena, text.data, text.size), text.size);
  return params->tools.data != nullptr ? AL_OK : al_fail_oom(err, text.size);
}

enum al_code al_api_tools_read(const struct al_json *tools, const struct al_json *choice, enum al_api_tool_form form,
                               struct al_api_text_params *params, struct al_err *err)
{
  AL_CLEANUP(reading_done) struct reading reading = { .form = form };
  struct al_api_tool_choice chosen = {};
  AL_TRY(al_api_tool_choice_read(choice, form, &chosen, err));
  AL_TRY(read_all(&reading, tools, err));
  if (chosen.allowed != nullptr)
    AL_TRY(keep_allowed(&reading, &chosen, err));
  AL_TRY(take_choice(&reading, &chosen, params, err));
  return write_all(&reading, params, err);
}
