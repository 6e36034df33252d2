/* Walks through a file in ggml's old container by a small buffer of its own. Numbers are little-endian. One thread. */
#ifndef AL_CODEC_GGML_CURSOR_H
#define AL_CODEC_GGML_CURSOR_H

#include "base/err.h"

#include <stdint.h>

constexpr uint32_t AL_GGML_MAGIC = 0x67676d6c;

struct al_ggml_reader {
  /* Exactly `size` bytes from `offset`; only ranges inside size_bytes are asked for. */
  enum al_code (*read)(void *user, uint64_t offset, void *bytes, size_t size, struct al_err *err);
  void *user;
  uint64_t size_bytes; /* of the file */
};

constexpr size_t AL_GGML_BUFFER_BYTES = 64 << 10;

struct al_ggml_cursor {
  const struct al_ggml_reader *reader;
  uint64_t at;
  uint64_t buffer_at;
  size_t buffer_size;
  uint8_t *buffer; /* of AL_GGML_BUFFER_BYTES; the caller's */
};

uint32_t al_ggml_u32_at(const void *bytes, size_t index);
uint64_t al_ggml_left(const struct al_ggml_cursor *cursor);
/* `what` is being read ("the weights"): AL_MODEL_CORRUPT, "the file ends within ...". size: not above the buffer's. */
enum al_code al_ggml_take(struct al_ggml_cursor *cursor, void *out, size_t size, const char *what, struct al_err *err);
enum al_code al_ggml_take_i32(struct al_ggml_cursor *cursor, int32_t *out, const char *what, struct al_err *err);
enum al_code al_ggml_skip(struct al_ggml_cursor *cursor, uint64_t size, const char *what, struct al_err *err);

#endif
