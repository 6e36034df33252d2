/* Fields of a request, with errors that name them. */
#include "codec/json.h"

#include <stdio.h>

struct field {
  const struct al_json *value; /* nullptr when absent or null */
  char name[64];
};

static struct field find(const struct al_json *object, const char *path, const char *key, bool *present)
{
  struct field field = { .value = al_json_get(object, key) };
  (void)snprintf(field.name, sizeof field.name, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
  if (al_json_kind(field.value) == AL_JSON_NULL)
    field.value = nullptr;
  if (present != nullptr)
    *present = field.value != nullptr;
  return field;
}

static enum al_code wrong_kind(const struct field *field, const char *wanted, struct al_err *err)
{
  return al_fail_param(err, field->name, "'%s' must be %s, but it is of type %s", field->name, wanted,
                       al_json_kind_name(al_json_kind(field->value)));
}

enum al_code al_json_want_bool(const struct al_json *object, const char *path, const char *key, bool *out,
                               bool *present, struct al_err *err)
{
  struct field field = find(object, path, key, present);
  if (field.value == nullptr)
    return AL_OK;
  if (al_json_kind(field.value) != AL_JSON_BOOL)
    return wrong_kind(&field, "true or false", err);
  *out = al_json_bool(field.value, false);
  return AL_OK;
}

static bool is_integer(const struct al_json *value)
{
  return al_json_kind(value) == AL_JSON_INT ||
         (al_json_kind(value) == AL_JSON_REAL && al_json_int(value, 0) == al_json_int(value, 1));
}

enum al_code al_json_want_int(const struct al_json *object, const char *path, const char *key, int64_t least,
                              int64_t most, int64_t *out, bool *present, struct al_err *err)
{
  struct field field = find(object, path, key, present);
  if (field.value == nullptr)
    return AL_OK;
  enum al_json_kind kind = al_json_kind(field.value);
  if (kind != AL_JSON_INT && kind != AL_JSON_REAL)
    return wrong_kind(&field, "an integer", err);
  int64_t number = al_json_int(field.value, 0);
  if (!is_integer(field.value))
    return al_fail_param(err, field.name, "'%s' must be an integer, but it is %g", field.name,
                         al_json_real(field.value, 0));
  if (number < least || number > most)
    return al_fail_param(err, field.name, "'%s' must be between %lld and %lld, but it is %lld", field.name,
                         (long long)least, (long long)most, (long long)number);
  *out = number;
  return AL_OK;
}

enum al_code al_json_want_real(const struct al_json *object, const char *path, const char *key, double least,
                               double most, double *out, bool *present, struct al_err *err)
{
  struct field field = find(object, path, key, present);
  if (field.value == nullptr)
    return AL_OK;
  enum al_json_kind kind = al_json_kind(field.value);
  if (kind != AL_JSON_INT && kind != AL_JSON_REAL)
    return wrong_kind(&field, "a number", err);
  double number = al_json_real(field.value, 0);
  if (!(number >= least && number <= most))
    return al_fail_param(err, field.name, "'%s' must be between %g and %g, but it is %g", field.name, least, most,
                         number);
  *out = number;
  return AL_OK;
}

enum al_code al_json_want_str(const struct al_json *object, const char *path, const char *key, struct al_str *out,
                              bool *present, struct al_err *err)
{
  struct field field = find(object, path, key, present);
  if (field.value == nullptr)
    return AL_OK;
  if (al_json_kind(field.value) != AL_JSON_STRING)
    return wrong_kind(&field, "a string", err);
  *out = al_json_str(field.value);
  return AL_OK;
}
