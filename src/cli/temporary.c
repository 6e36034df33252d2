#include "cli/temporary.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum al_code al_temporary_open(int *fd, struct al_err *err)
{
  const char *directory = getenv("TMPDIR");
  if (directory == nullptr || directory[0] == '\0')
    directory = "/tmp";
  int made = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (made < 0) { /* a file system that cannot make one without a name */
    char path[4096];
    AL_TRY(al_path_join(path, sizeof path, directory, "allm.XXXXXX", err));
    made = mkostemp(path, O_CLOEXEC);
    if (made >= 0)
      (void)unlink(path);
  }
  if (made < 0)
    return al_fail(err, AL_INTERNAL, "no temporary file can be made in %s: %s", directory, strerror(errno));
  *fd = made;
  return AL_OK;
}

enum al_code al_temporary_write(int fd, struct al_str bytes, struct al_err *err)
{
  while (bytes.size > 0) {
    ssize_t wrote = write(fd, bytes.data, bytes.size);
    if (wrote >= 0)
      bytes = al_str_n(bytes.data + wrote, bytes.size - (size_t)wrote);
    else if (errno != EINTR)
      return al_fail(err, AL_INTERNAL, "the temporary file cannot be written: %s", strerror(errno));
  }
  return AL_OK;
}

/* *size 0: the end. */
static enum al_code read_some(int fd, int cancel_fd, char *bytes, size_t *size, struct al_err *err)
{
  struct pollfd watched[2] = { { .fd = cancel_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
  for (;;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR)
      return al_fail(err, AL_INTERNAL, "poll: %s", strerror(errno));
    if ((watched[0].revents & POLLIN) != 0)
      return al_fail(err, AL_CANCELLED, "cancelled");
    if (watched[1].revents == 0)
      continue;
    ssize_t got = read(fd, bytes, *size);
    if (got >= 0) {
      *size = (size_t)got;
      return AL_OK;
    }
    if (errno != EINTR && errno != EAGAIN)
      return al_fail(err, AL_INVALID_REQUEST, "it cannot be read: %s", strerror(errno));
  }
}

enum al_code al_temporary_fill(int fd, int from_fd, int cancel_fd, uint64_t *size_bytes, struct al_err *err)
{
  char bytes[16 << 10];
  uint64_t total = 0;
  for (;;) {
    size_t size = sizeof bytes;
    AL_TRY(read_some(from_fd, cancel_fd, bytes, &size, err));
    if (size == 0)
      break;
    AL_TRY(al_temporary_write(fd, al_str_n(bytes, size), err));
    total += size;
  }
  *size_bytes = total;
  return AL_OK;
}
