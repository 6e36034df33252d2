#include "cli/form.h"

#include "codec/utf8.h"

#include <stdio.h>
#include <sys/random.h>

constexpr size_t MAX_FILENAME_BYTES = 200; /* the server takes no longer ones */

enum al_code al_form_init(struct al_form *form, struct al_err *err)
{
  uint64_t random[2];
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
    return al_fail(err, AL_INTERNAL, "the system gives no random numbers");
  *form = (struct al_form){};
  (void)snprintf(form->boundary, sizeof form->boundary, "allm%016llx%016llx", (unsigned long long)random[0],
                 (unsigned long long)random[1]);
  (void)snprintf(form->content_type, sizeof form->content_type, "multipart/form-data; boundary=%s", form->boundary);
  (void)snprintf(form->tail, sizeof form->tail, "\r\n--%s--\r\n", form->boundary);
  return AL_OK;
}

void al_form_done(struct al_form *form)
{
  al_buf_done(&form->head);
}

void al_form_field(struct al_form *form, const char *name, const char *value)
{
  al_buf_printf(&form->head, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", form->boundary, name,
                value);
}

/* As browsers write it: what would end the name or the line is encoded. Other control characters have no business in a
 * header. */
static void put_filename(struct al_buf *out, const char *filename)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_utf8_sanitize(al_str_n(filename, strnlen(filename, MAX_FILENAME_BYTES / 3)), &text);
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c == '"')
      al_buf_str(out, "%22");
    else
      al_buf_char(out, c < 0x20 || c == 0x7f ? '_' : (char)c);
  }
}

void al_form_file(struct al_form *form, const char *field, const char *filename, int fd, uint64_t size_bytes)
{
  struct al_buf *head = &form->head;
  al_buf_printf(head, "--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"", form->boundary, field);
  put_filename(head, filename);
  al_buf_str(head, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
  form->upload = (struct al_http_client_upload){ .fd = fd, .size_bytes = size_bytes, .tail = al_str(form->tail) };
}
