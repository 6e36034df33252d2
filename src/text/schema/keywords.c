/* Which keywords there are. What is not in the table is refused: nothing is silently dropped. */
#include "text/schema/place.h"

#include <stdio.h>

enum want {
  ANYTHING,
  REFUSED,
  SCHEMA,
  SCHEMAS,
  SCHEMA_MAP,
  STRING,
  STRINGS,
  COUNT,
  NUMBER,
  EXCLUSIVE,
  TYPE,
  ARRAY,
  ITEMS,
  BOOL
};

static const struct {
  const char *name;
  enum want want;
} keywords[] = {
  { "$anchor", ANYTHING },
  { "$comment", ANYTHING },
  { "$defs", SCHEMA_MAP },
  { "$id", ANYTHING },
  { "$ref", STRING },
  { "$schema", ANYTHING },
  { "$vocabulary", ANYTHING },
  { "additionalItems", SCHEMA },
  { "additionalProperties", SCHEMA },
  { "allOf", SCHEMAS },
  { "anyOf", SCHEMAS },
  { "const", ANYTHING },
  { "contentEncoding", ANYTHING },
  { "contentMediaType", ANYTHING },
  { "default", ANYTHING },
  { "definitions", SCHEMA_MAP },
  { "deprecated", ANYTHING },
  { "description", ANYTHING },
  { "discriminator", ANYTHING },
  { "enum", ARRAY },
  { "example", ANYTHING },
  { "examples", ANYTHING },
  { "exclusiveMaximum", EXCLUSIVE },
  { "exclusiveMinimum", EXCLUSIVE },
  { "externalDocs", ANYTHING },
  { "format", STRING },
  { "id", ANYTHING },
  { "items", ITEMS },
  { "maxItems", COUNT },
  { "maxLength", COUNT },
  { "maxProperties", COUNT },
  { "maximum", NUMBER },
  { "minItems", COUNT },
  { "minLength", COUNT },
  { "minProperties", COUNT },
  { "minimum", NUMBER },
  { "multipleOf", NUMBER },
  { "nullable", BOOL },
  { "oneOf", SCHEMAS },
  { "pattern", STRING },
  { "prefixItems", SCHEMAS },
  { "properties", SCHEMA_MAP },
  { "readOnly", ANYTHING },
  { "required", STRINGS },
  { "title", ANYTHING },
  { "type", TYPE },
  { "uniqueItems", BOOL },
  { "writeOnly", ANYTHING },
  { "$dynamicAnchor", REFUSED },
  { "$dynamicRef", REFUSED },
  { "$recursiveRef", REFUSED },
  { "contains", REFUSED },
  { "dependencies", REFUSED },
  { "dependentRequired", REFUSED },
  { "dependentSchemas", REFUSED },
  { "else", REFUSED },
  { "if", REFUSED },
  { "maxContains", REFUSED },
  { "minContains", REFUSED },
  { "not", REFUSED },
  { "patternProperties", REFUSED },
  { "propertyNames", REFUSED },
  { "then", REFUSED },
  { "unevaluatedItems", REFUSED },
  { "unevaluatedProperties", REFUSED },
};

static bool is_schema(const struct al_json *value)
{
  enum al_json_kind kind = al_json_kind(value);
  return kind == AL_JSON_OBJECT || kind == AL_JSON_BOOL;
}

static bool is_number(const struct al_json *value)
{
  enum al_json_kind kind = al_json_kind(value);
  return kind == AL_JSON_INT || kind == AL_JSON_REAL;
}

typedef bool test_fn(const struct al_json *value);

static bool is_string(const struct al_json *value)
{
  return al_json_kind(value) == AL_JSON_STRING;
}

static bool all_are(const struct al_json *container, enum al_json_kind kind, test_fn *test)
{
  if (al_json_kind(container) != kind)
    return false;
  struct al_json_iter it = al_json_iter(container);
  while (al_json_next(&it))
    if (!test(it.value))
      return false;
  return true;
}

static bool is_count(const struct al_json *value)
{
  return is_number(value) && (al_json_int(value, -1) >= 0 || al_json_real(value, 0) >= 0x1p63);
}

/* nullptr when the value is as wanted, or else what was. */
static const char *what_is_wanted(enum want want, const struct al_json *value)
{
  switch (want) {
  case SCHEMA: return is_schema(value) ? nullptr : "a schema (an object, true or false)";
  case SCHEMAS:
    return all_are(value, AL_JSON_ARRAY, is_schema) && al_json_count(value) > 0 ? nullptr
                                                                                : "a non-empty list of schemas";
  case SCHEMA_MAP: return all_are(value, AL_JSON_OBJECT, is_schema) ? nullptr : "an object of schemas";
  case STRING: return is_string(value) ? nullptr : "a string";
  case STRINGS: return all_are(value, AL_JSON_ARRAY, is_string) ? nullptr : "a list of strings";
  case COUNT: return is_count(value) ? nullptr : "a whole number that is not negative";
  case NUMBER: return is_number(value) ? nullptr : "a number";
  case EXCLUSIVE: return is_number(value) || al_json_kind(value) == AL_JSON_BOOL ? nullptr : "a number";
  case ARRAY: return al_json_kind(value) == AL_JSON_ARRAY && al_json_count(value) > 0 ? nullptr : "a non-empty list";
  case ITEMS: return is_schema(value) || all_are(value, AL_JSON_ARRAY, is_schema) ? nullptr : "a schema";
  case BOOL: return al_json_kind(value) == AL_JSON_BOOL ? nullptr : "true or false";
  case ANYTHING:
  case REFUSED:
  case TYPE: break;
  }
  return nullptr;
}

static unsigned type_bit(struct al_str name)
{
  static const struct {
    const char *name;
    unsigned bits;
  } types[] = { { "null", AL_SCH_NULL },     { "boolean", AL_SCH_BOOL },  { "integer", AL_SCH_INT },
                { "number", AL_SCH_NUMBER }, { "string", AL_SCH_STRING }, { "array", AL_SCH_ARRAY },
                { "object", AL_SCH_OBJECT } };
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (al_str_is(name, types[i].name))
      return types[i].bits;
  return 0;
}

unsigned al_sch_types(const struct al_json *schema)
{
  const struct al_json *type = al_json_get(schema, "type");
  unsigned types = 0;
  if (type == nullptr)
    return AL_SCH_ANY;
  if (al_json_kind(type) == AL_JSON_ARRAY) {
    struct al_json_iter it = al_json_iter(type);
    while (al_json_next(&it)) {
      unsigned bits = type_bit(al_json_str(it.value));
      if (bits == 0)
        return 0;
      types |= bits;
    }
  } else {
    types = type_bit(al_json_str(type));
  }
  bool is_nullable = al_json_bool(al_json_get(schema, "nullable"), false);
  return types != 0 && is_nullable ? types | AL_SCH_NULL : types;
}

static enum al_code check(size_t keyword, const struct al_json *value, const char *path, struct al_err *err)
{
  const char *name = keywords[keyword].name;
  if (keywords[keyword].want == REFUSED)
    return al_sch_fail(err, AL_UNSUPPORTED, path, name, "this keyword cannot be enforced");
  const char *wanted = what_is_wanted(keywords[keyword].want, value);
  if (wanted != nullptr)
    return al_sch_fail(err, AL_INVALID_REQUEST, path, name, "must be %s", wanted);
  return AL_OK;
}

static enum al_code check_keyword(struct al_str key, const struct al_json *value, const char *path, struct al_err *err)
{
  for (size_t i = 0; i < AL_COUNT(keywords); i++)
    if (al_str_is(key, keywords[i].name))
      return check(i, value, path, err);
  if (al_str_starts(key, al_str("x-"))) /* extensions say nothing about the value */
    return AL_OK;
  char name[64];
  (void)snprintf(name, sizeof name, "%.*s", (int)al_min_size(key.size, sizeof name - 1), key.data);
  return al_sch_fail(err, AL_UNSUPPORTED, path, name, "unknown keyword");
}

/* What depends on a value, not only on its kind. */
static enum al_code check_values(const struct al_json *schema, const char *path, struct al_err *err)
{
  if (al_sch_types(schema) == 0)
    return al_sch_fail(err, AL_INVALID_REQUEST, path, "type", "must name types of JSON values");
  const struct al_json *most = al_json_get(schema, "maxItems");
  bool may_repeat = most == nullptr || al_json_int(most, 2) > 1;
  if (al_json_bool(al_json_get(schema, "uniqueItems"), false) && may_repeat)
    return al_sch_fail(err, AL_UNSUPPORTED, path, "uniqueItems", "this keyword cannot be enforced");
  const struct al_json *divisor = al_json_get(schema, "multipleOf");
  if (divisor != nullptr && al_json_real(divisor, 0) != 1.0)
    return al_sch_fail(err, AL_UNSUPPORTED, path, "multipleOf", "only multiples of 1 can be enforced");
  return AL_OK;
}

enum al_code al_sch_check_keywords(const struct al_json *schema, const char *path, struct al_err *err)
{
  if (al_json_kind(schema) == AL_JSON_BOOL)
    return AL_OK;
  if (al_json_kind(schema) != AL_JSON_OBJECT)
    return al_sch_fail(err, AL_INVALID_REQUEST, path, nullptr, "a schema must be an object, true or false");
  struct al_json_iter it = al_json_iter(schema);
  while (al_json_next(&it))
    AL_TRY(check_keyword(it.key, it.value, path, err));
  return check_values(schema, path, err);
}
