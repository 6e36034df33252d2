/* The virtual GGUF as a C stream. The C library reads such a stream by its own buffer alone, which is small because a
 * seek throws it away. Rows that have to be made are therefore made ahead, as many at once as all threads have work
 * for.
 */
#include "engine/safetensors/vgguf_stream.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdckdint.h>

constexpr size_t STREAM_BUFFER_BYTES = 64 << 10;
constexpr size_t WINDOW_BYTES = (size_t)32 << 20;

static bool in_window(const struct al_vgguf_stream *stream, size_t size)
{
  return stream->position >= stream->window_start && size <= stream->window_size &&
         stream->position - stream->window_start <= stream->window_size - size;
}

/* Makes what is asked for and the rest of the tensor that it ends in. Nothing where that is not worth it or memory is
 * short. */
static enum al_code make_ahead(struct al_vgguf_stream *stream, size_t size)
{
  uint64_t end = al_vgguf_made_until(stream->vgguf, stream->position + size - 1);
  if (end <= stream->position + size || size > WINDOW_BYTES)
    return AL_OK;
  if (stream->window == nullptr)
    stream->window = al_alloc(WINDOW_BYTES);
  if (stream->window == nullptr)
    return AL_OK;
  size_t wanted = end - stream->position < WINDOW_BYTES ? (size_t)(end - stream->position) : WINDOW_BYTES;
  stream->window_start = stream->position;
  stream->window_size = 0;
  return al_vgguf_read(stream->vgguf, stream->position, stream->window, wanted, &stream->window_size, &stream->failure);
}

static enum al_code read_bytes(struct al_vgguf_stream *stream, uint8_t *out, size_t size, size_t *n_read)
{
  if (!in_window(stream, size))
    AL_TRY(make_ahead(stream, size));
  if (!in_window(stream, size))
    return al_vgguf_read(stream->vgguf, stream->position, out, size, n_read, &stream->failure);
  memcpy(out, stream->window + (stream->position - stream->window_start), size);
  *n_read = size;
  return AL_OK;
}

static ssize_t stream_read(void *cookie, char *bytes, size_t size)
{
  struct al_vgguf_stream *stream = cookie;
  size_t n_read = 0;
  if (size > 0 && read_bytes(stream, (uint8_t *)bytes, size, &n_read) != AL_OK) {
    errno = EIO;
    return -1;
  }
  stream->position += n_read;
  return (ssize_t)n_read;
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
  struct al_vgguf_stream *stream = cookie;
  int64_t base = 0;
  if (whence == SEEK_CUR)
    base = (int64_t)stream->position;
  else if (whence == SEEK_END)
    base = (int64_t)al_vgguf_size_bytes(stream->vgguf);
  int64_t position;
  if (ckd_add(&position, base, *offset) || position < 0) {
    errno = EINVAL;
    return -1;
  }
  stream->position = (uint64_t)position;
  *offset = position;
  return 0;
}

enum al_code al_vgguf_stream_open(struct al_vgguf *vgguf, struct al_vgguf_stream *stream, struct al_err *err)
{
  *stream = (struct al_vgguf_stream){ .vgguf = vgguf };
  cookie_io_functions_t functions = { .read = stream_read, .seek = stream_seek };
  stream->file = fopencookie(stream, "rb", functions);
  if (stream->file == nullptr)
    return al_fail_oom(err, STREAM_BUFFER_BYTES);
  (void)setvbuf(stream->file, nullptr, _IOFBF, STREAM_BUFFER_BYTES);
  return AL_OK;
}

void al_vgguf_stream_close(struct al_vgguf_stream *stream)
{
  if (stream->file != nullptr)
    (void)fclose(stream->file);
  stream->file = nullptr;
  al_free(stream->window);
  stream->window = nullptr;
}
