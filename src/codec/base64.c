#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 1 to 3 bytes become 4 characters. */
static void encode_group(const unsigned char *bytes, size_t n_bytes, char *out)
{
  uint32_t bits = (uint32_t)bytes[0] << 16;
  if (n_bytes > 1)
    bits |= (uint32_t)bytes[1] << 8;
  if (n_bytes > 2)
    bits |= bytes[2];
  for (size_t i = 0; i < 4; i++)
    out[i] = i <= n_bytes ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
}

void al_base64_encode(struct al_buf *out, struct al_str bytes)
{
  size_t n_chars = (bytes.size + 2) / 3 * 4;
  char *room = bytes.size > 0 ? al_buf_room(out, n_chars) : nullptr;
  if (room == nullptr)
    return;
  const unsigned char *data = (const unsigned char *)bytes.data;
  for (size_t i = 0; i < bytes.size; i += 3, room += 4)
    encode_group(data + i, bytes.size - i < 3 ? bytes.size - i : 3, room);
  al_buf_grew(out, n_chars);
}
