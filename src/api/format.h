/* The form that an answer must have: response_format, text.format, grammar. */
#ifndef AL_API_FORMAT_H
#define AL_API_FORMAT_H

#include "api/text_params.h"

enum al_api_format_form {
  AL_API_FORMAT_CHAT, /* {"type":"json_schema","json_schema":{"name","schema",...}}; json_object may have a schema */
  AL_API_FORMAT_RESPONSES, /* {"type":"json_schema","name","schema",...} */
};

/* Sets params->format, schema and format_path. `path` names the object ("response_format") and is static. */
enum al_code al_api_format_read(const struct al_json *format, const char *path, enum al_api_format_form form,
                                struct al_api_text_params *params, struct al_err *err);

/* A schema at object[key], which must be there; `path` names the object. */
enum al_code al_api_schema_read(const struct al_json *object, const char *key, const char *path,
                                struct al_api_text_params *params, struct al_err *err);

/* Table readers: `grammar` (GBNF), and llama-server's `json_schema`. */
al_api_param_fn al_api_read_grammar;
al_api_param_fn al_api_read_json_schema;

#endif
