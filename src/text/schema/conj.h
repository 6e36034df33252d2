/* A conjunction: schemas that a value must all satisfy, in a flat and canonical form.
 *
 * References and "allOf" are dissolved into it; schemas that state nothing fall out. "anyOf" and "oneOf" stay, and are
 * dealt with one group at a time: a term whose group has been replaced by one of its alternatives says so in `done`.
 * Two equal conjunctions are the same rule of the grammar, which is how recursive schemas come to an end. */
#ifndef AL_TEXT_SCHEMA_CONJ_H
#define AL_TEXT_SCHEMA_CONJ_H

#include "text/schema/number.h"
#include "text/schema/pattern.h"
#include "text/schema/place.h"

constexpr size_t AL_SCH_MAX_TERMS = 64;

enum { AL_SCH_DONE_LINKS = 1, AL_SCH_DONE_ANY_OF = 2, AL_SCH_DONE_ONE_OF = 4, AL_SCH_DONE_VALUES = 8 };

struct al_sch_term {
  const struct al_json *schema;
  const char *path; /* in the arena */
  unsigned done;
};

struct al_sch_conj {
  struct al_sch_term terms[AL_SCH_MAX_TERMS];
  size_t count;
  bool is_false; /* contains the schema `false` */
};

struct al_sch_context {
  const struct al_json *root;
  const char *root_path;
  struct al_arena *arena;
  size_t n_steps; /* of work, bounded */
  struct al_err *err;
};

/* Adds a schema and everything that it refers to. Keywords are checked here. */
enum al_code al_sch_conj_add(struct al_sch_context *context, struct al_sch_conj *conj, struct al_sch_term term);
/* The first group that is not dealt with: its list, its term, and which kind; nullptr when there is none. */
const struct al_json *al_sch_conj_group(const struct al_sch_conj *conj, size_t *term, unsigned *kind);
/* `*out`: the conjunction with the group of `term` replaced by alternative `index`. */
enum al_code al_sch_conj_choose(struct al_sch_context *context, const struct al_sch_conj *conj, size_t term,
                                unsigned kind, size_t index, struct al_sch_conj *out);

/* What the terms say about a value, group by type. Objects and arrays are looked at by their emitters. */
struct al_sch_facts {
  unsigned types;
  struct al_sch_bounds bounds;
  uint64_t min_length, max_length; /* AL_SCH_NO_MAX: none */
  uint64_t min_items, max_items;
  uint64_t min_properties, max_properties;
  const struct al_json *values; /* an "enum", or nullptr */
  const struct al_json *constant;
  size_t values_term; /* that has them: the constant, or else the enum */
};
enum al_code al_sch_conj_facts(struct al_sch_context *context, const struct al_sch_conj *conj,
                               struct al_sch_facts *facts);

/* true only when it is certain that no value satisfies both. */
enum al_code al_sch_conj_disjoint(struct al_sch_context *context, const struct al_sch_conj *a,
                                  const struct al_sch_conj *b, int depth, bool *are_disjoint);

/* Every term for one value; groups that are done are left out. */
enum al_code al_sch_conj_admits(struct al_sch_context *context, const struct al_sch_conj *conj,
                                const struct al_json *value, bool *admits);

/* Counts work; AL_UNSUPPORTED when there has been too much. */
enum al_code al_sch_step(struct al_sch_context *context, const char *path);

#endif
