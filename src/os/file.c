#include "os/file.h"

#include "os/path_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdckdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

constexpr size_t CHUNK_BYTES = 16 << 10;

void al_fd_close(int *fd)
{
  if (*fd >= 0)
    (void)close(*fd);
  *fd = -1;
}

enum al_code al_file_stat(const char *path, struct al_file_info *info, struct al_err *err)
{
  struct stat found;
  if (stat(path, &found) != 0)
    return al_path_fail(err, path, "opened", errno);
  *info = (struct al_file_info){
    .size_bytes = (uint64_t)found.st_size,
    .modified_ns = (int64_t)found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec,
    .device = found.st_dev,
    .inode = found.st_ino,
    .is_directory = S_ISDIR(found.st_mode),
    .is_regular = S_ISREG(found.st_mode),
  };
  return AL_OK;
}

static enum al_code size_of_regular(int fd, const char *path, uint64_t *size_bytes, struct al_err *err)
{
  struct stat found;
  if (fstat(fd, &found) != 0)
    return al_path_fail(err, path, "opened", errno);
  if (!S_ISREG(found.st_mode))
    return al_fail(err, AL_INVALID_REQUEST, "%s is not a regular file", al_path_last(path));
  *size_bytes = (uint64_t)found.st_size;
  return AL_OK;
}

/* O_NONBLOCK: opening a FIFO that somebody left in a models directory must not hang. */
enum al_code al_file_open(const char *path, int *fd, uint64_t *size_bytes, struct al_err *err)
{
  int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0)
    return al_path_fail(err, path, "opened", errno);
  enum al_code code = size_of_regular(opened, path, size_bytes, err);
  if (code == AL_OK)
    *fd = opened;
  else
    al_fd_close(&opened);
  return code;
}

static enum al_code too_large(const char *path, size_t max_bytes, struct al_err *err)
{
  return al_fail(err, AL_INVALID_REQUEST, "%s is larger than %zu bytes", al_path_last(path), max_bytes);
}

/* Reads to the end, not to the size that stat gave: files under /proc have none. */
enum al_code al_file_read(const char *path, size_t max_bytes, struct al_buf *out, struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t size_bytes = 0;
  AL_TRY(al_file_open(path, &fd, &size_bytes, err));
  if (size_bytes > max_bytes)
    return too_large(path, max_bytes, err);
  size_t total = 0;
  for (;;) {
    char chunk[CHUNK_BYTES];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return al_path_fail(err, path, "read", errno);
    if (n == 0)
      return al_buf_check(out, err);
    total += (size_t)n;
    if (total > max_bytes)
      return too_large(path, max_bytes, err);
    al_buf_add(out, chunk, (size_t)n);
    AL_TRY(al_buf_check(out, err));
  }
}

enum al_code al_file_read_at(int fd, uint64_t offset, void *bytes, size_t size, struct al_err *err)
{
  char *to = bytes;
  size_t done = 0;
  int64_t end;
  if (ckd_add(&end, offset, size))
    return al_fail(err, AL_MODEL_CORRUPT, "no file reaches to byte %llu", (unsigned long long)offset);
  while (done < size) {
    ssize_t n = pread(fd, to + done, size - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return al_fail(err, AL_LOAD_FAILED, "%zu bytes at %llu could not be read: %s", size, (unsigned long long)offset,
                     strerrordesc_np(errno));
    if (n == 0)
      return al_fail(err, AL_MODEL_CORRUPT, "the file ends at byte %llu, but %zu bytes are expected at %llu",
                     (unsigned long long)(offset + done), size, (unsigned long long)offset);
    done += (size_t)n;
  }
  return AL_OK;
}

static int write_all(int fd, struct al_str bytes)
{
  while (bytes.size > 0) {
    ssize_t n = write(fd, bytes.data, bytes.size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    bytes = al_str_n(bytes.data + n, bytes.size - (size_t)n);
  }
  return 0;
}

/* So that the rename itself survives a power cut. */
static void sync_directory_of(const char *path)
{
  char directory[4096];
  (void)snprintf(directory, sizeof directory, "%s", path);
  char *slash = strrchr(directory, '/');
  if (slash != nullptr)
    slash[slash == directory] = '\0';
  AL_CLEANUP(al_fd_close) int fd = open(slash != nullptr ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0)
    (void)fsync(fd);
}

enum al_code al_file_write_atomic(const char *path, struct al_str bytes, struct al_err *err)
{
  char temporary[4096];
  int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
  if (length < 0 || (size_t)length >= sizeof temporary)
    return al_path_fail(err, path, "written", ENAMETOOLONG);
  AL_CLEANUP(al_fd_close) int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0)
    return al_path_fail(err, path, "written", errno);
  if (write_all(fd, bytes) != 0 || fsync(fd) != 0 || rename(temporary, path) != 0) {
    int error_number = errno;
    (void)unlink(temporary);
    return al_path_fail(err, path, "written", error_number);
  }
  sync_directory_of(path);
  return AL_OK;
}

enum al_code al_mapping_open(const char *path, struct al_mapping *mapping, struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t size_bytes = 0;
  AL_TRY(al_file_open(path, &fd, &size_bytes, err));
  if (size_bytes == 0) {
    *mapping = (struct al_mapping){};
    return AL_OK;
  }
  if (size_bytes > SIZE_MAX)
    return al_path_fail(err, path, "mapped", ENOMEM);
  void *data = mmap(nullptr, (size_t)size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED)
    return al_path_fail(err, path, "mapped", errno);
  *mapping = (struct al_mapping){ .data = data, .size = (size_t)size_bytes };
  return AL_OK;
}

void al_mapping_close(struct al_mapping *mapping)
{
  if (mapping->data != nullptr)
    (void)munmap((void *)(uintptr_t)mapping->data, mapping->size);
  *mapping = (struct al_mapping){};
}
