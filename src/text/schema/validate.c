/* One value against one schema, keyword by keyword, as the standard has it. */
#include "text/schema/validate.h"

#include "base/alloc.h"
#include "text/schema.h"
#include "text/schema/pattern.h"

#include <stdio.h>

constexpr int MAX_DEPTH = 400;

struct place { /* in the value */
  const struct place *above;
  struct al_str key; /* data nullptr: index */
  size_t index;
};

struct validator {
  struct al_sch_context *context;
  struct al_err *why; /* nullptr: nobody asks */
  int depth;
};

static enum al_code check(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                          const struct place *at, bool *ok);

static void put_place(const struct place *at, struct al_buf *text)
{
  if (at->above == nullptr)
    return;
  put_place(at->above, text);
  if (at->key.data == nullptr)
    al_buf_printf(text, "[%zu]", at->index);
  else
    al_buf_printf(text, "%s%.*s", text->size > 0 ? "." : "", (int)al_min_size(at->key.size, 64), at->key.data);
}

AL_PRINTF(4, 5) static enum al_code reject(struct validator *v, const struct place *at, bool *ok, const char *format,
                                           ...)
{
  *ok = false;
  if (v->why == nullptr)
    return AL_OK;
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  put_place(at, &text);
  const char *path = text.data != nullptr && text.size > 0 ? text.data : "";
  (void)al_fail_param(v->why, path, "%s%s%s", path, path[0] != '\0' ? ": " : "", message);
  return AL_OK;
}

static enum al_code check_quietly(struct validator *v, const struct al_json *schema, const char *path,
                                  const struct al_json *value, bool *ok)
{
  struct validator quiet = { .context = v->context, .depth = v->depth };
  struct al_sch_term term = { schema, path, 0 };
  return check(&quiet, &term, value, &(struct place){}, ok);
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

static enum al_code check_groups(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                                 const struct place *at, bool *ok)
{
  static const struct {
    const char *name;
    unsigned done;
  } groups[] = { { "anyOf", AL_SCH_DONE_ANY_OF }, { "oneOf", AL_SCH_DONE_ONE_OF } };
  for (size_t i = 0; i < AL_COUNT(groups) && *ok; i++) {
    const struct al_json *list = al_json_get(term->schema, groups[i].name);
    if (list == nullptr || (term->done & groups[i].done) != 0)
      continue;
    size_t n_valid = 0;
    struct al_json_iter it = al_json_iter(list);
    while (al_json_next(&it)) {
      bool is_valid;
      AL_TRY(check_quietly(v, it.value, term->path, value, &is_valid));
      n_valid += is_valid;
    }
    if (n_valid == 0)
      return reject(v, at, ok, "fits none of %s", groups[i].name);
    if (n_valid > 1 && groups[i].done == AL_SCH_DONE_ONE_OF)
      return reject(v, at, ok, "fits %zu of oneOf", n_valid);
  }
  return AL_OK;
}

static enum al_code check_links(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                                const struct place *at, bool *ok)
{
  if ((term->done & AL_SCH_DONE_LINKS) != 0)
    return AL_OK;
  const struct al_json *ref = al_json_get(term->schema, "$ref");
  if (ref != nullptr) {
    struct al_sch_term target = { .path = term->path };
    AL_TRY(al_sch_resolve(v->context->root, al_json_str(ref), term->path, &target.schema, v->context->err));
    AL_TRY(check(v, &target, value, at, ok));
  }
  struct al_json_iter it = al_json_iter(al_json_get(term->schema, "allOf"));
  while (*ok && al_json_next(&it))
    AL_TRY(check(v, &(struct al_sch_term){ it.value, term->path, 0 }, value, at, ok));
  return AL_OK;
}

static enum al_code check_values(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                                 const struct place *at, bool *ok)
{
  const struct al_json *constant = al_json_get(term->schema, "const"), *values = al_json_get(term->schema, "enum");
  if (constant != nullptr && !al_sch_equal(constant, value))
    return reject(v, at, ok, "is not the value of const");
  if (values == nullptr || (term->done & AL_SCH_DONE_VALUES) != 0)
    return AL_OK;
  struct al_json_iter it = al_json_iter(values);
  while (al_json_next(&it)) {
    AL_TRY(al_sch_step(v->context, "enum"));
    if (al_sch_equal(it.value, value))
      return AL_OK;
  }
  return reject(v, at, ok, "is none of the values of enum");
}

/* --- types ------------------------------------------------------------------------------------------------------- */

static enum al_code check_number(struct validator *v, const struct al_json *schema, const struct al_json *value,
                                 const struct place *at, bool *ok)
{
  struct al_sch_facts facts;
  struct al_sch_conj conj = { .terms = { { schema, "", AL_SCH_DONE_LINKS } }, .count = 1 };
  AL_TRY(al_sch_conj_facts(v->context, &conj, &facts));
  if (!al_sch_bounds_admit(&facts.bounds, value))
    return reject(v, at, ok, "is out of bounds");
  if (al_json_get(schema, "multipleOf") != nullptr && al_sch_type_of(value) != AL_SCH_INT)
    return reject(v, at, ok, "is not a multiple of 1");
  return AL_OK;
}

static bool count_is_between(const struct al_json *schema, const char *least, const char *most, size_t count)
{
  int64_t low = al_json_int(al_json_get(schema, least), al_json_get(schema, least) != nullptr ? INT64_MAX : 0);
  int64_t high = al_json_int(al_json_get(schema, most), INT64_MAX);
  return (int64_t)count >= low && (int64_t)count <= high;
}

static enum al_code matches(struct validator *v, struct al_str pattern, struct al_str text, const char *path,
                            const char *key, bool *is_match)
{
  struct al_err why = {};
  enum al_code code = al_sch_pattern_test(pattern, text, is_match, &why);
  return code == AL_OK ? AL_OK : al_sch_fail(v->context->err, code, path, key, "%.200s", why.message);
}

static enum al_code check_string(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                                 const struct place *at, bool *ok)
{
  struct al_str text = al_json_str(value);
  const struct al_json *pattern = al_json_get(term->schema, "pattern"), *format = al_json_get(term->schema, "format");
  bool is_match = true;
  if (!count_is_between(term->schema, "minLength", "maxLength", al_sch_length(text)))
    return reject(v, at, ok, "is too short or too long");
  if (pattern != nullptr)
    AL_TRY(matches(v, al_json_str(pattern), text, term->path, "pattern", &is_match));
  if (!is_match)
    return reject(v, at, ok, "does not match the pattern");
  if (format == nullptr || al_sch_format_is_note(al_json_str(format)))
    return AL_OK;
  const char *known = al_sch_format_pattern(al_json_str(format));
  if (known == nullptr)
    return al_sch_fail(v->context->err, AL_UNSUPPORTED, term->path, "format", "this format cannot be enforced");
  AL_TRY(matches(v, al_str(known), text, term->path, "format", &is_match));
  return is_match ? AL_OK : reject(v, at, ok, "is not in the format %s", al_json_str(format).data);
}

static enum al_code check_array(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                                const struct place *at, bool *ok)
{
  const struct al_json *schema = term->schema, *items = al_json_get(schema, "items");
  bool is_old = al_json_kind(items) == AL_JSON_ARRAY;
  const struct al_json *prefix = is_old ? items : al_json_get(schema, "prefixItems");
  const struct al_json *rest = is_old ? al_json_get(schema, "additionalItems") : items;
  if (!count_is_between(schema, "minItems", "maxItems", al_json_count(value)))
    return reject(v, at, ok, "has too few or too many items");
  struct al_json_iter it = al_json_iter(value), places = al_json_iter(prefix);
  while (*ok && al_json_next(&it)) {
    const struct al_json *element = al_json_next(&places) ? places.value : rest;
    struct place inner = { .above = at, .index = it.index };
    if (element != nullptr)
      AL_TRY(check(v, &(struct al_sch_term){ element, term->path, 0 }, it.value, &inner, ok));
  }
  return AL_OK;
}

static const struct al_json *member(const struct al_json *object, struct al_str key)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it))
    if (al_str_eq(it.key, key))
      return it.value;
  return nullptr;
}

static enum al_code check_object(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                                 const struct place *at, bool *ok)
{
  const struct al_json *schema = term->schema, *properties = al_json_get(schema, "properties");
  const struct al_json *others = al_json_get(schema, "additionalProperties");
  if (!count_is_between(schema, "minProperties", "maxProperties", al_json_count(value)))
    return reject(v, at, ok, "has too few or too many properties");
  struct al_json_iter it = al_json_iter(al_json_get(schema, "required"));
  while (al_json_next(&it)) {
    AL_TRY(al_sch_step(v->context, term->path));
    if (member(value, al_json_str(it.value)) == nullptr)
      return reject(v, at, ok, "the property \"%.64s\" is missing", al_json_str(it.value).data);
  }
  struct al_json_iter members = al_json_iter(value);
  while (*ok && al_json_next(&members)) {
    const struct al_json *inner = member(properties, members.key);
    struct place place = { .above = at, .key = members.key };
    inner = inner != nullptr ? inner : others;
    if (inner != nullptr)
      AL_TRY(check(v, &(struct al_sch_term){ inner, term->path, 0 }, members.value, &place, ok));
  }
  return AL_OK;
}

static enum al_code check_type(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                               const struct place *at, bool *ok)
{
  unsigned type = al_sch_type_of(value);
  if ((al_sch_types(term->schema) & type) == 0)
    return reject(v, at, ok, "is %s, which the type does not admit", al_json_kind_name(al_json_kind(value)));
  switch (type) {
  case AL_SCH_INT:
  case AL_SCH_FRACTION: return check_number(v, term->schema, value, at, ok);
  case AL_SCH_STRING: return check_string(v, term, value, at, ok);
  case AL_SCH_ARRAY: return check_array(v, term, value, at, ok);
  case AL_SCH_OBJECT: return check_object(v, term, value, at, ok);
  default: return AL_OK;
  }
}

static enum al_code check_all(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                              const struct place *at, bool *ok)
{
  AL_TRY(check_values(v, term, value, at, ok));
  if (*ok)
    AL_TRY(check_type(v, term, value, at, ok));
  if (*ok)
    AL_TRY(check_links(v, term, value, at, ok));
  return *ok ? check_groups(v, term, value, at, ok) : AL_OK;
}

/* Recursion is bounded by MAX_DEPTH: it goes on with the value's depth and with references. */
static enum al_code check(struct validator *v, const struct al_sch_term *term, const struct al_json *value,
                          const struct place *at, bool *ok)
{
  *ok = true;
  AL_TRY(al_sch_step(v->context, term->path));
  AL_TRY(al_sch_check_keywords(term->schema, term->path, v->context->err));
  if (al_json_kind(term->schema) == AL_JSON_BOOL)
    return al_json_bool(term->schema, true) ? AL_OK : reject(v, at, ok, "must not be there");
  if (v->depth >= MAX_DEPTH)
    return al_sch_fail(v->context->err, AL_INVALID_REQUEST, term->path, nullptr,
                       "the schema refers to itself without end");
  v->depth++;
  enum al_code code = check_all(v, term, value, at, ok);
  v->depth--;
  return code;
}

enum al_code al_sch_is_valid(struct al_sch_context *context, const struct al_sch_term *term,
                             const struct al_json *value, bool *is_valid, struct al_err *err)
{
  struct validator v = { .context = context, .why = err };
  return check(&v, term, value, &(struct place){}, is_valid);
}

enum al_code al_schema_validate(const struct al_json *schema, const struct al_json *value, struct al_err *err)
{
  struct al_err own, why = {};
  struct al_sch_context context = { .root = schema, .root_path = "schema", .err = err != nullptr ? err : &own };
  bool is_valid;
  AL_TRY(al_sch_is_valid(&context, &(struct al_sch_term){ schema, "schema", 0 }, value, &is_valid, &why));
  if (is_valid)
    return AL_OK;
  if (err != nullptr)
    *err = why;
  return AL_INVALID_REQUEST;
}
