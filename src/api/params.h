/* Request parameters as tables: every member of a body is found in a table and read into the request, or refused by
 * its name. Nothing is accepted and ignored, and null means absent. */
#ifndef AL_API_PARAMS_H
#define AL_API_PARAMS_H

#include "base/arena.h"
#include "codec/json.h"

struct al_api_param;

/* Reads body[param->name], present and not null, into `target`. */
typedef enum al_code al_api_param_fn(const struct al_api_param *param, const struct al_json *body, void *target,
                                     struct al_err *err);

struct al_api_param {
  const char *name;
  al_api_param_fn *read;
  size_t offset;      /* of the field in the target */
  double least, most; /* of a number */
  const char *words;  /* al_api_read_word: what it may be, "auto|default"; al_api_refuse: why it is refused */
};

struct al_api_param_table {
  const struct al_api_param *params;
  size_t count;
};

/* AL_INVALID_REQUEST, reason "unknown_parameter", for a member that is in no table. */
enum al_code al_api_params_read(const struct al_api_param_table *tables, size_t n_tables, const struct al_json *body,
                                void *target, struct al_err *err);

/* Readers. The field at `offset` is of the named type. */
al_api_param_fn al_api_read_bool;   /* bool */
al_api_param_fn al_api_read_int;    /* int */
al_api_param_fn al_api_read_int64;  /* int64_t */
al_api_param_fn al_api_read_float;  /* float */
al_api_param_fn al_api_read_value;  /* const struct al_json *: the value itself, of any kind */
al_api_param_fn al_api_read_array;  /* const struct al_json *, an array */
al_api_param_fn al_api_check_str;   /* harmless: must be a string; no field */
al_api_param_fn al_api_check_word;  /* one of `words`, which all mean what happens anyway; no field */
al_api_param_fn al_api_check_false; /* only false; no field */
al_api_param_fn al_api_check_empty; /* only an empty array; no field. `words`: why */
al_api_param_fn al_api_refuse;      /* not here yet; `words` says why */

/* AL_UNSUPPORTED with the parameter's path: right in OpenAI's API, not (yet) possible here. */
AL_PRINTF(3, 4) enum al_code al_api_unsupported(struct al_err *err, const char *path, const char *format, ...);
/* AL_INVALID_REQUEST, reason "missing_required_parameter". */
enum al_code al_api_missing(struct al_err *err, const char *name);
/* AL_INVALID_REQUEST: "path must be <expected>, not <kind>". */
enum al_code al_api_wrong_kind(struct al_err *err, const char *path, const char *expected, const struct al_json *value);
/* Refuses members of an inner object that are not in the nullptr-terminated list. */
enum al_code al_api_only_keys(const struct al_json *object, const char *path, const char *const *keys,
                              struct al_err *err);
/* "path.key", or "key" for the root; cut to fit. For names from the request: only printable ASCII survives. */
void al_api_path(char *out, size_t size, const char *path, struct al_str key);

#endif
