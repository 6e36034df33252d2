/* A temporary directory for one test program, removed with all that is in it. */
#ifndef AL_TESTS_TMPDIR_H
#define AL_TESTS_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static char tmpdir[64];

static int tmpdir_remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
  (void)info;
  (void)kind;
  (void)where;
  return remove(path);
}

[[maybe_unused]] static int tmpdir_make(void **state)
{
  (void)state;
  (void)snprintf(tmpdir, sizeof tmpdir, "%s", "/tmp/allm-test-XXXXXX");
  return mkdtemp(tmpdir) != nullptr ? 0 : -1;
}

[[maybe_unused]] static int tmpdir_remove(void **state)
{
  (void)state;
  return nftw(tmpdir, tmpdir_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* "<tmpdir>/name"; valid until the eighth call after it. */
[[maybe_unused]] static const char *tmpdir_path(const char *name)
{
  static char paths[8][512];
  static unsigned at;
  char *path = paths[at++ % 8];
  (void)snprintf(path, sizeof paths[0], "%s/%s", tmpdir, name);
  return path;
}

[[maybe_unused]] static void tmpdir_write(const char *name, const void *bytes, size_t size)
{
  FILE *file = fopen(tmpdir_path(name), "w");
  if (file == nullptr)
    return;
  (void)fwrite(bytes, 1, size, file);
  (void)fclose(file);
}

#endif
