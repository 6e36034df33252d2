#include "api/format.h"

#include <stdio.h>

constexpr size_t MAX_GRAMMAR = (size_t)256 << 10;
constexpr size_t MAX_NAME = 64;

/* A request may ask for one form alone. */
static enum al_code take(struct al_api_text_params *params, enum al_text_format format, const char *path,
                         struct al_err *err)
{
  if (params->format != AL_FORMAT_TEXT)
    return al_fail_param(err, path, "%s contradicts %s: an answer has one form", path, params->format_path);
  params->format = format;
  params->format_path = path;
  return AL_OK;
}

static enum al_code take_schema(struct al_api_text_params *params, const struct al_json *schema, const char *path,
                                struct al_err *err)
{
  enum al_json_kind kind = al_json_kind(schema);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return al_fail_param(err, path, "%s is missing", path);
  if (kind != AL_JSON_OBJECT && kind != AL_JSON_BOOL)
    return al_api_wrong_kind(err, path, "an object", schema);
  AL_TRY(take(params, AL_FORMAT_JSON_SCHEMA, path, err));
  params->schema = schema;
  return AL_OK;
}

/* "path.key", kept as long as the request. */
static enum al_code path_of(struct al_api_text_params *params, const char *path, const char *key, const char **joined,
                            struct al_err *err)
{
  char text[64];
  al_api_path(text, sizeof text, path, al_str(key));
  *joined = al_arena_strndup(params->arena, text, strlen(text));
  return *joined != nullptr ? AL_OK : al_fail_oom(err, sizeof text);
}

enum al_code al_api_schema_read(const struct al_json *object, const char *key, const char *path,
                                struct al_api_text_params *params, struct al_err *err)
{
  AL_TRY(path_of(params, path, key, &path, err));
  return take_schema(params, al_json_get(object, key), path, err);
}

static enum al_code check_name(const struct al_json *object, const char *path, struct al_err *err)
{
  char name_path[64];
  al_api_path(name_path, sizeof name_path, path, al_str("name"));
  struct al_str name = {}, description = {};
  AL_TRY(al_json_want_str(object, path, "name", &name, nullptr, err));
  AL_TRY(al_json_want_str(object, path, "description", &description, nullptr, err));
  if (name.data == nullptr)
    return al_fail_param(err, name_path, "%s is missing", name_path);
  if (name.size == 0 || name.size > MAX_NAME)
    return al_fail_param(err, name_path, "%s must be 1 to %zu bytes long", name_path, MAX_NAME);
  bool strict = false; /* a schema is always held to */
  return al_json_want_bool(object, path, "strict", &strict, nullptr, err);
}

static enum al_code read_schema(const struct al_json *format, const char *path, enum al_api_format_form form,
                                struct al_api_text_params *params, struct al_err *err)
{
  static const char *const outer_keys[] = { "type", "json_schema", nullptr };
  static const char *const inner_keys[] = { "name", "description", "schema", "strict", nullptr };
  static const char *const flat_keys[] = { "type", "name", "description", "schema", "strict", nullptr };
  if (form == AL_API_FORMAT_CHAT) {
    AL_TRY(al_api_only_keys(format, path, outer_keys, err));
    AL_TRY(path_of(params, path, "json_schema", &path, err));
    format = al_json_get(format, "json_schema");
    if (al_json_kind(format) != AL_JSON_OBJECT)
      return al_api_wrong_kind(err, path, "an object", format);
  }
  AL_TRY(al_api_only_keys(format, path, form == AL_API_FORMAT_CHAT ? inner_keys : flat_keys, err));
  AL_TRY(check_name(format, path, err));
  return al_api_schema_read(format, "schema", path, params, err);
}

static enum al_code read_object(const struct al_json *format, const char *path, enum al_api_format_form form,
                                struct al_api_text_params *params, struct al_err *err)
{
  static const char *const keys[] = { "type", nullptr };
  static const char *const schema_keys[] = { "type", "schema", nullptr };
  AL_TRY(al_api_only_keys(format, path, form == AL_API_FORMAT_CHAT ? schema_keys : keys, err));
  const struct al_json *schema = al_json_get(format, "schema");
  if (schema == nullptr || al_json_kind(schema) == AL_JSON_NULL)
    return take(params, AL_FORMAT_JSON_OBJECT, path, err);
  return al_api_schema_read(format, "schema", path, params, err);
}

enum al_code al_api_format_read(const struct al_json *format, const char *path, enum al_api_format_form form,
                                struct al_api_text_params *params, struct al_err *err)
{
  static const char *const keys[] = { "type", nullptr };
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  if (al_json_kind(format) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", format);
  struct al_str type = {};
  AL_TRY(al_json_want_str(format, path, "type", &type, nullptr, err));
  if (al_str_is(type, "text"))
    return al_api_only_keys(format, path, keys, err);
  if (al_str_is(type, "json_object"))
    return read_object(format, path, form, params, err);
  if (al_str_is(type, "json_schema"))
    return read_schema(format, path, form, params, err);
  if (al_str_is(type, "grammar") || al_str_is(type, "python"))
    return al_api_unsupported(err, type_path, "%s: not supported; send GBNF as \"grammar\"", type_path);
  return al_fail_param(err, type_path, "%s must be text, json_object or json_schema", type_path);
}

enum al_code al_api_read_grammar(const struct al_api_param *param, const struct al_json *body, void *target,
                                 struct al_err *err)
{
  struct al_api_text_params *params = target;
  AL_TRY(al_json_want_str(body, "", param->name, &params->grammar, nullptr, err));
  if (params->grammar.size > MAX_GRAMMAR)
    return al_fail_param(err, param->name, "grammar may have at most %zu bytes", MAX_GRAMMAR);
  return params->grammar.size == 0 ? AL_OK : take(params, AL_FORMAT_GRAMMAR, param->name, err);
}

enum al_code al_api_read_json_schema(const struct al_api_param *param, const struct al_json *body, void *target,
                                     struct al_err *err)
{
  return take_schema(target, al_json_get(body, param->name), param->name, err);
}
