#include "engine/safetensors/export.h"

#include "base/alloc.h"
#include "engine/safetensors/vgguf.h"
#include "os/machine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

constexpr size_t PIECE_BYTES = (size_t)16 << 20;

static void close_file(FILE **file)
{
  if (*file != nullptr)
    (void)fclose(*file);
}

static enum al_code fail_write(const char *path, struct al_err *err)
{
  const char *slash = strrchr(path, '/');
  return al_fail(err, AL_LOAD_FAILED, "%s cannot be written: %s", slash != nullptr ? slash + 1 : path, strerror(errno));
}

static enum al_code copy(const struct al_vgguf *vgguf, FILE *file, const char *path, al_load_progress_fn *progress,
                         void *user, struct al_err *err)
{
  AL_CLEANUP(al_free_p) uint8_t *piece = al_alloc(PIECE_BYTES);
  if (piece == nullptr)
    return al_fail_oom(err, PIECE_BYTES);
  uint64_t size = al_vgguf_size_bytes(vgguf);
  size_t n_read = 0;
  for (uint64_t at = 0; at < size; at += n_read) {
    AL_TRY(al_vgguf_read(vgguf, at, piece, PIECE_BYTES, &n_read, err));
    if (fwrite(piece, 1, n_read, file) != n_read)
      return fail_write(path, err);
    if (progress != nullptr && !progress(user, (float)((double)(at + n_read) / (double)size)))
      return al_fail(err, AL_CANCELLED, "the export was cancelled");
  }
  return fflush(file) == 0 && fsync(fileno(file)) == 0 ? AL_OK : fail_write(path, err);
}

static enum al_code write_beside(const struct al_vgguf *vgguf, const char *beside, al_load_progress_fn *progress,
                                 void *user, struct al_err *err)
{
  AL_CLEANUP(close_file) FILE *file = fopen(beside, "wbe");
  return file != nullptr ? copy(vgguf, file, beside, progress, user, err) : fail_write(beside, err);
}

enum al_code al_safetensors_export(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                                   const char *path, al_load_progress_fn *progress, void *user, struct al_err *err)
{
  char beside[PATH_MAX];
  int n = snprintf(beside, sizeof beside, "%s.part", path);
  if (n < 0 || (size_t)n >= sizeof beside)
    return al_fail(err, AL_INVALID_REQUEST, "the path to export to is too long");
  int n_threads = options->n_threads > 0 ? options->n_threads : al_machine_n_cores();
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
  AL_TRY(al_vgguf_open(descriptor->directory, options->quant, n_threads, &vgguf, err));
  enum al_code code = write_beside(vgguf, beside, progress, user, err);
  if (code == AL_OK && rename(beside, path) != 0)
    code = fail_write(path, err);
  if (code != AL_OK)
    (void)unlink(beside);
  return code;
}
