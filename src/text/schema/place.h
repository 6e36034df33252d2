/* A schema and where it stands, and errors that say so. */
#ifndef AL_TEXT_SCHEMA_PLACE_H
#define AL_TEXT_SCHEMA_PLACE_H

#include "base/arena.h"
#include "codec/json.h"

/* Sets the error's param to the place: "path.key", or "path" when key is nullptr. Returns code. */
AL_PRINTF(5, 6) enum al_code al_sch_fail(struct al_err *err, enum al_code code, const char *path, const char *key,
                                         const char *format, ...);

/* "path.key" or "path[index]"; nullptr when memory runs out or the arena's cap is reached. */
const char *al_sch_path_key(struct al_arena *arena, const char *path, struct al_str key);
const char *al_sch_path_index(struct al_arena *arena, const char *path, size_t index);

/* What a "$ref" points to inside root ("#", "#/$defs/a~1b"). AL_UNSUPPORTED for other documents and anchors. */
enum al_code al_sch_resolve(const struct al_json *root, struct al_str ref, const char *path,
                            const struct al_json **target, struct al_err *err);

/* The keywords of one schema: known, of the right type, and enforceable. Does not look into subschemas. */
enum al_code al_sch_check_keywords(const struct al_json *schema, const char *path, struct al_err *err);

enum { /* types as bits; "number" is both of INT and FRACTION */
       AL_SCH_NULL = 1,
       AL_SCH_BOOL = 2,
       AL_SCH_INT = 4,
       AL_SCH_FRACTION = 8,
       AL_SCH_STRING = 16,
       AL_SCH_ARRAY = 32,
       AL_SCH_OBJECT = 64,
       AL_SCH_NUMBER = AL_SCH_INT | AL_SCH_FRACTION,
       AL_SCH_ANY = 127
};

/* The types that "type" (and "nullable") admit; all when absent. 0 when it is not a type. */
unsigned al_sch_types(const struct al_json *schema);
/* The one bit of a value. */
unsigned al_sch_type_of(const struct al_json *value);

/* <0, 0, >0; both are numbers. Exact for integers up to 64 bits against doubles. */
int al_sch_compare(const struct al_json *a, const struct al_json *b);
bool al_sch_equal(const struct al_json *a, const struct al_json *b);
size_t al_sch_length(struct al_str text); /* in code points */

#endif
