#include "engine/diffusion/config_reader.h"

#include "base/buf.h"
#include "codec/json_python.h"
#include "os/file.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

constexpr size_t MAX_CONFIG_BYTES = (size_t)1 << 20;
constexpr int MAX_NUMBER = 1 << 20; /* of a list's numbers; who reads them bounds them further */

void al_config_fail(struct al_config_reader *reader, enum al_code code, const char *format, ...)
{
  if (reader->code != AL_OK)
    return;
  char text[300];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  reader->code = al_fail(reader->err, code, "%s: %s", reader->file, text);
}

bool al_config_has(const struct al_config_reader *reader, const char *key)
{
  enum al_json_kind kind = al_json_kind(al_json_get(reader->root, key));
  return kind != AL_JSON_ABSENT && kind != AL_JSON_NULL;
}

static bool is_number(enum al_json_kind kind)
{
  return kind == AL_JSON_INT || kind == AL_JSON_REAL;
}

static bool is_value(const struct al_json *value, const char *must)
{
  enum al_json_kind kind = al_json_kind(value);
  if (kind == AL_JSON_STRING)
    return al_str_is(al_json_str(value), must);
  if (kind == AL_JSON_BOOL)
    return al_streq(must, al_json_bool(value, false) ? "true" : "false");
  return is_number(kind) && al_json_real(value, NAN) == strtod(must, nullptr);
}

static const struct al_config_key *find_key(const struct al_config_key *keys, size_t n_keys, struct al_str key)
{
  for (size_t i = 0; i < n_keys; i++)
    if (al_str_is(key, keys[i].key))
      return &keys[i];
  return nullptr;
}

static void check_member(struct al_config_reader *reader, const struct al_config_key *known, struct al_str key,
                         const struct al_json *value)
{
  enum al_json_kind kind = al_json_kind(value);
  bool off = kind == AL_JSON_NULL || (kind == AL_JSON_BOOL && !al_json_bool(value, true));
  int shown = (int)al_min_size(key.size, 80);
  if (known == nullptr && !off)
    al_config_fail(reader, AL_UNSUPPORTED, "\"%.*s\" is not known here", shown, key.data);
  if (known == nullptr || known->must == nullptr || kind == AL_JSON_NULL || is_value(value, known->must))
    return;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_json_print(&text, value);
  al_config_fail(reader, AL_UNSUPPORTED, "\"%.*s\" is %.60s; only %s can be computed", shown, key.data,
                 text.data != nullptr ? text.data : "?", known->must);
}

void al_config_reader_check(struct al_config_reader *reader, const struct al_config_key *keys, size_t n_keys)
{
  if (al_json_kind(reader->root) != AL_JSON_OBJECT) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "no JSON object");
    return;
  }
  struct al_json_iter it = al_json_iter(reader->root);
  while (reader->code == AL_OK && al_json_next(&it))
    if (it.key.size == 0 || it.key.data[0] != '_') /* "_diffusers_version" and the like */
      check_member(reader, find_key(keys, n_keys, it.key), it.key, it.value);
}

static bool whole_number(const struct al_json *value, int64_t *number)
{
  if (!is_number(al_json_kind(value)))
    return false;
  *number = al_json_int(value, INT64_MIN);
  return *number != INT64_MIN;
}

int al_config_int(struct al_config_reader *reader, const char *key, int least, int most, int otherwise)
{
  if (!al_config_has(reader, key))
    return otherwise;
  int64_t number;
  if (!whole_number(al_json_get(reader->root, key), &number) || number < least || number > most) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" must be a whole number from %d to %d", key, least, most);
    return otherwise;
  }
  return (int)number;
}

double al_config_real(struct al_config_reader *reader, const char *key, double least, double most, double otherwise)
{
  if (!al_config_has(reader, key))
    return otherwise;
  double number = al_json_real(al_json_get(reader->root, key), NAN);
  if (!(number >= least && number <= most)) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" must be a number from %g to %g", key, least, most);
    return otherwise;
  }
  return number;
}

bool al_config_bool(struct al_config_reader *reader, const char *key, bool otherwise)
{
  if (!al_config_has(reader, key))
    return otherwise;
  if (al_json_kind(al_json_get(reader->root, key)) != AL_JSON_BOOL)
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" must be true or false", key);
  return al_json_bool(al_json_get(reader->root, key), otherwise);
}

struct al_str al_config_str(struct al_config_reader *reader, const char *key, const char *otherwise)
{
  if (!al_config_has(reader, key))
    return al_str(otherwise);
  if (al_json_kind(al_json_get(reader->root, key)) != AL_JSON_STRING) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" must be a string", key);
    return al_str(otherwise);
  }
  return al_json_str(al_json_get(reader->root, key));
}

int al_config_word(struct al_config_reader *reader, const char *key, const char *const *words, int otherwise)
{
  if (!al_config_has(reader, key))
    return otherwise;
  struct al_str word = al_config_str(reader, key, "");
  for (int i = 0; words[i] != nullptr; i++)
    if (al_str_is(word, words[i]))
      return i;
  al_config_fail(reader, AL_UNSUPPORTED, "\"%s\" is \"%.*s\", which is not known here", key,
                 (int)al_min_size(word.size, 60), word.data);
  return otherwise;
}

void al_config_ints(struct al_config_reader *reader, const char *key, int *values, int n, int otherwise)
{
  const struct al_json *list = al_json_get(reader->root, key);
  bool is_list = al_json_kind(list) == AL_JSON_ARRAY;
  int same = is_list ? otherwise : al_config_int(reader, key, 0, MAX_NUMBER, otherwise);
  for (int i = 0; i < n; i++)
    values[i] = same;
  if (!is_list)
    return;
  if (al_json_count(list) != (size_t)n) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" has %zu numbers for %d levels", key, al_json_count(list), n);
    return;
  }
  struct al_json_iter it = al_json_iter(list);
  for (int i = 0; al_json_next(&it); i++) {
    int64_t number;
    if (!whole_number(it.value, &number) || number < 0 || number > MAX_NUMBER) {
      al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" must be a list of whole numbers up to %d", key, MAX_NUMBER);
      return;
    }
    values[i] = (int)number;
  }
}

enum al_code al_config_parse(const char *directory, const char *file, struct al_json_doc **doc, struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, file, err));
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_init(&text, MAX_CONFIG_BYTES + 1);
  struct al_err cause = {};
  enum al_code code = al_file_read(path, MAX_CONFIG_BYTES, &text, &cause);
  if (code == AL_OK)
    code = al_json_parse_python(&text, doc, &cause); /* "lambda_min_clipped": -Infinity */
  if (code == AL_OK)
    return AL_OK;
  return al_fail(err, code == AL_INVALID_REQUEST ? AL_MODEL_CORRUPT : code, "%s: %s", file, cause.message);
}
