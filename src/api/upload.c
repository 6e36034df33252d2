#include "api/upload.h"

#include "api/errors.h"
#include "api/spool.h"
#include "base/alloc.h"
#include "codec/multipart.h"
#include "os/file.h"

#include <stdio.h>

constexpr size_t MAX_FILES = 32;

struct al_api_upload {
  struct al_http_exchange *exchange; /* borrowed: it owns this */
  const struct al_api *api;
  const struct al_api_upload_want *want;
  struct al_multipart *multipart;
  struct al_api_form form;
  struct al_api_file files[MAX_FILES];
  size_t n_files;
  bool in_file; /* the part that is coming is files[n_files - 1] */
  int fd;       /* -1 before the first file */
  uint64_t size_bytes;
  struct al_err err; /* why an event stopped the parser */
};

void al_api_upload_free(void *user)
{
  struct al_api_upload *upload = user;
  if (upload == nullptr)
    return;
  al_multipart_free(upload->multipart);
  al_api_form_done(&upload->form);
  al_fd_close(&upload->fd);
  al_free(upload);
}

/* --- parts ------------------------------------------------------------------------------------------------------- */

static const struct al_api_file_field *find_file(const struct al_api_upload_want *want, struct al_str name)
{
  struct al_str base = al_api_form_base(name);
  for (size_t i = 0; i < want->n_files; i++)
    if (al_str_is(name, want->files[i].name) || (want->files[i].most > 1 && al_str_is(base, want->files[i].name)))
      return &want->files[i];
  return nullptr;
}

static bool is_known(const struct al_api_upload_want *want, struct al_str name)
{
  struct al_str base = al_api_form_base(name);
  for (size_t t = 0; t < want->n_tables; t++)
    for (size_t i = 0; i < want->tables[t].count; i++)
      if (al_str_is(base, want->tables[t].params[i].name))
        return true;
  return false;
}

static size_t count_of(const struct al_api_upload *upload, const char *field)
{
  size_t count = 0;
  for (size_t i = 0; i < upload->n_files; i++)
    count += upload->files[i].field == field;
  return count;
}

static enum al_code begin_file(struct al_api_upload *upload, const struct al_api_file_field *field, struct al_err *err)
{
  if (count_of(upload, field->name) >= field->most || upload->n_files == MAX_FILES)
    return al_fail_param(err, field->name, "'%s' takes %zu file%s, and more have come", field->name, field->most,
                         field->most == 1 ? "" : "s");
  if (upload->fd < 0)
    AL_TRY(al_api_spool_open(upload->api->spool, &upload->fd, err));
  upload->files[upload->n_files++] =
      (struct al_api_file){ .field = field->name, .fd = upload->fd, .offset = upload->size_bytes };
  upload->in_file = true;
  return AL_OK;
}

static enum al_code begin_part(struct al_api_upload *upload, const struct al_multipart_part *part, struct al_err *err)
{
  upload->in_file = false;
  const struct al_api_file_field *field = find_file(upload->want, part->name);
  if (field != nullptr)
    return begin_file(upload, field, err);
  char name[sizeof err->param];
  al_api_path(name, sizeof name, "", part->name);
  if (!is_known(upload->want, part->name))
    return al_fail_reason(err, al_fail_param(err, name, "Unknown parameter: '%s'", name), "unknown_parameter");
  if (part->filename.data != nullptr)
    return al_fail_param(err, name, "'%s' must be text, but it is a file", name);
  return al_api_form_begin(&upload->form, part->name, err);
}

static bool on_part_begin(void *user, const struct al_multipart_part *part)
{
  struct al_api_upload *upload = user;
  return begin_part(upload, part, &upload->err) == AL_OK;
}

static bool on_part_data(void *user, struct al_str bytes)
{
  struct al_api_upload *upload = user;
  if (!upload->in_file)
    return al_api_form_add(&upload->form, bytes, &upload->err) == AL_OK;
  if (al_api_spool_write(upload->fd, bytes, &upload->err) != AL_OK)
    return false;
  upload->size_bytes += bytes.size;
  upload->files[upload->n_files - 1].size_bytes += bytes.size;
  return true;
}

static bool on_part_end(void *user)
{
  (void)user;
  return true;
}

/* --- the sink ---------------------------------------------------------------------------------------------------- */

static enum al_code begin(struct al_api_upload *upload, struct al_err *err)
{
  struct al_multipart_events events = {
    .part_begin = on_part_begin, .part_data = on_part_data, .part_end = on_part_end, .user = upload
  };
  struct al_str type = al_http_header(upload->exchange, "content-type");
  if (al_multipart_new(type, &events, &upload->multipart, err) == AL_OK || err->code != AL_INVALID_REQUEST)
    return err->code;
  return al_wrap(err, "The body must be a form: send it as \"Content-Type: multipart/form-data; boundary=...\"");
}

struct al_api_upload *al_api_upload_begin(struct al_http_exchange *exchange, struct al_api *api,
                                          const struct al_api_upload_want *want)
{
  struct al_err err = {};
  struct al_api_upload *upload = al_calloc(1, sizeof *upload);
  if (upload == nullptr) {
    (void)!al_fail_oom(&err, sizeof *upload);
  } else {
    *upload = (struct al_api_upload){ .exchange = exchange, .api = api, .want = want, .fd = -1 };
    if (begin(upload, &err) == AL_OK)
      return upload;
  }
  al_api_reply_err(exchange, &err);
  al_api_upload_free(upload);
  return nullptr;
}

/* What stopped the parser: an event of ours, or what it found wrong itself. */
static enum al_code feed_failed(const struct al_api_upload *upload, struct al_err *err)
{
  if (upload->err.code != AL_OK)
    *err = upload->err;
  return err->code;
}

bool al_api_upload_data(void *user, struct al_str bytes)
{
  struct al_api_upload *upload = user;
  struct al_err err = {};
  if (al_multipart_feed(upload->multipart, bytes, &err) == AL_OK)
    return true;
  (void)!feed_failed(upload, &err);
  al_api_reply_err(upload->exchange, &err);
  return false;
}

enum al_code al_api_upload_end(struct al_api_upload *upload, struct al_json_doc **form, struct al_err *err)
{
  AL_TRY(al_multipart_end(upload->multipart, err));
  return al_api_form_json(&upload->form, upload->want->tables, upload->want->n_tables, form, err);
}

bool al_api_upload_file(const struct al_api_upload *upload, const char *field, size_t index, struct al_api_file *file)
{
  for (size_t i = 0; i < upload->n_files; i++)
    if (strcmp(upload->files[i].field, field) == 0 && index-- == 0) {
      *file = upload->files[i];
      return true;
    }
  return false;
}
