/* One model that the user named by its path. */
#include "codec/whisper_file.h"
#include "store/describe.h"
#include "store/folder.h"
#include "store/model_id.h"
#include "store/walk.h"

#include <stdio.h>

constexpr size_t MAX_PATH = 4096;
constexpr size_t MAX_ENTRIES = 100'000;

static enum al_code find_in(const char *path, const char *id, struct al_found_list *list, struct al_err *err)
{
  AL_CLEANUP(al_dir_list_free) struct al_dir_list entries = {};
  AL_TRY(al_dir_list(path, MAX_ENTRIES, &entries, err));
  struct al_folder folder = { .path = path, .id = id, .entries = &entries };
  return al_folder_find(&folder, list, err);
}

/* A directory that is a model, or that holds a single GGUF. */
static enum al_code take_directory(const char *path, struct al_found_list *list, struct al_err *err)
{
  AL_CLEANUP(al_found_list_done) struct al_found_list found = {};
  const char *name = al_path_last(path);
  AL_TRY(find_in(path, name, &found, err));
  if (found.count == 0)
    return al_fail(err, AL_UNSUPPORTED,
                   "%.200s holds no model: neither GGUF files nor safetensors with a config.json are in it", name);
  struct al_found *own = &found.items[0];
  if (strcmp(own->model->id, name) != 0 && found.count > 1)
    return al_fail(err, AL_INVALID_REQUEST, "%.200s holds %zu models; name one of them, for example %.200s.gguf", name,
                   found.count, own->model->id);
  AL_TRY(al_describe_set(&own->model->id, name, err));
  return al_found_move(list, own, err);
}

/* The set that this file, a GGUF or a part of one, belongs to. */
static enum al_code take_gguf(const char *directory, const char *name, struct al_found_list *list, struct al_err *err)
{
  struct al_part part = {};
  bool is_part = al_part_parse(name, ".gguf", &part);
  char id[AL_MODEL_ID_MAX_BYTES + 1];
  struct al_str stem = is_part ? part.set : al_str_n(name, strlen(name) - strlen(".gguf"));
  if (stem.size == 0 || stem.size > AL_MODEL_ID_MAX_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "%.200s gives no usable model name", name);
  (void)snprintf(id, sizeof id, "%.*s", (int)stem.size, stem.data);
  const struct al_found_as as = { id, directory, AL_FORMAT_GGUF, false };
  AL_TRY(al_found_add(list, &as, err));
  struct al_found *found = &list->items[list->count - 1];
  return is_part ? al_found_parts(found, directory, &part, err) : al_found_weight(found, directory, name, err);
}

/* A file of whisper.cpp, as its first bytes must tell: a user who names another one is told so. */
static enum al_code take_ggml(const char *directory, const char *name, struct al_found_list *list, struct al_err *err)
{
  char path[MAX_PATH], head[AL_GGML_HEAD_BYTES], id[AL_MODEL_ID_MAX_BYTES + 1];
  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t size = 0;
  AL_TRY(al_path_join(path, sizeof path, directory, name, err));
  AL_TRY(al_file_open(path, &fd, &size, err));
  size_t n = size < sizeof head ? (size_t)size : sizeof head;
  AL_TRY(al_file_read_at(fd, 0, head, n, err));
  if (al_ggml_kind_of(al_str_n(head, n)) == AL_GGML_FOREIGN)
    return al_fail(err, AL_UNSUPPORTED, "%.200s is not a model that can run here: it is no file of whisper.cpp", name);
  struct al_str stem = al_str_n(name, strlen(name) - strlen(".bin"));
  if (stem.size == 0 || stem.size > AL_MODEL_ID_MAX_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "%.200s gives no usable model name", name);
  (void)snprintf(id, sizeof id, "%.*s", (int)stem.size, stem.data);
  const struct al_found_as as = { id, directory, AL_FORMAT_GGML, false };
  AL_TRY(al_found_add(list, &as, err));
  return al_found_weight(&list->items[list->count - 1], directory, name, err);
}

enum al_code al_walk_path(const char *path, struct al_found_list *list, struct al_err *err)
{
  struct al_file_info info;
  AL_TRY(al_file_stat(path, &info, err));
  if (info.is_directory)
    return take_directory(path, list, err);
  char directory[MAX_PATH];
  const char *name = al_path_last(path);
  (void)snprintf(directory, sizeof directory, "%.*s", (int)(name - path), path);
  size_t length = strlen(directory);
  if (length > 1 && directory[length - 1] == '/')
    directory[length - 1] = '\0';
  if (al_str_ends(al_str(name), al_str(".safetensors")) || strcmp(name, "config.json") == 0 ||
      al_str_ends(al_str(name), al_str(".safetensors.index.json")))
    return take_directory(directory, list, err);
  if (al_str_ends(al_str(name), al_str(".bin")))
    return take_ggml(directory, name, list, err);
  if (!al_folder_is_gguf_model(name))
    return al_fail(err, AL_UNSUPPORTED,
                   "%.200s is not a model that can run here: GGUF files (.gguf) and directories "
                   "with safetensors and a config.json can",
                   name);
  return take_gguf(directory, name, list, err);
}
