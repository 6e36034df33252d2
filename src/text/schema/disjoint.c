/* Can it be shown that two conjunctions have no value in common? */
#include "text/schema/conj.h"
#include "text/schema/validate.h"

constexpr int MAX_DEPTH = 4;

enum al_code al_sch_conj_admits(struct al_sch_context *context, const struct al_sch_conj *conj,
                                const struct al_json *value, bool *admits)
{
  *admits = !conj->is_false;
  for (size_t i = 0; i < conj->count && *admits; i++) {
    AL_TRY(al_sch_is_valid(context, &conj->terms[i], value, admits, nullptr));
  }
  return AL_OK;
}

/* None of the values that `of` lists satisfies `other`. */
static enum al_code values_differ(struct al_sch_context *context, const struct al_sch_facts *of,
                                  const struct al_sch_conj *other, bool *are_disjoint)
{
  bool admits = true;
  *are_disjoint = false;
  if (of->constant != nullptr) {
    AL_TRY(al_sch_conj_admits(context, other, of->constant, &admits));
    *are_disjoint = !admits;
    return AL_OK;
  }
  struct al_json_iter it = al_json_iter(of->values);
  while (al_json_next(&it)) {
    AL_TRY(al_sch_conj_admits(context, other, it.value, &admits));
    if (admits)
      return AL_OK;
  }
  *are_disjoint = of->values != nullptr;
  return AL_OK;
}

static bool is_required(const struct al_sch_conj *conj, struct al_str name)
{
  for (size_t i = 0; i < conj->count; i++) {
    struct al_json_iter it = al_json_iter(al_json_get(conj->terms[i].schema, "required"));
    while (al_json_next(&it))
      if (al_str_eq(al_json_str(it.value), name))
        return true;
  }
  return false;
}

/* What a conjunction says of a member by name. */
static enum al_code member_of(struct al_sch_context *context, const struct al_sch_conj *conj, struct al_str name,
                              struct al_sch_conj *out)
{
  *out = (struct al_sch_conj){};
  for (size_t i = 0; i < conj->count; i++) {
    const struct al_json *schema = nullptr;
    struct al_json_iter it = al_json_iter(al_json_get(conj->terms[i].schema, "properties"));
    while (schema == nullptr && al_json_next(&it))
      schema = al_str_eq(it.key, name) ? it.value : nullptr;
    if (schema == nullptr)
      schema = al_json_get(conj->terms[i].schema, "additionalProperties");
    if (schema != nullptr)
      AL_TRY(al_sch_conj_add(context, out, (struct al_sch_term){ schema, conj->terms[i].path, 0 }));
  }
  return AL_OK;
}

/* A member that one of them requires and on which they cannot agree. */
static enum al_code members_differ(struct al_sch_context *context, const struct al_sch_conj *a,
                                   const struct al_sch_conj *b, int depth, bool *are_disjoint)
{
  *are_disjoint = false;
  for (size_t i = 0; i < a->count; i++) {
    struct al_json_iter it = al_json_iter(al_json_get(a->terms[i].schema, "required"));
    while (al_json_next(&it) && !*are_disjoint) {
      struct al_sch_conj left, right;
      struct al_str name = al_json_str(it.value);
      AL_TRY(al_sch_step(context, a->terms[i].path));
      AL_TRY(member_of(context, b, name, &right));
      if (!right.is_false && !is_required(b, name) && right.count == 0)
        continue;
      AL_TRY(member_of(context, a, name, &left));
      AL_TRY(al_sch_conj_disjoint(context, &left, &right, depth + 1, are_disjoint));
    }
  }
  return AL_OK;
}

static bool bounds_differ(const struct al_sch_bounds *a, const struct al_sch_bounds *b)
{
  if (a->most == nullptr || b->least == nullptr)
    return false;
  int order = al_sch_compare(a->most, b->least);
  return order < 0 || (order == 0 && (a->below_most || b->above_least));
}

/* Every alternative of a's group against b. */
static enum al_code group_differs(struct al_sch_context *context, const struct al_sch_conj *a,
                                  const struct al_sch_conj *b, int depth, bool *has_group, bool *are_disjoint)
{
  size_t term;
  unsigned kind;
  const struct al_json *group = al_sch_conj_group(a, &term, &kind);
  *has_group = group != nullptr;
  for (size_t i = 0; i < al_json_count(group); i++) {
    struct al_sch_conj chosen;
    AL_TRY(al_sch_conj_choose(context, a, term, kind, i, &chosen));
    AL_TRY(al_sch_conj_disjoint(context, &chosen, b, depth + 1, are_disjoint));
    if (!*are_disjoint)
      return AL_OK;
  }
  return AL_OK;
}

/* The types that the terms state; those that are only implied do not count here. */
static unsigned stated_types(const struct al_sch_conj *conj)
{
  unsigned types = conj->is_false ? 0 : AL_SCH_ANY;
  for (size_t i = 0; i < conj->count; i++)
    types &= al_sch_types(conj->terms[i].schema);
  return types;
}

enum al_code al_sch_conj_disjoint(struct al_sch_context *context, const struct al_sch_conj *a,
                                  const struct al_sch_conj *b, int depth, bool *are_disjoint)
{
  struct al_sch_facts left, right;
  bool has_group;
  unsigned shared = stated_types(a) & stated_types(b);
  *are_disjoint = shared == 0;
  AL_TRY(al_sch_step(context, context->root_path));
  if (*are_disjoint || depth > MAX_DEPTH)
    return AL_OK;
  AL_TRY(al_sch_conj_facts(context, a, &left));
  AL_TRY(al_sch_conj_facts(context, b, &right));
  AL_TRY(values_differ(context, &left, b, are_disjoint));
  if (!*are_disjoint)
    AL_TRY(values_differ(context, &right, a, are_disjoint));
  if (!*are_disjoint && (shared & ~(unsigned)AL_SCH_NUMBER) == 0)
    *are_disjoint = bounds_differ(&left.bounds, &right.bounds) || bounds_differ(&right.bounds, &left.bounds);
  if (!*are_disjoint && shared == AL_SCH_OBJECT) {
    AL_TRY(members_differ(context, a, b, depth, are_disjoint));
    if (!*are_disjoint)
      AL_TRY(members_differ(context, b, a, depth, are_disjoint));
  }
  if (*are_disjoint)
    return AL_OK;
  AL_TRY(group_differs(context, a, b, depth, &has_group, are_disjoint));
  return has_group ? AL_OK : group_differs(context, b, a, depth, &has_group, are_disjoint);
}
