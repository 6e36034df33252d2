/* Any bytes as a form: cut into pieces of whatever sizes, it must give the same parts as whole. The first three bytes
 * say how it is cut. Boundaries come from the input too, behind a zero byte. */
#include "codec/multipart.h"

#include "base/buf.h"

#include <assert.h>
#include <stdint.h>

static void add(struct al_buf *out, struct al_str text)
{
  al_buf_printf(out, "%zu:", text.size);
  al_buf_add(out, text.data, text.size);
}

static bool begin(void *user, const struct al_multipart_part *part)
{
  struct al_buf *out = user;
  assert(part->name.size > 0 && part->name.size <= AL_MULTIPART_MAX_NAME_BYTES);
  assert(part->filename.size <= AL_MULTIPART_MAX_NAME_BYTES);
  al_buf_char(out, '[');
  add(out, part->name);
  al_buf_str(out, part->filename.data != nullptr ? "f" : "-");
  add(out, part->filename);
  add(out, part->content_type);
  return true;
}

static bool data(void *user, struct al_str bytes)
{
  assert(bytes.size > 0);
  al_buf_add(user, bytes.data, bytes.size);
  return true;
}

static bool end(void *user)
{
  al_buf_char(user, ']');
  return true;
}

static enum al_code parse(struct al_str type, struct al_str bytes, const uint8_t *sizes, struct al_buf *out)
{
  const struct al_multipart_events events = { begin, data, end, out };
  AL_CLEANUP(al_multipart_free_p) struct al_multipart *multipart = nullptr;
  AL_TRY(al_multipart_new(type, &events, &multipart, nullptr));
  for (size_t i = 0; bytes.size > 0; i++) {
    size_t size = sizes == nullptr ? bytes.size : al_min_size((size_t)sizes[i % 3] + 1, bytes.size);
    AL_TRY(al_multipart_feed(multipart, al_str_n(bytes.data, size), nullptr));
    bytes = al_str_n(bytes.data + size, bytes.size - size);
  }
  return al_multipart_end(multipart, nullptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
  if (size < 3)
    return 0;
  struct al_str body = al_str_n((const char *)input + 3, size - 3);
  struct al_str type = al_str("multipart/form-data; boundary=XX");
  const char *zero = body.size > 0 ? memchr(body.data, '\0', body.size) : nullptr;
  if (zero != nullptr) {
    type = al_str_n(zero + 1, (size_t)(body.data + body.size - zero) - 1);
    body.size = (size_t)(zero - body.data);
  }
  AL_CLEANUP(al_buf_done) struct al_buf whole = {};
  AL_CLEANUP(al_buf_done) struct al_buf split = {};
  enum al_code code = parse(type, body, nullptr, &whole);
  enum al_code split_code = parse(type, body, input, &split);
  assert(code == split_code && al_str_eq(al_buf_view(&whole), al_buf_view(&split)));
  return 0;
}
