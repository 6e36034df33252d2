/* Parsing and reading, on yyjson: a struct al_json is a yyjson_val, seen from outside. */
#include "codec/json.h"

#include "base/alloc.h"
#include "codec/json_keys.h"

#include <math.h>
#include <stdckdint.h>
#include <stdint.h>
#include <yyjson.h>

struct al_json_doc {
  yyjson_doc *tree;
  char *text; /* the copy that the tree's strings point into */
};

static void *json_malloc(void *context, size_t size)
{
  (void)context;
  return al_alloc(size);
}

static void *json_realloc(void *context, void *pointer, size_t old_size, size_t size)
{
  (void)context;
  (void)old_size;
  return al_realloc(pointer, size);
}

static void json_free(void *context, void *pointer)
{
  (void)context;
  al_free(pointer);
}

static const yyjson_alc allocator = { json_malloc, json_realloc, json_free, nullptr };

/* yyjson's accessors take pointers to non-const and change nothing. */
static yyjson_val *val(const struct al_json *value)
{
  return (yyjson_val *)(uintptr_t)value;
}

static const struct al_json *json(const yyjson_val *value)
{
  return (const struct al_json *)value;
}

/* Lines and columns count from 1, columns in characters. */
static enum al_code fail_at(struct al_err *err, struct al_str text, size_t at, const char *what)
{
  size_t line = 1, column = 1;
  for (size_t i = 0; i < at && i < text.size; i++) {
    if (text.data[i] == '\n') {
      line++;
      column = 1;
    } else if (((unsigned char)text.data[i] & 0xc0) != 0x80) {
      column++;
    }
  }
  return al_fail(err, AL_INVALID_REQUEST, "invalid JSON at line %zu, column %zu: %s", line, column, what);
}

static size_t skip_string(struct al_str text, size_t at)
{
  for (at++; at < text.size && text.data[at] != '"'; at++)
    if (text.data[at] == '\\')
      at++;
  return at;
}

/* Before anything walks the text as a tree. Malformed text may pass here; the parser finds it. */
static enum al_code check_depth(struct al_str text, struct al_err *err)
{
  int depth = 0;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '"')
      i = skip_string(text, i);
    else if (c == '[' || c == '{')
      depth++;
    else if (c == ']' || c == '}')
      depth--;
    if (depth > AL_JSON_MAX_DEPTH)
      return fail_at(err, text, i, "nested more than 128 levels deep");
  }
  return AL_OK;
}
static_assert(AL_JSON_MAX_DEPTH == 128, "the message above names the limit");

static enum al_code parse_copy(struct al_json_doc *doc, struct al_str text, struct al_err *err)
{
  size_t n_bytes;
  if (ckd_add(&n_bytes, text.size, YYJSON_PADDING_SIZE))
    return al_fail_oom(err, text.size);
  doc->text = al_alloc(n_bytes);
  if (doc->text == nullptr)
    return al_fail_oom(err, n_bytes);
  memcpy(doc->text, text.data, text.size);
  memset(doc->text + text.size, 0, YYJSON_PADDING_SIZE);
  yyjson_read_err failure = {};
  doc->tree = yyjson_read_opts(doc->text, text.size, YYJSON_READ_INSITU, &allocator, &failure);
  if (doc->tree != nullptr)
    return AL_OK;
  if (failure.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
    return al_fail_oom(err, text.size);
  return fail_at(err, text, failure.pos, failure.msg);
}

static enum al_code check_keys(const struct al_json_doc *doc, struct al_str text, struct al_err *err)
{
  struct al_str twice = {};
  AL_TRY(al_json_find_duplicate(al_json_root(doc), &twice, err));
  if (twice.data == nullptr)
    return AL_OK;
  char what[96];
  (void)snprintf(what, sizeof what, "the key \"%.*s\" stands twice in one object", (int)al_min_size(twice.size, 48),
                 twice.data);
  return fail_at(err, text, (size_t)(twice.data - doc->text), what);
}

enum al_code al_json_parse_loose(struct al_str text, struct al_json_doc **doc, struct al_err *err)
{
  if (text.size == 0)
    return al_fail(err, AL_INVALID_REQUEST, "invalid JSON: the text is empty");
  AL_TRY(check_depth(text, err));
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  AL_TRY(parse_copy(made, text, err));
  *doc = AL_TAKE(made);
  return AL_OK;
}

enum al_code al_json_parse(struct al_str text, struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *made = nullptr;
  AL_TRY(al_json_parse_loose(text, &made, err));
  AL_TRY(check_keys(made, text, err));
  *doc = AL_TAKE(made);
  return AL_OK;
}

void al_json_doc_free(struct al_json_doc *doc)
{
  if (doc == nullptr)
    return;
  yyjson_doc_free(doc->tree);
  al_free(doc->text);
  al_free(doc);
}

const struct al_json *al_json_root(const struct al_json_doc *doc)
{
  return doc != nullptr ? json(yyjson_doc_get_root(doc->tree)) : nullptr;
}

static enum al_json_kind number_kind(const yyjson_val *number)
{
  if (unsafe_yyjson_is_real((void *)(uintptr_t)number))
    return AL_JSON_REAL;
  bool too_large = unsafe_yyjson_is_uint((void *)(uintptr_t)number) &&
                   unsafe_yyjson_get_uint((void *)(uintptr_t)number) > (uint64_t)INT64_MAX;
  return too_large ? AL_JSON_REAL : AL_JSON_INT;
}

enum al_json_kind al_json_kind(const struct al_json *value)
{
  switch (yyjson_get_type(val(value))) {
  case YYJSON_TYPE_NULL: return AL_JSON_NULL;
  case YYJSON_TYPE_BOOL: return AL_JSON_BOOL;
  case YYJSON_TYPE_NUM: return number_kind(val(value));
  case YYJSON_TYPE_STR: return AL_JSON_STRING;
  case YYJSON_TYPE_ARR: return AL_JSON_ARRAY;
  case YYJSON_TYPE_OBJ: return AL_JSON_OBJECT;
  default: return AL_JSON_ABSENT;
  }
}

const char *al_json_kind_name(enum al_json_kind kind)
{
  static const char *const names[] = { "nothing", "null", "boolean", "integer", "number", "string", "array", "object" };
  return (size_t)kind < AL_COUNT(names) ? names[kind] : "unknown";
}

const struct al_json *al_json_get(const struct al_json *object, const char *key)
{
  return json(yyjson_obj_get(val(object), key));
}

const struct al_json *al_json_at(const struct al_json *array, size_t index)
{
  return json(yyjson_arr_get(val(array), index));
}

size_t al_json_count(const struct al_json *array_or_object)
{
  return yyjson_is_ctn(val(array_or_object)) ? yyjson_get_len(val(array_or_object)) : 0;
}

struct al_str al_json_str(const struct al_json *value)
{
  const char *text = yyjson_get_str(val(value));
  return al_str_n(text, text != nullptr ? yyjson_get_len(val(value)) : 0);
}

bool al_json_bool(const struct al_json *value, bool otherwise)
{
  return yyjson_is_bool(val(value)) ? yyjson_get_bool(val(value)) : otherwise;
}

int64_t al_json_int(const struct al_json *value, int64_t otherwise)
{
  switch (al_json_kind(value)) {
  case AL_JSON_INT: return yyjson_get_sint(val(value));
  case AL_JSON_REAL: {
    double number = yyjson_get_num(val(value));
    bool fits = number >= -0x1p63 && number < 0x1p63 && trunc(number) == number;
    return fits ? (int64_t)number : otherwise;
  }
  case AL_JSON_ABSENT:
  case AL_JSON_NULL:
  case AL_JSON_BOOL:
  case AL_JSON_STRING:
  case AL_JSON_ARRAY:
  case AL_JSON_OBJECT: break;
  }
  return otherwise;
}

double al_json_real(const struct al_json *value, double otherwise)
{
  return yyjson_is_num(val(value)) ? yyjson_get_num(val(value)) : otherwise;
}

struct al_json_iter al_json_iter(const struct al_json *array_or_object)
{
  struct al_json_iter it = { .container = array_or_object };
  if (al_json_count(array_or_object) > 0)
    it.cursor = unsafe_yyjson_get_first(val(array_or_object));
  return it;
}

bool al_json_next(struct al_json_iter *it)
{
  yyjson_val *at = (yyjson_val *)(uintptr_t)it->cursor;
  if (at == nullptr || it->seen >= al_json_count(it->container))
    return false;
  if (yyjson_is_obj(val(it->container))) {
    it->key = al_json_str(json(at));
    at = yyjson_obj_iter_get_val(at);
    if (at == nullptr)
      return false;
  }
  it->value = json(at);
  it->index = it->seen++;
  it->cursor = unsafe_yyjson_get_next(at);
  return true;
}
