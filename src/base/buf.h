/* A growable byte buffer with a cap. Always followed by a NUL that does not count, so `data` can be read as text.
 *
 * The first failure (memory, or the cap) sticks: later appends do nothing, and al_buf_check tells. Code that builds
 * text appends freely and checks once. Owner: whoever declared it; not thread-safe. `= {}` is a valid empty buffer. */
#ifndef AL_BASE_BUF_H
#define AL_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_buf {
  char *data; /* nullptr until the first append */
  size_t size;
  size_t capacity;
  size_t cap_bytes; /* most bytes it may hold; 0 means AL_BUF_DEFAULT_CAP */
  bool failed;
};

constexpr size_t AL_BUF_DEFAULT_CAP = (size_t)256 << 20;

void al_buf_init(struct al_buf *buf, size_t cap_bytes);
void al_buf_done(struct al_buf *buf);  /* frees; the buffer is empty and usable again */
void al_buf_clear(struct al_buf *buf); /* size 0, no failure; keeps the memory */

void al_buf_add(struct al_buf *buf, const void *data, size_t size);
void al_buf_str(struct al_buf *buf, const char *text);
void al_buf_char(struct al_buf *buf, char c);
AL_PRINTF(2, 3) void al_buf_printf(struct al_buf *buf, const char *format, ...);

/* Makes room for `size` more bytes and returns where they go (nullptr on failure); al_buf_grew commits them. */
char *al_buf_room(struct al_buf *buf, size_t size);
void al_buf_grew(struct al_buf *buf, size_t size);

/* Drops the first `size` bytes. */
void al_buf_consume(struct al_buf *buf, size_t size);

/* AL_OK, or AL_OOM_RAM if an append failed. */
enum al_code al_buf_check(const struct al_buf *buf, struct al_err *err);

/* Moves the bytes out (caller al_frees, NUL-terminated); the buffer is empty afterwards. nullptr if it had failed. */
char *al_buf_take(struct al_buf *buf, size_t *size);

struct al_str al_buf_view(const struct al_buf *buf); /* borrowed until the next change */

#endif
