#include "codec/ggml_cursor.h"

#include "base/macros.h"

#include <string.h>

uint32_t al_ggml_u32_at(const void *bytes, size_t index)
{
  const uint8_t *p = (const uint8_t *)bytes + index * sizeof(uint32_t);
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t al_ggml_left(const struct al_ggml_cursor *c)
{
  return c->reader->size_bytes - c->at;
}

static enum al_code cut_off(const struct al_ggml_cursor *c, const char *what, struct al_err *err)
{
  return al_fail(err, AL_MODEL_CORRUPT, "the file ends after %llu bytes, within %s",
                 (unsigned long long)c->reader->size_bytes, what);
}

enum al_code al_ggml_take(struct al_ggml_cursor *c, void *out, size_t size, const char *what, struct al_err *err)
{
  if (size > al_ggml_left(c))
    return cut_off(c, what, err);
  bool inside = c->at >= c->buffer_at && c->at - c->buffer_at + size <= c->buffer_size;
  if (!inside) {
    c->buffer_at = c->at;
    c->buffer_size = 0;
    size_t wanted = al_ggml_left(c) < AL_GGML_BUFFER_BYTES ? (size_t)al_ggml_left(c) : AL_GGML_BUFFER_BYTES;
    AL_TRY(c->reader->read(c->reader->user, c->at, c->buffer, wanted, err));
    c->buffer_size = wanted;
  }
  memcpy(out, c->buffer + (c->at - c->buffer_at), size);
  c->at += size;
  return AL_OK;
}

enum al_code al_ggml_take_i32(struct al_ggml_cursor *c, int32_t *out, const char *what, struct al_err *err)
{
  uint8_t bytes[sizeof *out] = {};
  AL_TRY(al_ggml_take(c, bytes, sizeof bytes, what, err));
  *out = (int32_t)al_ggml_u32_at(bytes, 0);
  return AL_OK;
}

enum al_code al_ggml_skip(struct al_ggml_cursor *c, uint64_t size, const char *what, struct al_err *err)
{
  if (size > al_ggml_left(c))
    return cut_off(c, what, err);
  c->at += size;
  return AL_OK;
}
