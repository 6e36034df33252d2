/* Objects: members in the schema's order. For each place there are two rules, one for when no member came before it
 * ("f") and one for when some did ("a"); an optional member is stepped over by going to the next place. So the grammar
 * grows with the members and not with their subsets. Where the number of members is bound, the rules count them. */
#include "text/schema/emit.h"

#include "base/alloc.h"
#include "text/schema/pattern.h"

constexpr size_t MAX_MEMBERS = 2000;
constexpr uint64_t MAX_PLACES = 20'000; /* members times counts */

struct member {
  struct al_str name;
  struct al_sch_conj *conj;
  uint32_t rule;
  bool is_required, is_possible;
};

struct object {
  struct al_sch_emitter *e;
  uint32_t rule;
  struct member *members; /* in the arena */
  size_t n_members;
  struct al_map *by_name;                        /* member + 1 */
  bool is_open;                                  /* other members may follow */
  uint32_t others;                               /* their rule */
  uint64_t least, most;                          /* members; most may be AL_SCH_NO_MAX */
  uint64_t cap;                                  /* counts beyond it are not told apart; 0: nothing is counted */
  uint64_t *n_required_after, *n_possible_after; /* [n_members + 1] */
};

static enum al_code find_member(struct object *o, struct al_str name, const char *path, size_t *index)
{
  struct al_err *err = o->e->context.err;
  uintptr_t known = (uintptr_t)al_map_get(o->by_name, name);
  if (known != 0) {
    *index = known - 1;
    return AL_OK;
  }
  if (o->n_members == MAX_MEMBERS)
    return al_sch_fail(err, AL_UNSUPPORTED, path, nullptr, "more than %zu properties", MAX_MEMBERS);
  if (name.size > 1000)
    return al_sch_fail(err, AL_UNSUPPORTED, path, nullptr, "a property's name is longer than 1000 bytes");
  struct al_sch_conj *conj = al_arena_alloc(o->e->context.arena, sizeof *conj);
  if (conj == nullptr)
    return al_fail_oom(err, sizeof *conj);
  AL_TRY(al_map_set(o->by_name, name, (void *)(uintptr_t)(o->n_members + 1), err));
  o->members[o->n_members] = (struct member){ .name = name, .conj = conj };
  *index = o->n_members++;
  return AL_OK;
}

static enum al_code declare(struct object *o, const struct al_sch_term *term)
{
  struct al_sch_context *context = &o->e->context;
  const char *path = al_sch_path_key(context->arena, term->path, al_str("properties"));
  struct al_json_iter it = al_json_iter(al_json_get(term->schema, "properties"));
  while (al_json_next(&it)) {
    size_t index = 0;
    const char *inner = path != nullptr ? al_sch_path_key(context->arena, path, it.key) : nullptr;
    if (inner == nullptr)
      return al_fail_oom(context->err, 64);
    AL_TRY(find_member(o, it.key, inner, &index));
    AL_TRY(al_sch_conj_add(context, o->members[index].conj, (struct al_sch_term){ it.value, inner, 0 }));
  }
  return AL_OK;
}

static bool declares(const struct al_json *schema, struct al_str name)
{
  struct al_json_iter it = al_json_iter(al_json_get(schema, "properties"));
  while (al_json_next(&it))
    if (al_str_eq(it.key, name))
      return true;
  return false;
}

/* "additionalProperties" of a schema holds for the members that others declare. */
static enum al_code add_others(struct object *o, const struct al_sch_conj *conj, struct al_sch_conj *to,
                               const struct al_str *name)
{
  struct al_sch_context *context = &o->e->context;
  for (size_t i = 0; i < conj->count; i++) {
    const struct al_sch_term *term = &conj->terms[i];
    const struct al_json *others = al_json_get(term->schema, "additionalProperties");
    if (others == nullptr || (name != nullptr && declares(term->schema, *name)))
      continue;
    const char *path = al_sch_path_key(context->arena, term->path, al_str("additionalProperties"));
    if (path == nullptr)
      return al_fail_oom(context->err, 64);
    AL_TRY(al_sch_conj_add(context, to, (struct al_sch_term){ others, path, 0 }));
    o->is_open = true;
  }
  return AL_OK;
}

static enum al_code require(struct object *o, const struct al_sch_conj *conj)
{
  for (size_t i = 0; i < conj->count; i++) {
    struct al_json_iter it = al_json_iter(al_json_get(conj->terms[i].schema, "required"));
    while (al_json_next(&it)) {
      size_t index = 0;
      AL_TRY(al_sch_step(&o->e->context, conj->terms[i].path));
      AL_TRY(find_member(o, al_json_str(it.value), conj->terms[i].path, &index));
      o->members[index].is_required = true;
    }
  }
  return AL_OK;
}

/* Without "additionalProperties" an object that declares members has no others: the standard would admit them, but no
 * caller asks for what it has not named. */
static enum al_code gather(struct object *o, const struct al_sch_conj *conj)
{
  struct al_sch_context *context = &o->e->context;
  for (size_t i = 0; i < conj->count; i++)
    AL_TRY(declare(o, &conj->terms[i]));
  AL_TRY(require(o, conj));
  for (size_t i = 0; i < o->n_members; i++) {
    struct member *member = &o->members[i];
    bool is_impossible;
    AL_TRY(add_others(o, conj, member->conj, &member->name));
    AL_TRY(al_sch_is_impossible(o->e, member->conj, &is_impossible));
    member->is_possible = !is_impossible;
    if (member->is_possible)
      AL_TRY(al_sch_rule_of(o->e, member->conj, &member->rule));
  }
  struct al_sch_conj *others = al_arena_alloc(context->arena, sizeof *others);
  if (others == nullptr)
    return al_fail_oom(context->err, sizeof *others);
  bool is_impossible;
  o->is_open = o->n_members == 0;
  AL_TRY(add_others(o, conj, others, nullptr));
  AL_TRY(al_sch_is_impossible(o->e, others, &is_impossible));
  o->is_open = o->is_open && !is_impossible;
  return o->is_open ? al_sch_rule_of(o->e, others, &o->others) : AL_OK;
}

/* Can the object still be finished, at place `at` with `count` members? */
static bool is_viable(const struct object *o, size_t at, uint64_t count)
{
  if (o->cap == 0)
    return true;
  return count + o->n_required_after[at] <= o->most && (o->is_open || count + o->n_possible_after[at] >= o->least);
}

static void put_place(struct object *o, char kind, size_t at, uint64_t count)
{
  al_buf_printf(o->e->out, "%s-%u-%c%zu", o->e->prefix, o->rule, kind, at);
  if (o->cap > 0)
    al_buf_printf(o->e->out, "c%llu", (unsigned long long)count);
}

static uint64_t one_more(const struct object *o, uint64_t count)
{
  return count < o->cap ? count + 1 : o->cap > 0 && o->most == AL_SCH_NO_MAX ? o->cap : o->cap > 0 ? count + 1 : 0;
}

/* After all declared members: the others, as many as may be. */
static void emit_end(struct object *o, char kind, uint64_t count)
{
  struct al_buf *out = o->e->out;
  const char *p = o->e->prefix;
  uint64_t least = o->least > count ? o->least - count : 0;
  uint64_t most = o->most == AL_SCH_NO_MAX ? AL_SCH_NO_MAX : o->most - count;
  if (!o->is_open || most == 0) {
    al_buf_str(out, "\"\"\n");
    return;
  }
  if (kind == 'f')
    al_buf_printf(out, "(%s-%u-x ", p, o->rule);
  al_buf_printf(out, "(\",\" %s-sp %s-%u-x)", p, p, o->rule);
  al_sch_put_times(out, least, most, kind == 'f');
  al_buf_str(out, kind != 'f' ? "\n" : least > 0 ? ")\n" : ")?\n");
}

static void emit_place(struct object *o, char kind, size_t at, uint64_t count)
{
  struct al_buf *out = o->e->out;
  if (!is_viable(o, at, count))
    return;
  put_place(o, kind, at, count);
  al_buf_str(out, " ::= ");
  if (at == o->n_members) {
    emit_end(o, kind, count);
    return;
  }
  const struct member *member = &o->members[at];
  bool takes = member->is_possible && is_viable(o, at + 1, one_more(o, count));
  bool skips = !member->is_required && is_viable(o, at + 1, count);
  if (takes) {
    if (kind == 'a')
      al_buf_printf(out, "\",\" %s-sp ", o->e->prefix);
    al_buf_printf(out, "%s-%u-k%zu ", o->e->prefix, o->rule, at);
    put_place(o, 'a', at + 1, one_more(o, count));
  }
  if (skips) {
    al_buf_str(out, takes ? " | " : "");
    put_place(o, kind, at + 1, count);
  }
  al_buf_char(out, '\n');
}

static void emit_key(struct object *o, size_t at)
{
  AL_CLEANUP(al_buf_done) struct al_buf key = {};
  struct al_json_writer writer = al_json_writer(&key);
  al_jw_str_n(&writer, o->members[at].name);
  al_buf_char(&key, ':');
  al_buf_printf(o->e->out, "%s-%u-k%zu ::= ", o->e->prefix, o->rule, at);
  al_sch_put_written(o->e->out, &key);
  al_buf_str(o->e->out, " \" \"? ");
  al_sch_put_rule(o->e, o->members[at].rule);
  al_buf_char(o->e->out, '\n');
}

static enum al_code emit_others(struct object *o)
{
  struct al_sch_emitter *e = o->e;
  al_buf_printf(e->out, "%s-%u-x ::= ", e->prefix, o->rule);
  if (o->n_members > 0)
    al_buf_printf(e->out, "%s-%u-y", e->prefix, o->rule);
  else
    al_buf_printf(e->out, "%s-str", e->prefix);
  al_buf_str(e->out, " \":\" \" \"? ");
  al_sch_put_rule(e, o->others);
  al_buf_char(e->out, '\n');
  if (o->n_members == 0)
    return AL_OK;
  AL_CLEANUP(al_free_p) struct al_str *names = al_calloc(o->n_members, sizeof *names);
  AL_CLEANUP(al_buf_done) struct al_buf name = {};
  if (names == nullptr)
    return al_fail_oom(e->context.err, o->n_members * sizeof *names);
  for (size_t i = 0; i < o->n_members; i++)
    names[i] = o->members[i].name;
  al_buf_printf(&name, "%s-%u-y", e->prefix, o->rule);
  AL_TRY(al_buf_check(&name, e->context.err));
  al_sch_emit_other_keys(name.data, names, o->n_members, e->out);
  return AL_OK;
}

static enum al_code count_places(struct object *o, const struct al_sch_facts *facts, const char *path)
{
  struct al_err *err = o->e->context.err;
  size_t n = o->n_members;
  o->n_required_after = al_arena_array(o->e->context.arena, n + 1, sizeof *o->n_required_after);
  o->n_possible_after = al_arena_array(o->e->context.arena, n + 1, sizeof *o->n_possible_after);
  if (o->n_required_after == nullptr || o->n_possible_after == nullptr)
    return al_fail_oom(err, n * sizeof *o->n_required_after);
  for (size_t i = n; i-- > 0;) {
    o->n_required_after[i] = o->n_required_after[i + 1] + o->members[i].is_required;
    o->n_possible_after[i] = o->n_possible_after[i + 1] + o->members[i].is_possible;
  }
  o->least = facts->min_properties;
  o->most = facts->max_properties;
  bool binds = o->least > o->n_required_after[0] || o->most < (o->is_open ? AL_SCH_NO_MAX : o->n_possible_after[0]);
  if (!binds) {
    o->most = AL_SCH_NO_MAX;
    o->least = 0;
    return AL_OK;
  }
  uint64_t cap = o->most != AL_SCH_NO_MAX ? o->most : o->least;
  o->cap = cap < n + 1 ? cap : n + 1;
  o->cap = o->cap > 0 ? o->cap : 1;
  if ((n + 1) * (o->cap + 1) > MAX_PLACES)
    return al_sch_fail(err, AL_UNSUPPORTED, path, nullptr, "minProperties or maxProperties with so many properties");
  return AL_OK;
}

static bool is_hopeless(const struct object *o)
{
  for (size_t i = 0; i < o->n_members; i++)
    if (o->members[i].is_required && !o->members[i].is_possible)
      return true;
  return o->least > o->most || !is_viable(o, 0, 0);
}

static void emit_places(struct object *o)
{
  bool may_be_first = true;
  for (size_t at = 0; at <= o->n_members; at++) {
    if (may_be_first)
      emit_place(o, 'f', at, 0);
    may_be_first = may_be_first && at < o->n_members && !o->members[at].is_required;
    uint64_t most = o->cap == 0 ? 0 : o->cap < at ? o->cap : at;
    for (uint64_t count = o->cap > 0; at > 0 && count <= most; count++)
      emit_place(o, 'a', at, count);
    if (at < o->n_members && o->members[at].is_possible)
      emit_key(o, at);
  }
}

static enum al_code emit(struct object *o, const struct al_sch_conj *conj, const struct al_sch_facts *facts,
                         bool *is_empty)
{
  o->members = al_arena_array(o->e->context.arena, MAX_MEMBERS, sizeof *o->members);
  if (o->members == nullptr)
    return al_fail_oom(o->e->context.err, MAX_MEMBERS * sizeof *o->members);
  AL_TRY(gather(o, conj));
  AL_TRY(count_places(o, facts, conj->count > 0 ? conj->terms[0].path : o->e->context.root_path));
  *is_empty = is_hopeless(o);
  if (*is_empty)
    return AL_OK;
  const char *p = o->e->prefix;
  al_buf_printf(o->e->out, "%s-%u-o ::= \"{\" %s-lf ", p, o->rule, p);
  put_place(o, 'f', 0, 0);
  al_buf_printf(o->e->out, " %s-lf \"}\"\n", p);
  emit_places(o);
  return o->is_open ? emit_others(o) : AL_OK;
}

enum al_code al_sch_emit_object(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                                const struct al_sch_facts *facts, bool *is_empty)
{
  AL_CLEANUP(al_map_free_p) struct al_map *by_name = al_map_new(MAX_MEMBERS);
  if (by_name == nullptr)
    return al_fail_oom(e->context.err, sizeof(void *));
  struct object o = { .e = e, .rule = rule, .by_name = by_name };
  return emit(&o, conj, facts, is_empty);
}
