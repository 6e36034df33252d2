/* Read here and not by FFmpeg's probing, so that nothing but these six decoders ever sees a byte, and that a size which
 * FFmpeg would only call invalid is told as what it is. Formats: RFC 2083 (PNG), ITU T.81 (JPEG), RFC 9649 (WebP),
 * GIF89a, BITMAPINFOHEADER, TIFF 6.0. */
#include "media/convert/picture_header.h"

#include <string.h>

struct bytes {
  const uint8_t *data;
  size_t size;
  bool little; /* its byte order */
};

/* 0 beyond the end, too: no size is that. */
static uint32_t number(const struct bytes *bytes, size_t at, size_t n)
{
  if (at > bytes->size || n > bytes->size - at)
    return 0;
  uint32_t value = 0;
  for (size_t i = 0; i < n; i++)
    value = value << 8 | bytes->data[at + (bytes->little ? n - 1 - i : i)];
  return value;
}

static bool has(const struct bytes *bytes, size_t at, const char *text, size_t n)
{
  return at + n <= bytes->size && memcmp(bytes->data + at, text, n) == 0;
}

static void read_png(struct bytes *bytes, struct picture_header *header)
{
  header->width = number(bytes, 16, 4);
  header->height = number(bytes, 20, 4);
}

static void read_gif(struct bytes *bytes, struct picture_header *header)
{
  bytes->little = true;
  header->width = number(bytes, 6, 2);
  header->height = number(bytes, 8, 2);
}

/* From marker to marker until a frame header (SOF) comes. */
static void read_jpeg(struct bytes *bytes, struct picture_header *header)
{
  for (size_t at = 2; at + 9 < bytes->size && bytes->data[at] == 0xff;) {
    uint8_t marker = bytes->data[at + 1];
    if (marker == 0xff) { /* a filling */
      at++;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
      header->height = number(bytes, at + 5, 2);
      header->width = number(bytes, at + 7, 2);
      return;
    }
    at += 2 + (size_t)number(bytes, at + 2, 2);
  }
}

static void read_webp(struct bytes *bytes, struct picture_header *header)
{
  bytes->little = true;
  if (has(bytes, 12, "VP8X", 4)) {
    header->width = 1 + (int64_t)number(bytes, 24, 3);
    header->height = 1 + (int64_t)number(bytes, 27, 3);
  } else if (has(bytes, 12, "VP8L", 4)) {
    uint32_t bits = number(bytes, 21, 4);
    header->width = 1 + (bits & 0x3fff);
    header->height = 1 + (bits >> 14 & 0x3fff);
  } else if (has(bytes, 12, "VP8 ", 4)) {
    header->width = number(bytes, 26, 2) & 0x3fff;
    header->height = number(bytes, 28, 2) & 0x3fff;
  }
}

/* false: no bitmap, though it starts with BM, as many a text does. */
static bool read_bmp(struct bytes *bytes, struct picture_header *header)
{
  bytes->little = true;
  uint32_t info_bytes = number(bytes, 14, 4);
  if (info_bytes == 12) {
    header->width = number(bytes, 18, 2);
    header->height = number(bytes, 20, 2);
    return true;
  }
  header->width = number(bytes, 18, 4);
  int64_t height = (int32_t)number(bytes, 22, 4); /* negative: from the top downwards */
  header->height = height < 0 ? -height : height;
  return info_bytes >= 16 && info_bytes <= 256;
}

/* false: JPEG within TIFF, of which FFmpeg makes wrong colours. */
static bool read_tiff(struct bytes *bytes, struct picture_header *header)
{
  constexpr uint32_t WIDTH = 256;
  constexpr uint32_t HEIGHT = 257;
  constexpr uint32_t COMPRESSION = 259;
  constexpr uint32_t SHORT = 3;
  bytes->little = bytes->data[0] == 'I';
  size_t at = number(bytes, 4, 4);
  uint32_t n_entries = number(bytes, at, 2);
  for (size_t i = 0; i < n_entries; i++) {
    size_t entry = at + 2 + 12 * i;
    uint32_t tag = number(bytes, entry, 2);
    uint32_t value = number(bytes, entry + 8, number(bytes, entry + 2, 2) == SHORT ? 2 : 4);
    if (tag == WIDTH)
      header->width = value;
    if (tag == HEIGHT)
      header->height = value;
    if (tag == COMPRESSION && (value == 6 || value == 7))
      return false;
  }
  return true;
}

struct picture_header picture_header_read(const uint8_t *data, size_t size)
{
  struct bytes bytes = { data, size, false };
  struct picture_header header = {};
  if (has(&bytes, 0, "\x89PNG\r\n\x1a\n", 8)) {
    header.decoder = "png";
    read_png(&bytes, &header);
  } else if (has(&bytes, 0, "\xff\xd8\xff", 3)) {
    header.decoder = "mjpeg";
    read_jpeg(&bytes, &header);
  } else if (has(&bytes, 0, "RIFF", 4) && has(&bytes, 8, "WEBP", 4)) {
    header.decoder = "webp";
    read_webp(&bytes, &header);
  } else if (has(&bytes, 0, "GIF87a", 6) || has(&bytes, 0, "GIF89a", 6)) {
    header.decoder = "gif";
    read_gif(&bytes, &header);
  } else if (has(&bytes, 0, "II*\0", 4) || has(&bytes, 0, "MM\0*", 4)) {
    header.decoder = read_tiff(&bytes, &header) ? "tiff" : nullptr;
  } else if (has(&bytes, 0, "BM", 2) && read_bmp(&bytes, &header)) {
    header.decoder = "bmp";
  }
  return header;
}
