#include "text/syntax/types.h"

#include <stdio.h>

constexpr int MAX_DEPTH = 16;

/* One step of a JSON pointer, with ~0 and ~1; keys beyond the buffer are not found. */
static const struct al_json *member(const struct al_json *object, struct al_str name)
{
  char key[256];
  size_t n = 0;
  for (size_t i = 0; i < name.size && n < sizeof key - 1; i++) {
    bool is_escaped = name.data[i] == '~' && i + 1 < name.size;
    if (is_escaped)
      i++;
    key[n++] = !is_escaped ? name.data[i] : name.data[i] == '1' ? '/' : '~';
  }
  key[n] = '\0';
  return al_json_get(object, key);
}

static const struct al_json *at_pointer(const struct al_json *root, struct al_str pointer)
{
  if (pointer.size == 0 || pointer.data[0] != '#')
    return nullptr;
  pointer = al_str_n(pointer.data + 1, pointer.size - 1);
  while (root != nullptr && pointer.size > 0) {
    pointer = al_str_n(pointer.data + 1, pointer.size - 1);
    const char *slash = pointer.size > 0 ? memchr(pointer.data, '/', pointer.size) : nullptr;
    size_t n = slash != nullptr ? (size_t)(slash - pointer.data) : pointer.size;
    root = member(root, al_str_n(pointer.data, n));
    pointer = al_str_n(pointer.data + n, pointer.size - n);
  }
  return root;
}

const struct al_json *al_sx_resolve(const struct al_json *root, const struct al_json *schema)
{
  for (int depth = 0; depth < MAX_DEPTH; depth++) {
    struct al_str ref = al_json_str(al_json_get(schema, "$ref"));
    if (ref.data == nullptr)
      return schema;
    schema = at_pointer(root, ref);
  }
  return nullptr;
}

const struct al_json *al_sx_parameter(const struct al_json *parameters, struct al_str key)
{
  parameters = al_sx_resolve(parameters, parameters);
  struct al_json_iter it = al_json_iter(al_json_get(parameters, "properties"));
  while (al_json_next(&it))
    if (al_str_eq(it.key, key))
      return it.value;
  const struct al_json *others = al_json_get(parameters, "additionalProperties");
  return al_json_kind(others) == AL_JSON_OBJECT ? others : nullptr;
}

static unsigned type_named(struct al_str name)
{
  static const struct {
    const char *name;
    unsigned type;
  } types[] = { { "string", AL_SX_TYPE_STRING }, { "integer", AL_SX_TYPE_NUMBER }, { "number", AL_SX_TYPE_NUMBER },
                { "boolean", AL_SX_TYPE_BOOL },  { "null", AL_SX_TYPE_NULL },      { "object", AL_SX_TYPE_OBJECT },
                { "array", AL_SX_TYPE_ARRAY } };
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (al_str_is(name, types[i].name))
      return types[i].type;
  return 0;
}

unsigned al_sx_type_of(const struct al_json *value)
{
  switch (al_json_kind(value)) {
  case AL_JSON_STRING: return AL_SX_TYPE_STRING;
  case AL_JSON_INT:
  case AL_JSON_REAL: return AL_SX_TYPE_NUMBER;
  case AL_JSON_BOOL: return AL_SX_TYPE_BOOL;
  case AL_JSON_NULL: return AL_SX_TYPE_NULL;
  case AL_JSON_OBJECT: return AL_SX_TYPE_OBJECT;
  case AL_JSON_ARRAY: return AL_SX_TYPE_ARRAY;
  case AL_JSON_ABSENT: break;
  }
  return 0;
}

static unsigned types_of(const struct al_json *root, const struct al_json *schema, int depth);

static unsigned any_of(const struct al_json *root, const struct al_json *list, int depth)
{
  unsigned types = 0;
  struct al_json_iter it = al_json_iter(list);
  while (al_json_next(&it))
    types |= types_of(root, it.value, depth + 1);
  return types != 0 ? types : AL_SX_TYPE_ANY;
}

static unsigned of_values(const struct al_json *list)
{
  unsigned types = 0;
  struct al_json_iter it = al_json_iter(list);
  while (al_json_next(&it))
    types |= al_sx_type_of(it.value);
  return types != 0 ? types : AL_SX_TYPE_ANY;
}

static unsigned of_type(const struct al_json *type)
{
  if (al_json_kind(type) == AL_JSON_STRING)
    return type_named(al_json_str(type));
  unsigned types = 0;
  struct al_json_iter it = al_json_iter(type);
  while (al_json_next(&it))
    types |= type_named(al_json_str(it.value));
  return types;
}

/* Every keyword that narrows the kinds is taken at its word; what is left is what all of them admit. */
static unsigned types_of(const struct al_json *root, const struct al_json *schema, int depth)
{
  schema = al_sx_resolve(root, schema);
  if (schema == nullptr || depth > MAX_DEPTH)
    return AL_SX_TYPE_ANY;
  unsigned types = AL_SX_TYPE_ANY;
  const struct al_json *type = al_json_get(schema, "type");
  if (type != nullptr)
    types &= of_type(type);
  types &= of_values(al_json_get(schema, "enum"));
  if (al_json_get(schema, "const") != nullptr)
    types &= al_sx_type_of(al_json_get(schema, "const"));
  types &= any_of(root, al_json_get(schema, "anyOf"), depth);
  types &= any_of(root, al_json_get(schema, "oneOf"), depth);
  struct al_json_iter it = al_json_iter(al_json_get(schema, "allOf"));
  while (al_json_next(&it))
    types &= types_of(root, it.value, depth + 1);
  return types != 0 ? types : AL_SX_TYPE_ANY;
}

unsigned al_sx_types(const struct al_json *root, const struct al_json *schema)
{
  return types_of(root, schema, 0);
}
