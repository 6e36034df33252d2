/* Arrays and strings. */
#include "text/schema/emit.h"

#include "text/schema/pattern.h"

constexpr size_t MAX_PREFIX = 1000;

/* "items" as a list and "additionalItems" are what older drafts called "prefixItems" and "items". */
static const struct al_json *prefix_of(const struct al_json *schema, const char **key)
{
  const struct al_json *items = al_json_get(schema, "items");
  *key = al_json_kind(items) == AL_JSON_ARRAY ? "items" : "prefixItems";
  return al_json_get(schema, *key);
}

static const struct al_json *rest_of(const struct al_json *schema, const char **key)
{
  const struct al_json *items = al_json_get(schema, "items");
  *key = al_json_kind(items) == AL_JSON_ARRAY ? "additionalItems" : "items";
  return al_json_get(schema, *key);
}

/* What must hold for the element at `index`; beyond all prefixes that is the same for all. */
static enum al_code element(struct al_sch_emitter *e, const struct al_sch_conj *conj, size_t index,
                            struct al_sch_conj *out)
{
  struct al_sch_context *context = &e->context;
  *out = (struct al_sch_conj){};
  for (size_t i = 0; i < conj->count; i++) {
    const char *prefix_key, *rest_key, *path;
    const struct al_json *prefix = prefix_of(conj->terms[i].schema, &prefix_key);
    const struct al_json *rest = rest_of(conj->terms[i].schema, &rest_key);
    bool in_prefix = index < al_json_count(prefix);
    const struct al_json *schema = in_prefix ? al_json_at(prefix, index) : rest;
    if (schema == nullptr)
      continue;
    path = al_sch_path_key(context->arena, conj->terms[i].path, al_str(in_prefix ? prefix_key : rest_key));
    path = path != nullptr && in_prefix ? al_sch_path_index(context->arena, path, index) : path;
    if (path == nullptr)
      return al_fail_oom(context->err, 64);
    AL_TRY(al_sch_conj_add(context, out, (struct al_sch_term){ schema, path, 0 }));
  }
  return AL_OK;
}

struct array {
  struct al_sch_emitter *e;
  uint32_t rule;
  const struct al_sch_conj *conj;
  uint64_t least, most;
  size_t n_prefix;
};

/* Elements from `at` on that are all of one kind. */
static void emit_same(struct array *a, uint32_t rule, size_t at)
{
  struct al_sch_emitter *e = a->e;
  uint64_t least = a->least > at ? a->least - at : 0;
  uint64_t most = a->most == AL_SCH_NO_MAX ? AL_SCH_NO_MAX : a->most - at;
  if (at == 0) {
    al_buf_char(e->out, '(');
    al_sch_put_rule(e, rule);
    al_buf_char(e->out, ' ');
  }
  al_buf_printf(e->out, "(\",\" %s-sp ", e->prefix);
  al_sch_put_rule(e, rule);
  al_buf_char(e->out, ')');
  al_sch_put_times(e->out, least, most, at == 0);
  al_buf_str(e->out, at > 0 ? "\n" : least > 0 ? ")\n" : ")?\n");
}

/* The rule for the elements from `at` on. *is_dead: the array cannot be finished from here. */
static enum al_code emit_from(struct array *a, size_t at, bool *is_dead)
{
  struct al_sch_emitter *e = a->e;
  struct al_sch_conj conj;
  bool is_impossible, may_stop = at >= a->least;
  uint32_t rule;
  AL_TRY(element(e, a->conj, at, &conj));
  AL_TRY(al_sch_is_impossible(e, &conj, &is_impossible));
  is_impossible = is_impossible || at >= a->most;
  *is_dead = is_impossible && !may_stop;
  al_buf_printf(e->out, "%s-%u-e%zu ::= ", e->prefix, a->rule, at);
  if (is_impossible) {
    al_buf_str(e->out, "\"\"\n");
    return AL_OK;
  }
  AL_TRY(al_sch_rule_of(e, &conj, &rule));
  if (at == a->n_prefix) {
    emit_same(a, rule, at);
    return AL_OK;
  }
  if (at > 0)
    al_buf_printf(e->out, "\",\" %s-sp ", e->prefix);
  al_sch_put_rule(e, rule);
  al_buf_printf(e->out, " %s-%u-e%zu%s\n", e->prefix, a->rule, at + 1, may_stop ? " | \"\"" : "");
  return AL_OK;
}

/* A tuple whose later place is impossible must end before it; `least` tells whether it may. */
static enum al_code find_end(struct array *a, bool *is_empty)
{
  *is_empty = a->least > a->most;
  for (size_t at = 0; at <= a->n_prefix && at < a->most; at++) {
    struct al_sch_conj conj;
    bool is_impossible;
    AL_TRY(element(a->e, a->conj, at, &conj));
    AL_TRY(al_sch_is_impossible(a->e, &conj, &is_impossible));
    if (is_impossible)
      a->most = at;
  }
  *is_empty = a->least > a->most;
  return AL_OK;
}

enum al_code al_sch_emit_array(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                               const struct al_sch_facts *facts, bool *is_empty)
{
  struct array a = { .e = e, .rule = rule, .conj = conj, .least = facts->min_items, .most = facts->max_items };
  const char *path = conj->count > 0 ? conj->terms[0].path : e->context.root_path;
  for (size_t i = 0; i < conj->count; i++) {
    const char *key;
    a.n_prefix = al_max_size(a.n_prefix, al_json_count(prefix_of(conj->terms[i].schema, &key)));
  }
  if (a.n_prefix > MAX_PREFIX)
    return al_sch_fail(e->context.err, AL_UNSUPPORTED, path, "prefixItems", "more than %zu places", MAX_PREFIX);
  AL_TRY(find_end(&a, is_empty));
  if (*is_empty)
    return AL_OK;
  al_buf_printf(e->out, "%s-%u-a ::= \"[\" %s-lf %s-%u-e0 %s-lf \"]\"\n", e->prefix, rule, e->prefix, e->prefix, rule,
                e->prefix);
  for (size_t at = 0; at <= a.n_prefix; at++) {
    bool is_dead;
    AL_TRY(emit_from(&a, at, &is_dead));
    if (at >= a.most)
      break;
  }
  return AL_OK;
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

struct text_rules {
  struct al_str pattern; /* data nullptr: none */
  const char *path, *key;
};

static enum al_code take_pattern(struct al_sch_emitter *e, struct text_rules *rules, struct al_str pattern,
                                 const char *path, const char *key)
{
  if (rules->pattern.data != nullptr && !al_str_eq(rules->pattern, pattern))
    return al_sch_fail(e->context.err, AL_UNSUPPORTED, path, key, "two patterns or formats for one string");
  *rules = (struct text_rules){ pattern, path, key };
  return AL_OK;
}

static enum al_code gather(struct al_sch_emitter *e, const struct al_sch_conj *conj, struct text_rules *rules)
{
  for (size_t i = 0; i < conj->count; i++) {
    const struct al_sch_term *term = &conj->terms[i];
    const struct al_json *pattern = al_json_get(term->schema, "pattern"), *format = al_json_get(term->schema, "format");
    if (pattern != nullptr)
      AL_TRY(take_pattern(e, rules, al_json_str(pattern), term->path, "pattern"));
    if (format == nullptr || al_sch_format_is_note(al_json_str(format)))
      continue;
    const char *known = al_sch_format_pattern(al_json_str(format));
    if (known == nullptr)
      return al_sch_fail(e->context.err, AL_UNSUPPORTED, term->path, "format", "this format cannot be enforced");
    AL_TRY(take_pattern(e, rules, al_str(known), term->path, "format"));
  }
  return AL_OK;
}

static enum al_code emit_pattern(struct al_sch_emitter *e, const struct text_rules *rules,
                                 const struct al_sch_facts *facts)
{
  const struct al_sch_pattern *pattern;
  struct al_err why = {};
  enum al_code code = al_sch_pattern_parse(e->context.arena, rules->pattern, &pattern, &why);
  if (code != AL_OK)
    return al_sch_fail(e->context.err, code, rules->path, rules->key, "%.200s", why.message);
  uint64_t least, most;
  al_sch_pattern_lengths(pattern, &least, &most);
  if (least < facts->min_length || most > facts->max_length)
    return al_sch_fail(e->context.err, AL_UNSUPPORTED, rules->path, rules->key,
                       "beside minLength or maxLength, a pattern must not admit other lengths");
  AL_CLEANUP(al_buf_done) struct al_buf any_char = {};
  al_buf_printf(&any_char, "%s-chr", e->prefix);
  AL_TRY(al_buf_check(&any_char, e->context.err));
  al_sch_pattern_emit(pattern, true, any_char.data, e->out);
  return AL_OK;
}

enum al_code al_sch_emit_string(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                                const struct al_sch_facts *facts, bool *is_empty)
{
  struct text_rules rules = {};
  AL_TRY(gather(e, conj, &rules));
  *is_empty = facts->min_length > facts->max_length;
  if (*is_empty)
    return AL_OK;
  al_buf_printf(e->out, "%s-%u-s ::= \"\\\"\" ", e->prefix, rule);
  if (rules.pattern.data != nullptr) {
    AL_TRY(emit_pattern(e, &rules, facts));
  } else {
    al_buf_printf(e->out, "%s-chr", e->prefix);
    al_sch_put_times(e->out, facts->min_length, facts->max_length, 0);
  }
  al_buf_str(e->out, " \"\\\"\"\n");
  return AL_OK;
}
