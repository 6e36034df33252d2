#include "api/tool_choice.h"

#include <stdio.h>

static enum al_code type_of(const struct al_json *object, const char *path, struct al_str *type, struct al_err *err)
{
  if (al_json_kind(object) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", object);
  AL_TRY(al_json_want_str(object, path, "type", type, nullptr, err));
  if (type->data != nullptr)
    return AL_OK;
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  return al_fail_param(err, type_path, "%s is missing", type_path);
}

static enum al_code name_of(const struct al_json *object, const char *path, struct al_str *name, struct al_err *err)
{
  AL_TRY(al_json_want_str(object, path, "name", name, nullptr, err));
  if (name->size > 0)
    return AL_OK;
  char name_path[64];
  al_api_path(name_path, sizeof name_path, path, al_str("name"));
  return al_fail_param(err, name_path, "%s is missing", name_path);
}

enum al_code al_api_tool_reference(const struct al_json *reference, const char *path, enum al_api_tool_form form,
                                   struct al_str *name, struct al_err *err)
{
  static const char *const chat_keys[] = { "type", "function", nullptr };
  static const char *const flat_keys[] = { "type", "name", nullptr };
  static const char *const name_keys[] = { "name", nullptr };
  struct al_str type = {};
  *name = (struct al_str){};
  AL_TRY(type_of(reference, path, &type, err));
  if (!al_str_is(type, "function"))
    return AL_OK;
  AL_TRY(al_api_only_keys(reference, path, form == AL_API_TOOLS_CHAT ? chat_keys : flat_keys, err));
  if (form != AL_API_TOOLS_CHAT)
    return name_of(reference, path, name, err);
  char function_path[64];
  al_api_path(function_path, sizeof function_path, path, al_str("function"));
  const struct al_json *function = al_json_get(reference, "function");
  if (al_json_kind(function) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, function_path, "an object", function);
  AL_TRY(al_api_only_keys(function, function_path, name_keys, err));
  return name_of(function, function_path, name, err);
}

/* --- OpenAI's ---------------------------------------------------------------------------------------------------- */

/* {"mode", "tools"}: Chat has it in an object of its own, Responses beside the type. */
static enum al_code read_allowed(const struct al_json *value, enum al_api_tool_form form,
                                 struct al_api_tool_choice *choice, struct al_err *err)
{
  static const char *const outer_keys[] = { "type", "allowed_tools", nullptr };
  static const char *const keys[] = { "type", "mode", "tools", nullptr };
  const char *path = "tool_choice";
  choice->allowed_path = "tool_choice.tools";
  if (form == AL_API_TOOLS_CHAT) {
    AL_TRY(al_api_only_keys(value, path, outer_keys, err));
    path = "tool_choice.allowed_tools";
    choice->allowed_path = "tool_choice.allowed_tools.tools";
    value = al_json_get(value, "allowed_tools");
    if (al_json_kind(value) != AL_JSON_OBJECT)
      return al_api_wrong_kind(err, path, "an object", value);
  }
  AL_TRY(al_api_only_keys(value, path, keys, err));
  struct al_str mode = {};
  AL_TRY(al_json_want_str(value, path, "mode", &mode, nullptr, err));
  choice->kind = al_str_is(mode, "required") ? AL_TOOL_REQUIRED : AL_TOOL_AUTO;
  char mode_path[64];
  al_api_path(mode_path, sizeof mode_path, path, al_str("mode"));
  if (!al_str_is(mode, "auto") && !al_str_is(mode, "required"))
    return al_fail_param(err, mode_path, "%s must be \"auto\" or \"required\"", mode_path);
  choice->allowed = al_json_get(value, "tools");
  if (al_json_kind(choice->allowed) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, choice->allowed_path, "an array", choice->allowed);
  return AL_OK;
}

static enum al_code read_object(const struct al_json *value, enum al_api_tool_form form,
                                struct al_api_tool_choice *choice, struct al_err *err)
{
  struct al_str type = {};
  AL_TRY(type_of(value, "tool_choice", &type, err));
  if (al_str_is(type, "allowed_tools"))
    return read_allowed(value, form, choice, err);
  AL_TRY(al_api_tool_reference(value, "tool_choice", form, &choice->function, err));
  if (choice->function.data == nullptr)
    return al_api_unsupported(err, "tool_choice.type", "tool_choice.type: only functions can be called here");
  choice->kind = AL_TOOL_FUNCTION;
  return AL_OK;
}

static enum al_code read_openai(const struct al_json *value, enum al_api_tool_form form,
                                struct al_api_tool_choice *choice, struct al_err *err)
{
  struct al_str word = al_json_str(value);
  if (al_json_kind(value) == AL_JSON_OBJECT)
    return read_object(value, form, choice, err);
  if (al_json_kind(value) != AL_JSON_STRING)
    return al_api_wrong_kind(err, "tool_choice", "a string or an object", value);
  if (al_str_is(word, "none"))
    choice->kind = AL_TOOL_NONE;
  else if (al_str_is(word, "required"))
    choice->kind = AL_TOOL_REQUIRED;
  else if (!al_str_is(word, "auto"))
    return al_fail_param(err, "tool_choice", "tool_choice must be \"none\", \"auto\", \"required\" or an object");
  return AL_OK;
}

/* --- Anthropic's ------------------------------------------------------------------------------------------------- */

static enum al_code read_anthropic(const struct al_json *value, struct al_api_tool_choice *choice, struct al_err *err)
{
  static const char *const keys[] = { "type", "disable_parallel_tool_use", nullptr };
  static const char *const tool_keys[] = { "type", "name", "disable_parallel_tool_use", nullptr };
  struct al_str type = {};
  AL_TRY(type_of(value, "tool_choice", &type, err));
  bool is_tool = al_str_is(type, "tool");
  AL_TRY(al_api_only_keys(value, "tool_choice", is_tool ? tool_keys : keys, err));
  AL_TRY(al_json_want_bool(value, "tool_choice", "disable_parallel_tool_use", &choice->one_call, nullptr, err));
  if (is_tool) {
    choice->kind = AL_TOOL_FUNCTION;
    return name_of(value, "tool_choice", &choice->function, err);
  }
  if (al_str_is(type, "any"))
    choice->kind = AL_TOOL_REQUIRED;
  else if (al_str_is(type, "none"))
    choice->kind = AL_TOOL_NONE;
  else if (!al_str_is(type, "auto"))
    return al_fail_param(err, "tool_choice.type", "tool_choice.type must be auto, any, tool or none");
  return AL_OK;
}

enum al_code al_api_tool_choice_read(const struct al_json *value, enum al_api_tool_form form,
                                     struct al_api_tool_choice *choice, struct al_err *err)
{
  *choice = (struct al_api_tool_choice){ .kind = AL_TOOL_AUTO };
  enum al_json_kind kind = al_json_kind(value);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  return form == AL_API_TOOLS_ANTHROPIC ? read_anthropic(value, choice, err) : read_openai(value, form, choice, err);
}
