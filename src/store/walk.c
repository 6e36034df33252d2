#include "store/walk.h"

#include "base/log.h"
#include "store/folder.h"
#include "store/model_id.h"

#include <stdio.h>

constexpr int MAX_DEPTH = 8;
constexpr size_t MAX_DIR_ENTRIES = 100'000;
constexpr size_t MAX_ALL_ENTRIES = 1'000'000; /* of one walk: links can make a small tree look endless */
constexpr size_t MAX_PATH = 4096;

struct walk {
  struct al_found_list *list;
  bool builtin;
  size_t n_entries;
  int depth;
  struct {
    uint64_t device, inode;
  } above[MAX_DEPTH + 1]; /* the directories this one lies in, so that a link back up ends */
};

static bool enter(struct walk *walk, const char *path)
{
  struct al_file_info info;
  if (walk->depth > MAX_DEPTH || al_file_stat(path, &info, nullptr) != AL_OK || !info.is_directory)
    return false;
  for (int i = 0; i < walk->depth; i++)
    if (walk->above[i].device == info.device && walk->above[i].inode == info.inode)
      return false;
  walk->above[walk->depth].device = info.device;
  walk->above[walk->depth].inode = info.inode;
  return true;
}

static enum al_code walk_folder(struct walk *walk, const char *path, const char *id, struct al_err *err);

static enum al_code walk_children(struct walk *walk, const struct al_folder *folder, struct al_err *err)
{
  for (size_t i = 0; i < folder->entries->count; i++) {
    const char *name = folder->entries->items[i].name;
    char path[MAX_PATH], id[AL_MODEL_ID_MAX_BYTES + 1];
    if (!folder->entries->items[i].is_directory || !al_model_name_usable(name))
      continue;
    int length = snprintf(id, sizeof id, "%s%s%s", folder->id, folder->id[0] != '\0' ? "/" : "", name);
    if (length < 0 || (size_t)length >= sizeof id ||
        al_path_join(path, sizeof path, folder->path, name, nullptr) != AL_OK)
      continue;
    AL_TRY(walk_folder(walk, path, id, err));
  }
  return AL_OK;
}

static enum al_code walk_folder(struct walk *walk, const char *path, const char *id, struct al_err *err)
{
  if (walk->n_entries > MAX_ALL_ENTRIES || !enter(walk, path))
    return AL_OK;
  AL_CLEANUP(al_dir_list_free) struct al_dir_list entries = {};
  struct al_err why = {};
  enum al_code code = al_dir_list(path, MAX_DIR_ENTRIES, &entries, &why);
  if (code == AL_OOM_RAM)
    return al_fail(err, code, "%s", why.message);
  if (code != AL_OK) {
    al_log_err(AL_LOG_DEBUG, "models_directory_skipped", &why);
    return AL_OK;
  }
  walk->n_entries += entries.count;
  struct al_folder folder = { .path = path, .id = id, .entries = &entries, .builtin = walk->builtin };
  AL_TRY(al_folder_find(&folder, walk->list, err));
  if (folder.is_pipeline)
    return AL_OK;
  walk->depth++;
  code = walk_children(walk, &folder, err);
  walk->depth--;
  return code;
}

enum al_code al_walk_models(const char *path, bool builtin, struct al_found_list *list, struct al_err *err)
{
  struct walk walk = { .list = list, .builtin = builtin };
  return walk_folder(&walk, path, "", err);
}

/* The revision that refs/main names, unless it could lead elsewhere. */
static bool read_revision(const char *repository, char *revision, size_t size)
{
  char path[MAX_PATH];
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (al_path_join(path, sizeof path, repository, "refs/main", nullptr) != AL_OK ||
      al_file_read(path, 256, &text, nullptr) != AL_OK || text.size == 0)
    return false;
  text.data[strcspn(text.data, "\r\n ")] = '\0';
  if (strlen(text.data) >= size || strchr(text.data, '/') != nullptr || !al_model_name_usable(text.data))
    return false;
  (void)snprintf(revision, size, "%s", text.data);
  return true;
}

static bool newest_revision(const char *snapshots, char *revision, size_t size)
{
  AL_CLEANUP(al_dir_list_free) struct al_dir_list entries = {};
  if (al_dir_list(snapshots, 1000, &entries, nullptr) != AL_OK)
    return false;
  int64_t newest = INT64_MIN;
  for (size_t i = 0; i < entries.count; i++) {
    char path[MAX_PATH];
    struct al_file_info info;
    if (!entries.items[i].is_directory || strlen(entries.items[i].name) >= size ||
        al_path_join(path, sizeof path, snapshots, entries.items[i].name, nullptr) != AL_OK ||
        al_file_stat(path, &info, nullptr) != AL_OK || info.modified_ns <= newest)
      continue;
    newest = info.modified_ns;
    (void)snprintf(revision, size, "%s", entries.items[i].name);
  }
  return newest != INT64_MIN;
}

static enum al_code walk_repository(const char *repository, const char *id, struct al_found_list *list,
                                    struct al_err *err)
{
  char snapshots[MAX_PATH], revision[256], path[MAX_PATH];
  if (al_path_join(snapshots, sizeof snapshots, repository, "snapshots", nullptr) != AL_OK)
    return AL_OK;
  if (!read_revision(repository, revision, sizeof revision) && !newest_revision(snapshots, revision, sizeof revision))
    return AL_OK;
  if (al_path_join(path, sizeof path, snapshots, revision, nullptr) != AL_OK)
    return AL_OK;
  struct walk walk = { .list = list };
  return walk_folder(&walk, path, id, err);
}

/* "models--org--name" names "org/name". */
static bool repository_id(const char *name, char *id, size_t size)
{
  static const char prefix[] = "models--";
  if (strncmp(name, prefix, strlen(prefix)) != 0 || strlen(name) >= size)
    return false;
  size_t n = 0;
  for (const char *p = name + strlen(prefix); *p != '\0'; p++) {
    bool is_separator = p[0] == '-' && p[1] == '-';
    id[n++] = is_separator ? '/' : *p;
    p += is_separator;
  }
  id[n] = '\0';
  return al_model_id_check(id, nullptr) == AL_OK;
}

enum al_code al_walk_hf_cache(const char *path, struct al_found_list *list, struct al_err *err)
{
  AL_CLEANUP(al_dir_list_free) struct al_dir_list entries = {};
  enum al_code code = al_dir_list(path, MAX_DIR_ENTRIES, &entries, err);
  if (code != AL_OK)
    return code == AL_OOM_RAM ? code : AL_OK;
  for (size_t i = 0; i < entries.count; i++) {
    char id[AL_MODEL_ID_MAX_BYTES + 1], repository[MAX_PATH];
    const char *name = entries.items[i].name;
    if (entries.items[i].is_directory && repository_id(name, id, sizeof id) &&
        al_path_join(repository, sizeof repository, path, name, nullptr) == AL_OK)
      AL_TRY(walk_repository(repository, id, list, err));
  }
  return AL_OK;
}
