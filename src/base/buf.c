#include "base/buf.h"

#include "base/alloc.h"

#include <stdckdint.h>
#include <stdio.h>

static size_t cap_of(const struct al_buf *buf)
{
  return buf->cap_bytes > 0 ? buf->cap_bytes : AL_BUF_DEFAULT_CAP;
}

void al_buf_init(struct al_buf *buf, size_t cap_bytes)
{
  *buf = (struct al_buf){ .cap_bytes = cap_bytes };
}

void al_buf_done(struct al_buf *buf)
{
  al_free(buf->data);
  *buf = (struct al_buf){ .cap_bytes = buf->cap_bytes };
}

void al_buf_clear(struct al_buf *buf)
{
  buf->size = 0;
  buf->failed = false;
  if (buf->data != nullptr)
    buf->data[0] = '\0';
}

char *al_buf_room(struct al_buf *buf, size_t size)
{
  if (buf->failed)
    return nullptr;
  size_t need;
  if (ckd_add(&need, buf->size, size) || need > cap_of(buf)) {
    buf->failed = true;
    return nullptr;
  }
  void *data = buf->data;
  if (al_grow(&data, &buf->capacity, need + 1, 1, nullptr) != AL_OK) {
    buf->failed = true;
    return nullptr;
  }
  buf->data = data;
  return buf->data + buf->size;
}

void al_buf_grew(struct al_buf *buf, size_t size)
{
  buf->size += size;
  buf->data[buf->size] = '\0';
}

void al_buf_add(struct al_buf *buf, const void *data, size_t size)
{
  char *room = al_buf_room(buf, size);
  if (room == nullptr)
    return;
  if (size > 0)
    memcpy(room, data, size);
  al_buf_grew(buf, size);
}

void al_buf_str(struct al_buf *buf, const char *text)
{
  al_buf_add(buf, text, strlen(text));
}

void al_buf_char(struct al_buf *buf, char c)
{
  al_buf_add(buf, &c, 1);
}

void al_buf_printf(struct al_buf *buf, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(nullptr, 0, format, args);
  va_end(args);
  char *room = length < 0 ? nullptr : al_buf_room(buf, (size_t)length);
  if (room != nullptr) {
    (void)vsnprintf(room, (size_t)length + 1, format, again);
    al_buf_grew(buf, (size_t)length);
  } else {
    buf->failed = true;
  }
  va_end(again);
}

void al_buf_consume(struct al_buf *buf, size_t size)
{
  size = al_min_size(size, buf->size);
  if (size == 0)
    return;
  memmove(buf->data, buf->data + size, buf->size - size + 1);
  buf->size -= size;
}

enum al_code al_buf_check(const struct al_buf *buf, struct al_err *err)
{
  if (!buf->failed)
    return AL_OK;
  return al_fail(err, AL_OOM_RAM, "a buffer of %zu bytes could not grow (limit %zu bytes)", buf->size, cap_of(buf));
}

char *al_buf_take(struct al_buf *buf, size_t *size)
{
  if (al_buf_room(buf, 0) == nullptr)
    return nullptr;
  al_buf_grew(buf, 0);
  char *data = buf->data;
  if (size != nullptr)
    *size = buf->size;
  *buf = (struct al_buf){ .cap_bytes = buf->cap_bytes };
  return data;
}

struct al_str al_buf_view(const struct al_buf *buf)
{
  return al_str_n(buf->data != nullptr ? buf->data : "", buf->size);
}
