#include "text/schema/emit.h"

#include "base/alloc.h"
#include "text/schema.h"

/* --- rules ------------------------------------------------------------------------------------------------------- */

static void key_of(const struct al_sch_conj *conj, struct al_buf *key)
{
  for (size_t i = 0; i < conj->count; i++) {
    al_buf_add(key, &conj->terms[i].schema, sizeof(void *));
    al_buf_add(key, &conj->terms[i].done, sizeof conj->terms[i].done);
  }
  al_buf_char(key, conj->is_false ? 'f' : 't');
}

static enum al_code add_rule(struct al_sch_emitter *e, const struct al_sch_conj *conj, struct al_str key)
{
  struct al_err *err = e->context.err;
  if (e->n_rules == AL_SCH_MAX_RULES)
    return al_sch_fail(err, AL_UNSUPPORTED, e->context.root_path, nullptr, "the schema needs more than %zu rules",
                       AL_SCH_MAX_RULES);
  void *rules = e->rules;
  AL_TRY(al_grow(&rules, &e->rules_capacity, e->n_rules + 1, sizeof *e->rules, err));
  e->rules = rules;
  size_t n_bytes = sizeof *conj;
  struct al_sch_conj *kept = al_arena_alloc(e->context.arena, n_bytes);
  if (kept == nullptr)
    return al_fail_oom(err, n_bytes);
  *kept = *conj;
  AL_TRY(al_map_set(e->known, key, (void *)(uintptr_t)(e->n_rules + 1), err));
  e->rules[e->n_rules++] = (struct al_sch_rule){ kept };
  return AL_OK;
}

enum al_code al_sch_rule_of(struct al_sch_emitter *e, const struct al_sch_conj *conj, uint32_t *rule)
{
  *rule = AL_SCH_ANY_RULE;
  if (conj->count == 0 && !conj->is_false)
    return AL_OK;
  AL_CLEANUP(al_buf_done) struct al_buf key = {};
  key_of(conj, &key);
  AL_TRY(al_buf_check(&key, e->context.err));
  uintptr_t known = (uintptr_t)al_map_get(e->known, al_buf_view(&key));
  if (known == 0) {
    AL_TRY(add_rule(e, conj, al_buf_view(&key)));
    known = e->n_rules;
  }
  *rule = (uint32_t)(known - 1);
  return AL_OK;
}

void al_sch_put_rule(struct al_sch_emitter *e, uint32_t rule)
{
  if (rule == AL_SCH_ANY_RULE)
    al_buf_printf(e->out, "%s-any", e->prefix);
  else if (rule == 0)
    al_buf_str(e->out, e->prefix);
  else
    al_buf_printf(e->out, "%s-%u", e->prefix, rule);
}

enum al_code al_sch_is_impossible(struct al_sch_emitter *e, const struct al_sch_conj *conj, bool *is_impossible)
{
  struct al_sch_facts facts;
  AL_TRY(al_sch_conj_facts(&e->context, conj, &facts));
  *is_impossible = facts.types == 0;
  return AL_OK;
}

/* --- fixed values ------------------------------------------------------------------------------------------------ */

static void put_value(struct al_sch_emitter *e, const struct al_json *value);

static void put_container(struct al_sch_emitter *e, const struct al_json *value, bool is_object)
{
  al_buf_str(e->out, is_object ? "\"{\" " : "\"[\" ");
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    if (it.index > 0)
      al_buf_printf(e->out, "\",\" %s-sp ", e->prefix);
    if (is_object) {
      AL_CLEANUP(al_buf_done) struct al_buf key = {};
      struct al_json_writer writer = al_json_writer(&key);
      al_jw_str_n(&writer, it.key);
      al_buf_char(&key, ':');
      al_sch_put_written(e->out, &key);
      al_buf_str(e->out, " \" \"? ");
    }
    put_value(e, it.value);
    al_buf_char(e->out, ' ');
  }
  al_buf_str(e->out, is_object ? "\"}\"" : "\"]\"");
}

/* Recursion is bounded by AL_JSON_MAX_DEPTH. */
static void put_value(struct al_sch_emitter *e, const struct al_json *value)
{
  enum al_json_kind kind = al_json_kind(value);
  if ((kind == AL_JSON_OBJECT || kind == AL_JSON_ARRAY) && al_json_count(value) > 0) {
    put_container(e, value, kind == AL_JSON_OBJECT);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_json_print(&text, value);
  al_sch_put_written(e->out, &text);
}

static enum al_code impossible(struct al_sch_emitter *e, const struct al_sch_conj *conj)
{
  const char *path = conj->count > 0 ? conj->terms[conj->count - 1].path : e->context.root_path;
  return al_sch_fail(e->context.err, AL_INVALID_REQUEST, path, nullptr, "no value satisfies the schema");
}

/* "enum" and "const": those of their values that satisfy everything else. */
static enum al_code emit_values(struct al_sch_emitter *e, const struct al_sch_conj *conj,
                                const struct al_sch_facts *facts)
{
  const char *between = "";
  struct al_sch_conj others = *conj; /* a list need not be searched for its own values */
  others.terms[facts->values_term].done |= facts->constant == nullptr ? AL_SCH_DONE_VALUES : 0;
  struct al_json_iter it = al_json_iter(facts->values);
  bool is_constant = facts->constant != nullptr, more = is_constant || al_json_next(&it), any = false;
  while (more) {
    const struct al_json *value = is_constant ? facts->constant : it.value;
    bool admits;
    AL_TRY(al_sch_conj_admits(&e->context, &others, value, &admits));
    if (admits) {
      al_buf_str(e->out, between);
      put_value(e, value);
      between = " | ";
      any = true;
    }
    more = !is_constant && al_json_next(&it);
  }
  al_buf_char(e->out, '\n');
  return any ? AL_OK : impossible(e, conj);
}

/* --- alternatives ------------------------------------------------------------------------------------------------ */

static enum al_code add_unit(struct al_sch_emitter *e, uint32_t from, uint32_t to)
{
  void *units = e->units;
  AL_TRY(al_grow(&units, &e->units_capacity, e->n_units + 1, sizeof *e->units, e->context.err));
  e->units = units;
  e->units[e->n_units++] = (struct al_sch_unit){ from, to };
  return AL_OK;
}

/* "oneOf" is as good as "anyOf" when no value can satisfy two of its schemas. */
static enum al_code check_disjoint(struct al_sch_emitter *e, const struct al_sch_conj *conj, size_t term, size_t count)
{
  const char *path = conj->terms[term].path;
  struct al_sch_conj first, second;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < i; k++) {
      bool are_disjoint;
      AL_TRY(al_sch_conj_choose(&e->context, conj, term, AL_SCH_DONE_ONE_OF, i, &first));
      AL_TRY(al_sch_conj_choose(&e->context, conj, term, AL_SCH_DONE_ONE_OF, k, &second));
      AL_TRY(al_sch_conj_disjoint(&e->context, &first, &second, 0, &are_disjoint));
      if (!are_disjoint)
        return al_sch_fail(e->context.err, AL_UNSUPPORTED, path, "oneOf",
                           "schemas %zu and %zu may admit the same value: write anyOf, or tell them apart by a type "
                           "or a required constant",
                           k, i);
    }
  return AL_OK;
}

static enum al_code emit_choice(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj, size_t term,
                                unsigned kind)
{
  const char *name = kind == AL_SCH_DONE_ANY_OF ? "anyOf" : "oneOf", *between = "";
  size_t count = al_json_count(al_json_get(conj->terms[term].schema, name));
  bool any = false;
  if (kind == AL_SCH_DONE_ONE_OF)
    AL_TRY(check_disjoint(e, conj, term, count));
  for (size_t i = 0; i < count; i++) {
    struct al_sch_conj chosen;
    bool is_impossible;
    uint32_t to;
    AL_TRY(al_sch_conj_choose(&e->context, conj, term, kind, i, &chosen));
    AL_TRY(al_sch_is_impossible(e, &chosen, &is_impossible));
    if (is_impossible)
      continue;
    AL_TRY(al_sch_rule_of(e, &chosen, &to));
    if (to != AL_SCH_ANY_RULE)
      AL_TRY(add_unit(e, rule, to));
    al_buf_str(e->out, between);
    al_sch_put_rule(e, to);
    between = " | ";
    any = true;
  }
  al_buf_char(e->out, '\n');
  return any ? AL_OK : impossible(e, conj);
}

/* --- one rule ---------------------------------------------------------------------------------------------------- */

static enum al_code emit_number(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                                const struct al_sch_facts *facts, bool *is_empty)
{
  al_buf_printf(e->out, "%s-%u-n ::= ", e->prefix, rule);
  bool is_whole = (facts->types & AL_SCH_FRACTION) == 0;
  enum al_code code = is_whole ? al_sch_integer_emit(&facts->bounds, e->out, is_empty, e->context.err)
                               : al_sch_number_emit(&facts->bounds, e->out, is_empty, e->context.err);
  if (code == AL_UNSUPPORTED) {
    struct al_err why = *e->context.err;
    return al_sch_fail(e->context.err, code, conj->terms[0].path, nullptr, "%.200s", why.message);
  }
  al_buf_str(e->out, *is_empty ? "\"0\"\n" : "\n");
  return code;
}

typedef enum al_code emit_fn(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                             const struct al_sch_facts *facts, bool *is_empty);

/* First the rules of the types, then the one that is their alternative. */
static enum al_code emit_types(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                               const struct al_sch_facts *facts)
{
  static const struct {
    unsigned types;
    char letter;
    emit_fn *emit;
  } kinds[] = { { AL_SCH_OBJECT, 'o', al_sch_emit_object },
                { AL_SCH_ARRAY, 'a', al_sch_emit_array },
                { AL_SCH_STRING, 's', al_sch_emit_string },
                { AL_SCH_NUMBER, 'n', emit_number } };
  char alternatives[2 * AL_COUNT(kinds)] = "";
  size_t n_alternatives = 0;
  for (size_t i = 0; i < AL_COUNT(kinds); i++) {
    bool is_empty = true;
    if ((facts->types & kinds[i].types) != 0)
      AL_TRY(kinds[i].emit(e, rule, conj, facts, &is_empty));
    if (!is_empty)
      alternatives[n_alternatives++] = kinds[i].letter;
  }
  bool has_bool = (facts->types & AL_SCH_BOOL) != 0, has_null = (facts->types & AL_SCH_NULL) != 0;
  if (n_alternatives == 0 && !has_bool && !has_null)
    return impossible(e, conj);
  al_sch_put_rule(e, rule);
  const char *between = " ::= ";
  for (size_t i = 0; i < n_alternatives; i++, between = " | ")
    al_buf_printf(e->out, "%s%s-%u-%c", between, e->prefix, rule, alternatives[i]);
  al_buf_printf(e->out, "%s%s%s%s\n", has_bool ? between : "", has_bool ? "\"true\" | \"false\"" : "",
                !has_null  ? ""
                : has_bool ? " | "
                           : between,
                has_null ? "\"null\"" : "");
  return AL_OK;
}

static enum al_code emit_rule(struct al_sch_emitter *e, uint32_t rule)
{
  const struct al_sch_conj *conj = e->rules[rule].conj;
  struct al_sch_facts facts;
  AL_TRY(al_sch_conj_facts(&e->context, conj, &facts));
  if (facts.types == 0)
    return impossible(e, conj);
  size_t term;
  unsigned kind;
  bool has_values = facts.values != nullptr || facts.constant != nullptr;
  bool has_group = !has_values && al_sch_conj_group(conj, &term, &kind) != nullptr;
  if (!has_values && !has_group)
    return emit_types(e, rule, conj, &facts);
  al_sch_put_rule(e, rule);
  al_buf_str(e->out, " ::= ");
  return has_values ? emit_values(e, conj, &facts) : emit_choice(e, rule, conj, term, kind);
}

/* A rule that can be itself without a byte in between: "anyOf" with a reference to where it stands. Repeatedly strikes
 * out rules that lead nowhere; what stays lies on a cycle or leads to one. */
static enum al_code check_progress(struct al_sch_emitter *e)
{
  AL_CLEANUP(al_free_p) uint32_t *n_open = al_calloc(e->n_rules + 1, sizeof *n_open);
  if (n_open == nullptr)
    return al_fail_oom(e->context.err, e->n_rules * sizeof *n_open);
  for (size_t i = 0; i < e->n_units; i++)
    n_open[e->units[i].from]++;
  size_t n_left = e->n_units;
  for (bool changed = true; changed && n_left > 0;) {
    changed = false;
    for (size_t i = 0; i < n_left;) {
      AL_TRY(al_sch_step(&e->context, e->context.root_path));
      if (n_open[e->units[i].to] > 0) {
        i++;
        continue;
      }
      n_open[e->units[i].from]--;
      e->units[i] = e->units[--n_left];
      changed = true;
    }
  }
  if (n_left == 0)
    return AL_OK;
  return al_sch_fail(e->context.err, AL_INVALID_REQUEST, e->rules[e->units[0].from].conj->terms[0].path, nullptr,
                     "the schema refers to itself without end");
}

static enum al_code emit_all(struct al_sch_emitter *e, const struct al_json *schema, bool free_whitespace)
{
  struct al_sch_conj conj = {};
  uint32_t root;
  AL_TRY(al_sch_conj_add(&e->context, &conj, (struct al_sch_term){ schema, e->context.root_path, 0 }));
  AL_TRY(al_sch_rule_of(e, &conj, &root));
  if (root == AL_SCH_ANY_RULE)
    al_buf_printf(e->out, "%s ::= %s-any\n", e->prefix, e->prefix);
  for (uint32_t i = 0; i < e->n_rules; i++) {
    AL_TRY(emit_rule(e, i));
    if (e->out->failed || e->out->size > AL_SCH_MAX_GBNF_BYTES)
      return e->out->failed && e->out->size < AL_SCH_MAX_GBNF_BYTES / 2
                 ? al_buf_check(e->out, e->context.err)
                 : al_sch_fail(e->context.err, AL_UNSUPPORTED, e->context.root_path, nullptr,
                               "the schema makes a grammar of more than %zu MiB", AL_SCH_MAX_GBNF_BYTES >> 20);
  }
  al_sch_emit_shared(e->prefix, free_whitespace, e->out);
  return check_progress(e);
}

static enum al_code convert(struct al_sch_emitter *e, const struct al_json *schema, bool free_whitespace,
                            struct al_buf *gbnf)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  al_buf_init(&out, AL_SCH_MAX_GBNF_BYTES * 2);
  e->out = &out;
  AL_TRY(emit_all(e, schema, free_whitespace));
  AL_TRY(al_buf_check(&out, e->context.err));
  al_buf_add(gbnf, out.data, out.size);
  return al_buf_check(gbnf, e->context.err);
}

enum al_code al_schema_to_gbnf(const struct al_json *schema, const char *prefix,
                               const struct al_schema_options *options, struct al_buf *gbnf, struct al_err *err)
{
  struct al_err own;
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(64 << 20);
  AL_CLEANUP(al_map_free_p) struct al_map *known = al_map_new(AL_SCH_MAX_RULES);
  if (arena == nullptr || known == nullptr)
    return al_fail_oom(err, sizeof(void *));
  const char *path = options != nullptr && options->path != nullptr ? options->path : "schema";
  struct al_sch_emitter e = {
    .context = { .root = schema, .root_path = path, .arena = arena, .err = err != nullptr ? err : &own },
    .prefix = prefix,
    .known = known
  };
  enum al_code code = convert(&e, schema, options != nullptr && options->free_whitespace, gbnf);
  al_free(e.rules);
  al_free(e.units);
  return code;
}
