#include "api/spool.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* -1: this directory takes no files. */
static int open_in(const char *directory)
{
  int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fd >= 0)
    return fd;
  /* Not every file system can make a file without a name. */
  char path[4096];
  int length = snprintf(path, sizeof path, "%s/.allm-XXXXXX", directory);
  if (length < 0 || (size_t)length >= sizeof path)
    return -1;
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0)
    (void)unlink(path);
  return fd;
}

enum al_code al_api_spool_open(const char *directory, int *fd, struct al_err *err)
{
  const char *const places[] = { directory, getenv("TMPDIR"), "/var/tmp", "/tmp" };
  if (directory != nullptr && directory[0] != '\0' && al_dir_make(directory, nullptr) != AL_OK)
    errno = EACCES;
  for (size_t i = 0; i < AL_COUNT(places); i++) {
    if (places[i] == nullptr || places[i][0] == '\0')
      continue;
    int made = open_in(places[i]);
    if (made >= 0) {
      *fd = made;
      return AL_OK;
    }
  }
  return al_fail(err, AL_INTERNAL, "No directory takes a temporary file: %s", strerror(errno));
}

enum al_code al_api_spool_write(int fd, struct al_str bytes, struct al_err *err)
{
  while (bytes.size > 0) {
    ssize_t wrote = write(fd, bytes.data, bytes.size);
    if (wrote > 0) {
      bytes = al_str_n(bytes.data + wrote, bytes.size - (size_t)wrote);
    } else if (wrote == 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
      return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "The server's disk has no room for the upload"), "disk_full");
    } else if (errno != EINTR) {
      return al_fail(err, AL_INTERNAL, "A temporary file cannot be written: %s", strerror(errno));
    }
  }
  return AL_OK;
}
