/* What may be a model's id, and how ids come from file names. Private to src/store. */
#ifndef AL_STORE_MODEL_ID_H
#define AL_STORE_MODEL_ID_H

#include "base/err.h"
#include "base/str.h"

constexpr size_t AL_MODEL_ID_MAX_BYTES = 1024;

/* AL_INVALID_REQUEST (param "model") for what could leave a models directory or garble a log: absolute paths, empty,
 * "." and ".." parts, control bytes, malformed UTF-8, too long. */
enum al_code al_model_id_check(const char *id, struct al_err *err);

/* Can a directory entry's name be part of an id? Hidden names are not. */
bool al_model_name_usable(const char *name);

/* One part of a set: "name-00002-of-00003.gguf" gives "name", 2 and 3. */
struct al_part {
  struct al_str set;
  int number, count;
};
/* false when `name` is no part, or a nonsensical one (number 0 or above the count, more than 4096 parts). suffix:
 * ".gguf". */
bool al_part_parse(const char *name, const char *suffix, struct al_part *part);

#endif
