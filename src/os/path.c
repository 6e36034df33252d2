#include "os/file.h"

#include "os/path_error.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

const char *al_path_last(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash != nullptr && slash[1] != '\0' ? slash + 1 : path;
}

enum al_code al_path_fail(struct al_err *err, const char *path, const char *what, int error_number)
{
  enum al_code code = AL_LOAD_FAILED;
  if (error_number == ENOENT || error_number == ENOTDIR)
    code = AL_NOT_FOUND;
  else if (error_number == ENAMETOOLONG || error_number == EINVAL)
    code = AL_INVALID_REQUEST;
  else if (error_number == ENOMEM)
    code = AL_OOM_RAM;
  return al_fail(err, code, "%s could not be %s: %s", al_path_last(path), what, strerrordesc_np(error_number));
}

enum al_code al_path_join(char *out, size_t size, const char *directory, const char *name, struct al_err *err)
{
  size_t length = strlen(directory);
  const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
  int written = snprintf(out, size, "%s%s%s", directory, slash, name);
  if (written < 0 || (size_t)written >= size)
    return al_fail(err, AL_INVALID_REQUEST, "the path of %s is longer than %zu bytes", al_path_last(name), size - 1);
  return AL_OK;
}

enum al_code al_path_expand(char *out, size_t size, const char *path, struct al_err *err)
{
  bool from_home = path[0] == '~' && (path[1] == '/' || path[1] == '\0');
  const char *home = from_home ? getenv("HOME") : nullptr;
  if (from_home && (home == nullptr || home[0] == '\0'))
    return al_fail(err, AL_INVALID_REQUEST, "%s cannot be expanded: HOME is not set", path);
  int written = snprintf(out, size, "%s%s", from_home ? home : "", from_home ? path + 1 : path);
  if (written < 0 || (size_t)written >= size)
    return al_fail(err, AL_INVALID_REQUEST, "the path of %s is longer than %zu bytes", al_path_last(path), size - 1);
  return AL_OK;
}

/* Cuts the path in two; false when its last part ("/", ".", "..") is no name that could be kept. */
static bool split_last(char *path, const char **directory, const char **last)
{
  char *slash = strrchr(path, '/');
  *last = slash != nullptr ? slash + 1 : path;
  if ((*last)[0] == '\0' || strcmp(*last, ".") == 0 || strcmp(*last, "..") == 0)
    return false;
  if (slash != nullptr)
    *slash = '\0';
  *directory = slash == nullptr ? "." : slash == path ? "/" : path;
  return true;
}

enum al_code al_path_absolute(char *out, size_t size, const char *path, struct al_err *err)
{
  char copy[4096], resolved[4096];
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof copy)
    return al_path_fail(err, path, "found", length == 0 ? ENOENT : ENAMETOOLONG);
  memcpy(copy, path, length + 1);
  while (length > 1 && copy[length - 1] == '/')
    copy[--length] = '\0';
  const char *directory, *last;
  bool has_last = split_last(copy, &directory, &last);
  if (realpath(has_last ? directory : copy, resolved) == nullptr)
    return al_path_fail(err, path, "found", errno);
  if (has_last) {
    AL_TRY(al_path_join(out, size, resolved, last, err));
  } else {
    if (strlen(resolved) >= size)
      return al_path_fail(err, path, "found", ENAMETOOLONG);
    memcpy(out, resolved, strlen(resolved) + 1);
  }
  return access(out, F_OK) == 0 ? AL_OK : al_path_fail(err, path, "found", errno);
}

enum al_code al_path_of_program(char *out, size_t size, struct al_err *err)
{
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n < 0)
    return al_path_fail(err, "/proc/self/exe", "read", errno);
  path[n] = '\0';
  char *slash = strrchr(path, '/');
  if (slash == nullptr)
    return al_fail(err, AL_INTERNAL, "the running program has no path");
  slash[slash == path] = '\0';
  if (strlen(path) >= size)
    return al_fail(err, AL_INVALID_REQUEST, "the program's directory is longer than %zu bytes", size - 1);
  (void)snprintf(out, size, "%s", path);
  return AL_OK;
}
