#include "os/file.h"

#include "base/alloc.h"
#include "os/path_error.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static void close_stream(DIR **stream)
{
  if (*stream != nullptr)
    (void)closedir(*stream);
}

/* Only links, and file systems that do not tell, need a stat. */
static bool is_directory(DIR *stream, const struct dirent *entry)
{
  if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
    return entry->d_type == DT_DIR;
  struct stat found;
  return fstatat(dirfd(stream), entry->d_name, &found, 0) == 0 && S_ISDIR(found.st_mode);
}

static int compare_names(const void *left, const void *right)
{
  const struct al_dir_entry *a = left, *b = right;
  return strcmp(a->name, b->name);
}

static enum al_code add_entry(struct al_dir_list *list, size_t *capacity, DIR *stream, const struct dirent *entry,
                              struct al_err *err)
{
  void *items = list->items;
  AL_TRY(al_grow(&items, capacity, list->count + 1, sizeof *list->items, err));
  list->items = items;
  char *name = al_strdup(entry->d_name);
  if (name == nullptr)
    return al_fail_oom(err, strlen(entry->d_name));
  list->items[list->count++] = (struct al_dir_entry){ .name = name, .is_directory = is_directory(stream, entry) };
  return AL_OK;
}

enum al_code al_dir_list(const char *path, size_t max_entries, struct al_dir_list *list, struct al_err *err)
{
  AL_CLEANUP(close_stream) DIR *stream = opendir(path);
  if (stream == nullptr)
    return al_path_fail(err, path, "listed", errno);
  AL_CLEANUP(al_dir_list_free) struct al_dir_list found = {};
  size_t capacity = 0;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    if (entry == nullptr && errno != 0)
      return al_path_fail(err, path, "listed", errno);
    if (entry == nullptr)
      break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (found.count == max_entries)
      return al_fail(err, AL_INVALID_REQUEST, "%s has more than %zu entries", al_path_last(path), max_entries);
    AL_TRY(add_entry(&found, &capacity, stream, entry, err));
  }
  if (found.count > 0)
    qsort(found.items, found.count, sizeof *found.items, compare_names);
  *list = found;
  found = (struct al_dir_list){};
  return AL_OK;
}

void al_dir_list_free(struct al_dir_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_free(list->items[i].name);
  al_free(list->items);
  *list = (struct al_dir_list){};
}

static enum al_code make_one(const char *path, struct al_err *err)
{
  if (mkdir(path, 0700) == 0)
    return AL_OK;
  int error_number = errno;
  struct stat found;
  if (stat(path, &found) == 0)
    return S_ISDIR(found.st_mode) ? AL_OK : al_path_fail(err, path, "created", ENOTDIR);
  return al_path_fail(err, path, "created", error_number);
}

enum al_code al_dir_make(const char *path, struct al_err *err)
{
  char partial[4096];
  if (path[0] == '\0' || strlen(path) >= sizeof partial)
    return al_path_fail(err, path, "created", path[0] == '\0' ? ENOENT : ENAMETOOLONG);
  (void)snprintf(partial, sizeof partial, "%s", path);
  for (char *slash = strchr(partial + 1, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    AL_TRY(make_one(partial, err));
    *slash = '/';
  }
  return make_one(partial, err);
}
