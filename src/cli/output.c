#include "cli/output.h"

#include "base/alloc.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum al_code failed(const struct al_output *output, struct al_err *err)
{
  return al_fail(err, AL_INVALID_REQUEST, "%s cannot be written: %s", output->name, strerror(errno));
}

static enum al_code open_as_it_stands(struct al_output *output, const char *path, struct al_err *err)
{
  int fd = al_streq(path, "-") ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return failed(output, err);
  output->fd = fd;
  return AL_OK;
}

/* The file that a link leads to is replaced, not the link. */
static enum al_code resolve(struct al_output *output, const char *path, bool exists, struct al_err *err)
{
  char *real = exists ? realpath(path, nullptr) : nullptr;
  int size = snprintf(output->path, sizeof output->path, "%s", real != nullptr ? real : path);
  free(real);
  if (size < 0 || (size_t)size >= sizeof output->path)
    return al_fail(err, AL_INVALID_REQUEST, "the path is too long");
  return AL_OK;
}

static enum al_code make_temporary(struct al_output *output, struct al_err *err)
{
  const char *last = al_path_last(output->path);
  (void)snprintf(output->temporary, sizeof output->temporary, "%.*s.allm-XXXXXX", (int)(last - output->path),
                 output->path);
  int fd = mkostemp(output->temporary, O_CLOEXEC);
  if (fd < 0) {
    output->temporary[0] = '\0';
    return failed(output, err);
  }
  output->fd = fd;
  mode_t mask = umask(0);
  (void)umask(mask);
  (void)fchmod(fd, 0666 & ~mask);
  return AL_OK;
}

enum al_code al_output_open(const char *path, struct al_output *output, struct al_err *err)
{
  *output = (struct al_output){ .name = al_streq(path, "-") ? "standard output" : path };
  if (path[0] == '\0')
    return al_fail(err, AL_INVALID_REQUEST, "the output needs a name");
  struct stat info;
  bool exists = !al_streq(path, "-") && stat(path, &info) == 0;
  if (exists && S_ISDIR(info.st_mode))
    return al_fail(err, AL_INVALID_REQUEST, "%s is a directory", path);
  if (al_streq(path, "-") || (exists && !S_ISREG(info.st_mode)))
    return open_as_it_stands(output, path, err);
  AL_TRY(resolve(output, path, exists, err));
  return make_temporary(output, err);
}

enum al_code al_output_write(struct al_output *output, struct al_str bytes, struct al_err *err)
{
  while (bytes.size > 0) {
    ssize_t wrote = write(output->fd, bytes.data, bytes.size);
    if (wrote >= 0) {
      bytes = al_str_n(bytes.data + wrote, bytes.size - (size_t)wrote);
    } else if (errno == EAGAIN) {
      struct pollfd ready = { .fd = output->fd, .events = POLLOUT };
      (void)poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return failed(output, err);
    }
  }
  return AL_OK;
}

enum al_code al_output_finish(struct al_output *output, struct al_err *err)
{
  int closed = close(output->fd); /* some file systems tell here that there was no room */
  output->fd = 0;
  if (closed != 0 || (output->temporary[0] != '\0' && rename(output->temporary, output->path) != 0))
    return failed(output, err);
  output->temporary[0] = '\0';
  return AL_OK;
}

void al_output_done(struct al_output *output)
{
  if (output->fd > 0)
    (void)close(output->fd);
  if (output->temporary[0] != '\0')
    (void)unlink(output->temporary);
  output->fd = 0;
  output->temporary[0] = '\0';
}
