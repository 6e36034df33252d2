/* The virtual GGUF as a C stream. libllama seeks to each tensor and reads it whole, so the C library passes large reads
 * through; its own buffer serves the metadata. It is small because a seek throws it away. */
#include "engine/safetensors/vgguf_stream.h"

#include <errno.h>
#include <stdckdint.h>

constexpr size_t STREAM_BUFFER_BYTES = 64 << 10;

static ssize_t stream_read(void *cookie, char *bytes, size_t size)
{
  struct al_vgguf_stream *stream = cookie;
  size_t n_read = 0;
  uint8_t *out = (uint8_t *)bytes;
  if (al_vgguf_read(stream->vgguf, stream->position, out, size, &n_read, &stream->failure) != AL_OK) {
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
}
