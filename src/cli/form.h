/* A multipart/form-data body for one file: the fields in memory, the file as it lies on the disk. */
#ifndef AL_CLI_FORM_H
#define AL_CLI_FORM_H

#include "base/buf.h"
#include "net/client.h"

struct al_form {
  struct al_buf head; /* all that stands before the file's bytes */
  char boundary[40];
  char content_type[96];
  char tail[48];
  struct al_http_client_upload upload;
};

enum al_code al_form_init(struct al_form *form, struct al_err *err); /* picks a boundary */
void al_form_done(struct al_form *form);
/* A failure of memory shows in `head`. */
void al_form_field(struct al_form *form, const char *name, const char *value);
/* Last. The name may be any bytes; the descriptor is borrowed. */
void al_form_file(struct al_form *form, const char *field, const char *filename, int fd, uint64_t size_bytes);

#endif
