/* The fields of a form as the JSON object that the parameter tables read: "name[]" becomes an array, "name[key]" an
 * object, and text a number or true/false where the table wants one. Two fields of one name are refused. */
#ifndef AL_API_FORM_H
#define AL_API_FORM_H

#include "api/params.h"

constexpr size_t AL_API_FORM_MAX_BYTES = (size_t)64 << 10; /* names and values together */

struct al_api_form { /* `= {}` is an empty one */
  struct al_buf text;
  struct al_api_form_field *fields;
  size_t n_fields, capacity;
};

void al_api_form_done(struct al_api_form *form);
/* Begins a field; what al_api_form_add appends is its value. AL_INVALID_REQUEST past the limit, naming the field. */
enum al_code al_api_form_begin(struct al_api_form *form, struct al_str name, struct al_err *err);
enum al_code al_api_form_add(struct al_api_form *form, struct al_str bytes, struct al_err *err);

/* "timestamp_granularities" of "timestamp_granularities[]", "x" of "x" and "x[y]". */
struct al_str al_api_form_base(struct al_str name);

enum al_code al_api_form_json(const struct al_api_form *form, const struct al_api_param_table *tables, size_t n_tables,
                              struct al_json_doc **doc, struct al_err *err);

#endif
