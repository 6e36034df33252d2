/* JSON Schema (2020-12, with the older spellings that clients still send) for structured output and tool arguments.
 *
 * A schema becomes grammar rules that admit only valid JSON texts for it. What the grammar cannot enforce is refused
 * with the path inside the schema: it fails closed, nothing is silently dropped. Annotations (title, description,
 * default, examples, deprecated, readOnly, writeOnly, $comment, $schema, $id) are ignored, for they state nothing.
 * docs/structured-output.md is the list for users. Stateless and thread-safe. */
#ifndef AL_TEXT_SCHEMA_H
#define AL_TEXT_SCHEMA_H

#include "base/buf.h"
#include "codec/json.h"

struct al_schema_options {
  const char *path; /* how errors name the schema's place in the request: "response_format.json_schema.schema" */
  /* Objects admit their properties in the order of the schema; whitespace is at most one space after ':' and ','. When
   * true a line break with indentation may stand there as well. */
  bool free_whitespace;
};

/* Appends GBNF rules to `gbnf`, each name beginning with `prefix` (letters, digits, '-'); the schema's own rule is
 * called `prefix` itself. AL_INVALID_REQUEST for what is not a schema, AL_UNSUPPORTED for what cannot be enforced;
 * err->param is the path ("...schema.properties.age.multipleOf"). The size of the result and the work are bounded. */
enum al_code al_schema_to_gbnf(const struct al_json *schema, const char *prefix,
                               const struct al_schema_options *options, struct al_buf *gbnf, struct al_err *err);

/* Any JSON value / any JSON object, as rules named `prefix`. */
enum al_code al_schema_any_to_gbnf(bool object_only, const char *prefix, struct al_buf *gbnf, struct al_err *err);

/* Is the value valid? Covers everything that al_schema_to_gbnf accepts. AL_INVALID_REQUEST says where and why, with the
 * instance's path in err->param. */
enum al_code al_schema_validate(const struct al_json *schema, const struct al_json *value, struct al_err *err);

#endif
