#include "text/schema/place.h"

#include <stdio.h>

enum al_code al_sch_fail(struct al_err *err, enum al_code code, const char *path, const char *key, const char *format,
                         ...)
{
  if (err == nullptr)
    return code;
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  const char *dot = key != nullptr && path[0] != '\0' ? "." : "";
  char place[192];
  int size = snprintf(place, sizeof place, "%s%s%s", path, dot, key != nullptr ? key : "");
  (void)al_fail(err, code, "%s: %s", place, message);
  if ((size_t)size >= sizeof err->param) /* the message has the whole of it */
    memcpy(place + sizeof err->param - 4, "...", 4);
  (void)snprintf(err->param, sizeof err->param, "%.*s", (int)sizeof err->param - 1, place);
  return code;
}

const char *al_sch_path_key(struct al_arena *arena, const char *path, struct al_str key)
{
  size_t size = strlen(path), shown = al_min_size(key.size, 120);
  char *made = al_arena_alloc(arena, size + shown + 2);
  if (made != nullptr)
    (void)snprintf(made, size + shown + 2, "%s%s%.*s", path, size > 0 ? "." : "", (int)shown, key.data);
  return made;
}

const char *al_sch_path_index(struct al_arena *arena, const char *path, size_t index)
{
  size_t size = strlen(path) + 24;
  char *made = al_arena_alloc(arena, size);
  if (made != nullptr)
    (void)snprintf(made, size, "%s[%zu]", path, index);
  return made;
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One step of a JSON pointer in a URI fragment: "%25", "~0" and "~1" stand for "%", "~" and "/". */
static size_t decode_step(struct al_str step, char *out)
{
  size_t size = 0;
  for (size_t i = 0; i < step.size; i++) {
    char c = step.data[i];
    if (c == '%' && i + 2 < step.size && hex_digit(step.data[i + 1]) >= 0 && hex_digit(step.data[i + 2]) >= 0) {
      c = (char)(hex_digit(step.data[i + 1]) * 16 + hex_digit(step.data[i + 2]));
      i += 2;
    }
    if (c == '~' && i + 1 < step.size && (step.data[i + 1] == '0' || step.data[i + 1] == '1'))
      c = step.data[++i] == '0' ? '~' : '/';
    out[size++] = c;
  }
  return size;
}

static const struct al_json *step_into(const struct al_json *at, struct al_str name)
{
  struct al_json_iter it = al_json_iter(at);
  if (al_json_kind(at) == AL_JSON_OBJECT) {
    while (al_json_next(&it))
      if (al_str_eq(it.key, name))
        return it.value;
    return nullptr;
  }
  size_t index = 0;
  for (size_t i = 0; i < name.size; i++) {
    if (name.data[i] < '0' || name.data[i] > '9' || index > 1'000'000)
      return nullptr;
    index = index * 10 + (size_t)(name.data[i] - '0');
  }
  return name.size > 0 && al_json_kind(at) == AL_JSON_ARRAY ? al_json_at(at, index) : nullptr;
}

enum al_code al_sch_resolve(const struct al_json *root, struct al_str ref, const char *path,
                            const struct al_json **target, struct al_err *err)
{
  char step[512];
  if (ref.size == 0 || ref.data[0] != '#')
    return al_sch_fail(err, AL_UNSUPPORTED, path, "$ref",
                       "only references inside the schema (\"#/...\") are supported");
  if (ref.size > 1 && ref.data[1] != '/')
    return al_sch_fail(err, AL_UNSUPPORTED, path, "$ref", "references to anchors are not supported");
  const struct al_json *at = root;
  for (size_t i = 1; i < ref.size && at != nullptr;) {
    size_t end = i + 1;
    while (end < ref.size && ref.data[end] != '/')
      end++;
    if (end - i > sizeof step)
      return al_sch_fail(err, AL_INVALID_REQUEST, path, "$ref", "the reference is too long");
    size_t size = decode_step(al_str_n(ref.data + i + 1, end - i - 1), step);
    at = step_into(at, al_str_n(step, size));
    i = end;
  }
  enum al_json_kind kind = al_json_kind(at);
  if (kind != AL_JSON_OBJECT && kind != AL_JSON_BOOL)
    return al_sch_fail(err, AL_INVALID_REQUEST, path, "$ref", "the reference points to no schema");
  *target = at;
  return AL_OK;
}
