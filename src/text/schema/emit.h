/* From schemas to rules. The rules for the parts of a schema are written one after the other from a list of
 * conjunctions that grows meanwhile; each conjunction has one rule. */
#ifndef AL_TEXT_SCHEMA_EMIT_H
#define AL_TEXT_SCHEMA_EMIT_H

#include "base/map.h"
#include "text/schema/conj.h"

constexpr size_t AL_SCH_MAX_GBNF_BYTES = (size_t)4 << 20;
constexpr size_t AL_SCH_MAX_RULES = 10'000;
constexpr uint32_t AL_SCH_ANY_RULE = UINT32_MAX;

struct al_sch_rule {
  const struct al_sch_conj *conj; /* in the arena, cut off after its terms */
};

struct al_sch_unit { /* rule `from` can be rule `to`, with nothing beside it */
  uint32_t from, to;
};

struct al_sch_emitter {
  struct al_sch_context context;
  const char *prefix;
  struct al_buf *out;
  struct al_map *known; /* conjunction -> rule + 1 */
  struct al_sch_rule *rules;
  size_t n_rules, rules_capacity;
  struct al_sch_unit *units;
  size_t n_units, units_capacity;
};

/* The rule for a conjunction, noted for writing when it is new. */
enum al_code al_sch_rule_of(struct al_sch_emitter *e, const struct al_sch_conj *conj, uint32_t *rule);
void al_sch_put_rule(struct al_sch_emitter *e, uint32_t rule);
/* Is it plain that no value satisfies it? Looks at types alone. */
enum al_code al_sch_is_impossible(struct al_sch_emitter *e, const struct al_sch_conj *conj, bool *is_impossible);
/* "text" as a literal of the grammar. */
void al_sch_put_literal(struct al_buf *out, struct al_str text);
/* Likewise of text that was just written; its failure becomes `out`'s. */
void al_sch_put_written(struct al_buf *out, const struct al_buf *text);
/* What a repetition allows after `done` elements: "{2,5}", "{2,}". */
void al_sch_put_times(struct al_buf *out, uint64_t least, uint64_t most, uint64_t done);

/* Each writes the rule `<prefix>-<rule>-<letter>` and what it needs. *is_empty: no such value exists; nothing refers to
 * what was written. */
enum al_code al_sch_emit_object(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                                const struct al_sch_facts *facts, bool *is_empty);
enum al_code al_sch_emit_array(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                               const struct al_sch_facts *facts, bool *is_empty);
enum al_code al_sch_emit_string(struct al_sch_emitter *e, uint32_t rule, const struct al_sch_conj *conj,
                                const struct al_sch_facts *facts, bool *is_empty);

/* The rules that every schema shares: <prefix>-chr, -str, -num, -any, -obj, -arr, -sp (after ':' and ','), -lf. */
void al_sch_emit_shared(const char *prefix, bool free_whitespace, struct al_buf *out);

/* A rule for the keys (with quotes) that are none of names[count]: <name>. Only characters without escapes. */
void al_sch_emit_other_keys(const char *name, struct al_str *names, size_t count, struct al_buf *out);

#endif
