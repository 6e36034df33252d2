#include "api/params.h"

#include <stdarg.h>
#include <stdio.h>

static void *field_of(const struct al_api_param *param, void *target)
{
  return (char *)target + param->offset;
}

void al_api_path(char *out, size_t size, const char *path, struct al_str key)
{
  size_t length = 0;
  out[0] = '\0';
  if (path[0] != '\0')
    length = (size_t)snprintf(out, size, "%s.", path);
  for (size_t i = 0; i < key.size && length + 1 < size; i++) {
    char c = key.data[i];
    out[length++] = c >= ' ' && c < 0x7f ? c : '?';
    out[length] = '\0';
  }
}

static const struct al_api_param *find(const struct al_api_param_table *tables, size_t n_tables, struct al_str name)
{
  for (size_t t = 0; t < n_tables; t++)
    for (size_t i = 0; i < tables[t].count; i++)
      if (al_str_is(name, tables[t].params[i].name))
        return &tables[t].params[i];
  return nullptr;
}

static enum al_code unknown(const char *path, struct al_str key, struct al_err *err)
{
  char name[sizeof err->param];
  al_api_path(name, sizeof name, path, key);
  return al_fail_reason(err, al_fail_param(err, name, "Unknown parameter: '%s'", name), "unknown_parameter");
}

enum al_code al_api_params_read(const struct al_api_param_table *tables, size_t n_tables, const struct al_json *body,
                                void *target, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(body);
  while (al_json_next(&it)) {
    const struct al_api_param *param = find(tables, n_tables, it.key);
    if (param == nullptr)
      return unknown("", it.key, err);
    if (al_json_kind(it.value) != AL_JSON_NULL)
      AL_TRY(param->read(param, body, target, err));
  }
  return AL_OK;
}

enum al_code al_api_only_keys(const struct al_json *object, const char *path, const char *const *keys,
                              struct al_err *err)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it)) {
    const char *const *key = keys;
    while (*key != nullptr && !al_str_is(it.key, *key))
      key++;
    if (*key == nullptr)
      return unknown(path, it.key, err);
  }
  return AL_OK;
}

enum al_code al_api_unsupported(struct al_err *err, const char *path, const char *format, ...)
{
  char message[sizeof err->message];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  (void)!al_fail_param(err, path, "%s", message);
  if (err != nullptr)
    err->code = AL_UNSUPPORTED;
  return al_fail_reason(err, AL_UNSUPPORTED, "unsupported_parameter");
}

enum al_code al_api_missing(struct al_err *err, const char *name)
{
  return al_fail_reason(err, al_fail_param(err, name, "Missing required parameter: '%s'", name),
                        "missing_required_parameter");
}

enum al_code al_api_wrong_kind(struct al_err *err, const char *path, const char *expected, const struct al_json *value)
{
  return al_fail_param(err, path, "'%s' must be %s, but it is of type %s", path, expected,
                       al_json_kind_name(al_json_kind(value)));
}

enum al_code al_api_read_bool(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  return al_json_want_bool(body, "", param->name, field_of(param, target), nullptr, err);
}

enum al_code al_api_read_int64(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  return al_json_want_int(body, "", param->name, (int64_t)param->least, (int64_t)param->most, field_of(param, target),
                          nullptr, err);
}

enum al_code al_api_read_int(const struct al_api_param *param, const struct al_json *body, void *target,
                             struct al_err *err)
{
  int64_t value = 0;
  AL_TRY(al_json_want_int(body, "", param->name, (int64_t)param->least, (int64_t)param->most, &value, nullptr, err));
  *(int *)field_of(param, target) = (int)value;
  return AL_OK;
}

enum al_code al_api_read_float(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  double value = 0;
  AL_TRY(al_json_want_real(body, "", param->name, param->least, param->most, &value, nullptr, err));
  *(float *)field_of(param, target) = (float)value;
  return AL_OK;
}

enum al_code al_api_read_value(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  (void)err;
  *(const struct al_json **)field_of(param, target) = al_json_get(body, param->name);
  return AL_OK;
}

enum al_code al_api_read_array(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array", value);
  *(const struct al_json **)field_of(param, target) = value;
  return AL_OK;
}

enum al_code al_api_check_str(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  (void)target;
  struct al_str value = {};
  return al_json_want_str(body, "", param->name, &value, nullptr, err);
}

static bool is_word_of(struct al_str word, const char *words)
{
  for (const char *at = words; *at != '\0';) {
    size_t length = strcspn(at, "|");
    if (al_str_eq(word, al_str_n(at, length)))
      return true;
    at += length + (at[length] == '|');
  }
  return false;
}

enum al_code al_api_check_word(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  (void)target;
  struct al_str value = {};
  AL_TRY(al_json_want_str(body, "", param->name, &value, nullptr, err));
  if (is_word_of(value, param->words))
    return AL_OK;
  return al_api_unsupported(err, param->name, "%s: this value is not supported here; possible: %s", param->name,
                            param->words);
}

enum al_code al_api_check_false(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  bool value = false;
  (void)target;
  AL_TRY(al_json_want_bool(body, "", param->name, &value, nullptr, err));
  return value ? al_api_unsupported(err, param->name, "%s: true is not supported: %s", param->name, param->words)
               : AL_OK;
}

enum al_code al_api_check_empty(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  (void)target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array", value);
  return al_json_count(value) == 0
             ? AL_OK
             : al_api_unsupported(err, param->name, "%s is not supported: %s", param->name, param->words);
}

enum al_code al_api_refuse(const struct al_api_param *param, const struct al_json *body, void *target,
                           struct al_err *err)
{
  (void)body;
  (void)target;
  return al_api_unsupported(err, param->name, "%s is not supported: %s", param->name, param->words);
}
