#include "store/found.h"

#include "base/alloc.h"
#include "store/describe.h"

#include <stdio.h>
#include <stdlib.h>

void al_found_list_done(struct al_found_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_descriptor_unref(list->items[i].model);
  al_free(list->items);
  *list = (struct al_found_list){};
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
  const unsigned char *p = bytes;
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
  return hash;
}

enum al_code al_found_add(struct al_found_list *list, const struct al_found_as *as, struct al_err *err)
{
  void *items = list->items;
  AL_TRY(al_grow(&items, &list->capacity, list->count + 1, sizeof *list->items, err));
  list->items = items;
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = al_descriptor_new();
  if (model == nullptr)
    return al_fail_oom(err, sizeof *model);
  AL_TRY(al_describe_set(&model->id, as->id, err));
  AL_TRY(al_describe_set(&model->directory, as->directory, err));
  AL_TRY(al_describe_set(&model->runtime, "", err));
  AL_TRY(al_describe_set(&model->architecture, "", err));
  AL_TRY(al_describe_set(&model->quantisation, "", err));
  AL_TRY(al_describe_set(&model->base, "", err));
  model->format = as->format;
  model->builtin = as->builtin;
  uint64_t signature = mix(UINT64_C(0xcbf29ce484222325), as->directory, strlen(as->directory));
  signature = mix(signature, &as->format, sizeof as->format);
  signature = mix(signature, &as->builtin, sizeof as->builtin);
  list->items[list->count] = (struct al_found){ .model = model, .signature = signature, .order = list->count };
  list->count++;
  model = nullptr;
  return AL_OK;
}

enum al_code al_found_move(struct al_found_list *list, struct al_found *item, struct al_err *err)
{
  void *items = list->items;
  AL_TRY(al_grow(&items, &list->capacity, list->count + 1, sizeof *list->items, err));
  list->items = items;
  list->items[list->count] = *item;
  list->items[list->count].order = list->count;
  list->count++;
  *item = (struct al_found){};
  return AL_OK;
}

static enum al_code note(struct al_found *found, const char *path, struct al_file_info *info, struct al_err *err)
{
  *info = (struct al_file_info){};
  enum al_code code = al_file_stat(path, info, err);
  found->signature = mix(found->signature, path, strlen(path) + 1);
  found->signature = mix(found->signature, &info->size_bytes, sizeof info->size_bytes);
  found->signature = mix(found->signature, &info->modified_ns, sizeof info->modified_ns);
  found->signature = mix(found->signature, &info->inode, sizeof info->inode);
  if (info->modified_ns / 1'000'000'000 > found->model->modified_s)
    found->model->modified_s = info->modified_ns / 1'000'000'000;
  return code;
}

enum al_code al_found_weight(struct al_found *found, const char *directory, const char *name, struct al_err *err)
{
  char path[4096];
  path[0] = '\0';
  struct al_file_info info = {};
  struct al_err why = {};
  enum al_code code = al_path_join(path, sizeof path, directory, name, &why);
  if (code == AL_OK)
    code = note(found, path, &info, &why);
  if (code == AL_NOT_FOUND)
    al_describe_problem(found->model, AL_MODEL_CORRUPT, "%s is missing", name);
  else if (code != AL_OK)
    al_describe_problem(found->model, code, "%s", why.message);
  found->model->size_bytes += info.size_bytes;
  return al_describe_add_file(found->model, path, err);
}

enum al_code al_found_parts(struct al_found *found, const char *directory, const struct al_part *part,
                            struct al_err *err)
{
  for (int number = 1; number <= part->count; number++) {
    char name[AL_MODEL_ID_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%.*s-%05d-of-%05d.gguf", (int)part->set.size, part->set.data, number,
                   part->count);
    AL_TRY(al_found_weight(found, directory, name, err));
  }
  return AL_OK;
}

void al_found_watch(struct al_found *found, const char *directory, const char *name)
{
  char path[4096];
  struct al_file_info info;
  if (al_path_join(path, sizeof path, directory, name, nullptr) == AL_OK)
    (void)note(found, path, &info, nullptr);
}

static int compare(const void *left, const void *right)
{
  const struct al_found *a = left, *b = right;
  int by_id = strcmp(a->model->id, b->model->id);
  if (by_id != 0)
    return by_id;
  return a->order < b->order ? -1 : 1;
}

void al_found_list_sort(struct al_found_list *list)
{
  if (list->count > 0)
    qsort(list->items, list->count, sizeof *list->items, compare);
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++) {
    if (kept > 0 && strcmp(list->items[kept - 1].model->id, list->items[i].model->id) == 0)
      al_descriptor_unref(list->items[i].model);
    else
      list->items[kept++] = list->items[i];
  }
  list->count = kept;
}

struct al_found *al_found_list_get(const struct al_found_list *list, const char *id)
{
  size_t low = 0, high = list->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(list->items[middle].model->id, id);
    if (order == 0)
      return &list->items[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return nullptr;
}
