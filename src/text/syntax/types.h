/* Which kinds of values a parameter's schema admits, for syntaxes that write strings without quotes. */
#ifndef AL_TEXT_SYNTAX_TYPES_H
#define AL_TEXT_SYNTAX_TYPES_H

#include "codec/json.h"

enum {
  AL_SX_TYPE_STRING = 1,
  AL_SX_TYPE_NUMBER = 2,
  AL_SX_TYPE_BOOL = 4,
  AL_SX_TYPE_NULL = 8,
  AL_SX_TYPE_OBJECT = 16,
  AL_SX_TYPE_ARRAY = 32,
  AL_SX_TYPE_ANY = 63,
};

/* The schema of a tool's parameter; nullptr: the tool says nothing about it. `parameters` may be nullptr. */
const struct al_json *al_sx_parameter(const struct al_json *parameters, struct al_str key);
/* `root` is where "$ref" points into. Never 0: what cannot be told is ANY. */
unsigned al_sx_types(const struct al_json *root, const struct al_json *schema);
unsigned al_sx_type_of(const struct al_json *value);
/* Follows "$ref" inside `root`; the schema itself when it has none, nullptr when it leads nowhere. */
const struct al_json *al_sx_resolve(const struct al_json *root, const struct al_json *schema);

#endif
