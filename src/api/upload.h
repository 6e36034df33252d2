/* A multipart/form-data body as it comes: its fields into bounded memory, its files onto the disk, one after another in
 * one file without a name (spool.h). What a route does not want is refused by name before it has been read.
 *
 * The body sink of a route; on its loop's thread until the handler runs. Freed with the exchange. */
#ifndef AL_API_UPLOAD_H
#define AL_API_UPLOAD_H

#include "api/context.h"
#include "api/form.h"

struct al_api_file_field {
  const char *name; /* "image" takes "image[]" as well when several may come */
  size_t most;      /* files */
};

struct al_api_upload_want { /* static */
  const struct al_api_param_table *tables;
  size_t n_tables;
  const struct al_api_file_field *files;
  size_t n_files;
};

struct al_api_file { /* borrowed from the upload */
  const char *field;
  int fd;
  uint64_t offset, size_bytes;
};

struct al_api_upload;

/* Slots of al_http_body_sink: a route's own `begin` calls the first with what it wants. */
struct al_api_upload *al_api_upload_begin(struct al_http_exchange *exchange, struct al_api *api,
                                          const struct al_api_upload_want *want);
bool al_api_upload_data(void *upload, struct al_str bytes);
void al_api_upload_free(void *upload);

/* In the handler: the body is over. *form: the fields as an object for the tables. */
enum al_code al_api_upload_end(struct al_api_upload *upload, struct al_json_doc **form, struct al_err *err);
/* The index-th file that came under this name; false: there is none. */
bool al_api_upload_file(const struct al_api_upload *upload, const char *field, size_t index, struct al_api_file *file);

#endif
