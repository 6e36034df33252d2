#include "text/schema/conj.h"

#include "text/schema/pattern.h"

constexpr size_t MAX_STEPS = 400'000;
constexpr int MAX_LINKS = 32; /* references and allOf, one inside the other */

enum al_code al_sch_step(struct al_sch_context *context, const char *path)
{
  if (++context->n_steps > MAX_STEPS)
    return al_sch_fail(context->err, AL_UNSUPPORTED, path, nullptr, "the schema is too large or too entangled");
  return AL_OK;
}

struct chain { /* who referred to whom, up to where it began */
  const struct al_json *schema;
  const struct chain *above;
  int depth;
};

static bool is_one_of(struct al_str key, const char *const *names)
{
  for (; *names != nullptr; names++)
    if (al_str_is(key, *names))
      return true;
  return false;
}

/* Does the schema say more than where to look on? */
static bool states_something(const struct al_json *schema)
{
  static const char *const stating[] = { "type",
                                         "enum",
                                         "const",
                                         "properties",
                                         "required",
                                         "additionalProperties",
                                         "items",
                                         "prefixItems",
                                         "minItems",
                                         "maxItems",
                                         "minLength",
                                         "maxLength",
                                         "pattern",
                                         "format",
                                         "minimum",
                                         "maximum",
                                         "anyOf",
                                         "oneOf",
                                         "nullable",
                                         "multipleOf",
                                         "minProperties",
                                         "maxProperties",
                                         "exclusiveMinimum",
                                         "exclusiveMaximum",
                                         nullptr };
  struct al_json_iter it = al_json_iter(schema);
  while (al_json_next(&it))
    if (is_one_of(it.key, stating))
      return true;
  return false;
}

static enum al_code append(struct al_sch_context *context, struct al_sch_conj *conj, struct al_sch_term term)
{
  for (size_t i = 0; i < conj->count; i++)
    if (conj->terms[i].schema == term.schema && conj->terms[i].done == term.done)
      return AL_OK;
  if (conj->count == AL_SCH_MAX_TERMS)
    return al_sch_fail(context->err, AL_UNSUPPORTED, term.path, nullptr, "more than %zu schemas for one value",
                       AL_SCH_MAX_TERMS);
  conj->terms[conj->count++] = term;
  return AL_OK;
}

static enum al_code add(struct al_sch_context *context, struct al_sch_conj *conj, struct al_sch_term term,
                        const struct chain *above);

static enum al_code add_linked(struct al_sch_context *context, struct al_sch_conj *conj, const struct al_json *schema,
                               const char *path, const struct chain *above)
{
  if (path == nullptr)
    return al_fail_oom(context->err, 64);
  for (const struct chain *link = above; link != nullptr; link = link->above)
    if (link->schema == schema)
      return al_sch_fail(context->err, AL_INVALID_REQUEST, path, nullptr, "the schema refers to itself without end");
  if (above->depth >= MAX_LINKS)
    return al_sch_fail(context->err, AL_UNSUPPORTED, path, nullptr, "references nested more than %d deep", MAX_LINKS);
  return add(context, conj, (struct al_sch_term){ schema, path, 0 }, above);
}

/* "root.$defs.Node" for "#/$defs/Node". */
static const char *ref_path(struct al_sch_context *context, struct al_str ref)
{
  const char *path = context->root_path;
  for (size_t at = 1; at < ref.size && path != nullptr;) {
    const char *slash = memchr(ref.data + at + 1, '/', ref.size - at - 1);
    size_t end = slash != nullptr ? (size_t)(slash - ref.data) : ref.size;
    path = al_sch_path_key(context->arena, path, al_str_n(ref.data + at + 1, end - at - 1));
    at = end;
  }
  return path;
}

static enum al_code add_links(struct al_sch_context *context, struct al_sch_conj *conj, const struct al_sch_term *term,
                              const struct chain *link)
{
  const struct al_json *ref = al_json_get(term->schema, "$ref"), *all = al_json_get(term->schema, "allOf");
  if (ref != nullptr) {
    const struct al_json *target;
    AL_TRY(al_sch_resolve(context->root, al_json_str(ref), term->path, &target, context->err));
    AL_TRY(add_linked(context, conj, target, ref_path(context, al_json_str(ref)), link));
  }
  const char *path = all != nullptr ? al_sch_path_key(context->arena, term->path, al_str("allOf")) : nullptr;
  struct al_json_iter it = al_json_iter(all);
  while (path != nullptr && al_json_next(&it))
    AL_TRY(add_linked(context, conj, it.value, al_sch_path_index(context->arena, path, it.index), link));
  return all != nullptr && path == nullptr ? al_fail_oom(context->err, 64) : AL_OK;
}

/* Recursion is bounded by MAX_LINKS. */
static enum al_code add(struct al_sch_context *context, struct al_sch_conj *conj, struct al_sch_term term,
                        const struct chain *above)
{
  AL_TRY(al_sch_step(context, term.path));
  AL_TRY(al_sch_check_keywords(term.schema, term.path, context->err));
  if (al_json_kind(term.schema) == AL_JSON_BOOL) {
    conj->is_false = conj->is_false || !al_json_bool(term.schema, true);
    return AL_OK;
  }
  struct chain link = { term.schema, above, above != nullptr ? above->depth + 1 : 0 };
  bool has_links = al_json_get(term.schema, "$ref") != nullptr || al_json_get(term.schema, "allOf") != nullptr;
  struct al_sch_term own = term;
  own.done |= has_links ? AL_SCH_DONE_LINKS : 0;
  if (states_something(term.schema))
    AL_TRY(append(context, conj, own));
  return has_links && (term.done & AL_SCH_DONE_LINKS) == 0 ? add_links(context, conj, &term, &link) : AL_OK;
}

enum al_code al_sch_conj_add(struct al_sch_context *context, struct al_sch_conj *conj, struct al_sch_term term)
{
  return add(context, conj, term, nullptr);
}

const struct al_json *al_sch_conj_group(const struct al_sch_conj *conj, size_t *term, unsigned *kind)
{
  for (size_t i = 0; i < conj->count; i++) {
    const struct al_json *any = al_json_get(conj->terms[i].schema, "anyOf");
    const struct al_json *one = al_json_get(conj->terms[i].schema, "oneOf");
    *term = i;
    *kind = any != nullptr && (conj->terms[i].done & AL_SCH_DONE_ANY_OF) == 0 ? AL_SCH_DONE_ANY_OF : AL_SCH_DONE_ONE_OF;
    if (*kind == AL_SCH_DONE_ANY_OF)
      return any;
    if (one != nullptr && (conj->terms[i].done & AL_SCH_DONE_ONE_OF) == 0)
      return one;
  }
  return nullptr;
}

/* Does the term say anything that it has not passed on to others? */
static bool is_spent(const struct al_sch_term *term)
{
  struct al_json_iter it = al_json_iter(term->schema);
  while (al_json_next(&it)) {
    bool is_done = (al_str_is(it.key, "anyOf") && (term->done & AL_SCH_DONE_ANY_OF) != 0) ||
                   (al_str_is(it.key, "oneOf") && (term->done & AL_SCH_DONE_ONE_OF) != 0);
    static const char *const silent[] = { "$ref",     "allOf",       "$defs",    "definitions",
                                          "title",    "description", "default",  "discriminator",
                                          "examples", "example",     "$schema",  "$id",
                                          "id",       "deprecated",  "readOnly", "writeOnly",
                                          "$comment", nullptr };
    if (!is_done && !is_one_of(it.key, silent))
      return false;
  }
  return true;
}

enum al_code al_sch_conj_choose(struct al_sch_context *context, const struct al_sch_conj *conj, size_t term,
                                unsigned kind, size_t index, struct al_sch_conj *out)
{
  *out = (struct al_sch_conj){ .is_false = conj->is_false };
  const struct al_sch_term *owner = &conj->terms[term];
  const char *name = kind == AL_SCH_DONE_ANY_OF ? "anyOf" : "oneOf";
  for (size_t i = 0; i < conj->count; i++) {
    struct al_sch_term kept = conj->terms[i];
    kept.done |= i == term ? kind : 0;
    if (i != term || !is_spent(&kept))
      AL_TRY(append(context, out, kept));
  }
  const char *path = al_sch_path_key(context->arena, owner->path, al_str(name));
  path = path != nullptr ? al_sch_path_index(context->arena, path, index) : nullptr;
  if (path == nullptr)
    return al_fail_oom(context->err, 64);
  const struct al_json *chosen = al_json_at(al_json_get(owner->schema, name), index);
  return al_sch_conj_add(context, out, (struct al_sch_term){ chosen, path, 0 });
}

/* --- facts ------------------------------------------------------------------------------------------------------- */

static void raise_to(uint64_t *least, const struct al_json *schema, const char *key)
{
  const struct al_json *value = al_json_get(schema, key);
  int64_t number = al_json_int(value, value != nullptr ? INT64_MAX : 0);
  *least = number > 0 && (uint64_t)number > *least ? (uint64_t)number : *least;
}

static void lower_to(uint64_t *most, const struct al_json *schema, const char *key)
{
  int64_t number = al_json_int(al_json_get(schema, key), INT64_MAX);
  *most = number >= 0 && number < INT64_MAX && (uint64_t)number < *most ? (uint64_t)number : *most;
}

static void take_bounds(struct al_sch_bounds *bounds, const struct al_json *schema)
{
  const struct al_json *least = al_json_get(schema, "minimum"), *most = al_json_get(schema, "maximum");
  const struct al_json *above = al_json_get(schema, "exclusiveMinimum");
  const struct al_json *below = al_json_get(schema, "exclusiveMaximum");
  bool is_old_above = al_json_kind(above) == AL_JSON_BOOL, is_old_below = al_json_kind(below) == AL_JSON_BOOL;
  if (least != nullptr) /* draft 4 has a flag beside the bound */
    al_sch_bounds_least(bounds, least, is_old_above && al_json_bool(above, false));
  if (most != nullptr)
    al_sch_bounds_most(bounds, most, is_old_below && al_json_bool(below, false));
  if (above != nullptr && !is_old_above)
    al_sch_bounds_least(bounds, above, true);
  if (below != nullptr && !is_old_below)
    al_sch_bounds_most(bounds, below, true);
}

/* A schema without a type that speaks of objects means objects: narrower than the standard, and what is meant. */
static unsigned implied_types(const struct al_json *schema)
{
  static const struct {
    const char *key;
    unsigned types;
  } implied[] = {
    { "properties", AL_SCH_OBJECT },
    { "required", AL_SCH_OBJECT },
    { "additionalProperties", AL_SCH_OBJECT },
    { "minProperties", AL_SCH_OBJECT },
    { "maxProperties", AL_SCH_OBJECT },
    { "items", AL_SCH_ARRAY },
    { "prefixItems", AL_SCH_ARRAY },
    { "minItems", AL_SCH_ARRAY },
    { "maxItems", AL_SCH_ARRAY },
    { "minLength", AL_SCH_STRING },
    { "maxLength", AL_SCH_STRING },
    { "pattern", AL_SCH_STRING },
    { "format", AL_SCH_STRING },
    { "minimum", AL_SCH_NUMBER },
    { "maximum", AL_SCH_NUMBER },
    { "exclusiveMinimum", AL_SCH_NUMBER },
    { "exclusiveMaximum", AL_SCH_NUMBER },
    { "multipleOf", AL_SCH_NUMBER },
  };
  unsigned types = 0;
  for (size_t i = 0; i < AL_COUNT(implied); i++)
    if (al_json_get(schema, implied[i].key) != nullptr)
      types |= implied[i].types;
  return types;
}

static void take_values(struct al_sch_facts *facts, const struct al_json *schema, size_t term)
{
  const struct al_json *constant = al_json_get(schema, "const"), *values = al_json_get(schema, "enum");
  bool is_first =
      facts->constant == nullptr && (constant != nullptr || (facts->values == nullptr && values != nullptr));
  if (is_first)
    facts->values_term = term;
  facts->constant = facts->constant != nullptr ? facts->constant : constant;
  facts->values = facts->values != nullptr ? facts->values : values;
}

enum al_code al_sch_conj_facts(struct al_sch_context *context, const struct al_sch_conj *conj,
                               struct al_sch_facts *facts)
{
  *facts = (struct al_sch_facts){ .types = conj->is_false ? 0 : AL_SCH_ANY,
                                  .max_length = AL_SCH_NO_MAX,
                                  .max_items = AL_SCH_NO_MAX,
                                  .max_properties = AL_SCH_NO_MAX };
  unsigned implied = 0;
  bool has_type = false;
  for (size_t i = 0; i < conj->count; i++) {
    const struct al_json *schema = conj->terms[i].schema;
    AL_TRY(al_sch_step(context, conj->terms[i].path));
    facts->types &= al_sch_types(schema);
    if (al_json_get(schema, "multipleOf") != nullptr)
      facts->types &= ~(unsigned)AL_SCH_FRACTION;
    has_type = has_type || al_json_get(schema, "type") != nullptr;
    implied |= implied_types(schema);
    take_bounds(&facts->bounds, schema);
    raise_to(&facts->min_length, schema, "minLength");
    lower_to(&facts->max_length, schema, "maxLength");
    raise_to(&facts->min_items, schema, "minItems");
    lower_to(&facts->max_items, schema, "maxItems");
    raise_to(&facts->min_properties, schema, "minProperties");
    lower_to(&facts->max_properties, schema, "maxProperties");
    take_values(facts, schema, i);
  }
  if (!has_type && implied != 0)
    facts->types &= implied;
  return AL_OK;
}
