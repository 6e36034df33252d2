#include "store/folder.h"

#include "store/describe.h"
#include "store/model_id.h"

#include <stdio.h>

constexpr size_t MAX_PATH = 4096;
constexpr size_t MAX_SUBDIR_ENTRIES = 4096;

static bool ends_with(const char *name, const char *suffix)
{
  return al_str_ends(al_str(name), al_str(suffix));
}

static bool is_weight(const char *name)
{
  return ends_with(name, ".safetensors");
}

bool al_folder_is_ggml_name(const char *name)
{
  return al_str_starts(al_str(name), al_str("ggml-")) && ends_with(name, ".bin");
}

/* Leftovers of training are no weights. */
static bool is_pickle(const char *name)
{
  static const char *const others[] = { "training_args", "optimizer", "scheduler", "rng_state", "tokenizer" };
  for (size_t i = 0; i < AL_COUNT(others); i++)
    if (al_str_starts(al_str(name), al_str(others[i])))
      return false;
  if (al_folder_is_ggml_name(name))
    return false;
  return ends_with(name, ".bin") || ends_with(name, ".pt") || ends_with(name, ".pth") ||
         strcmp(name, "pytorch_model.bin.index.json") == 0;
}

bool al_folder_is_gguf_model(const char *name)
{
  return ends_with(name, ".gguf") && strstr(name, "mmproj") == nullptr;
}

/* What the names of a directory say about it. */
struct contents {
  bool has_config, has_pipeline;
  bool has_adapter, has_adapter_config; /* as the peft library writes them */
  bool has_hf_weights;                  /* model.safetensors or an index: a model even when config.json is gone */
  size_t n_safetensors, n_pickles;
};

static struct contents look(const struct al_dir_list *entries)
{
  struct contents seen = {};
  for (size_t i = 0; i < entries->count; i++) {
    const char *name = entries->items[i].name;
    if (entries->items[i].is_directory)
      continue;
    bool is_index = ends_with(name, ".safetensors.index.json");
    seen.has_config |= strcmp(name, "config.json") == 0;
    seen.has_adapter |= strcmp(name, AL_ADAPTER_WEIGHTS) == 0;
    seen.has_adapter_config |= strcmp(name, AL_ADAPTER_CONFIG) == 0;
    seen.has_pipeline |= strcmp(name, "model_index.json") == 0;
    seen.has_hf_weights |= is_index || strcmp(name, "model.safetensors") == 0;
    seen.n_safetensors += is_index || is_weight(name);
    seen.n_pickles += is_pickle(name);
  }
  return seen;
}

/* "dir/name" below the models directory; cut off ids are never made: the walk drops names that do not fit. */
static bool join_id(char *out, const char *folder_id, struct al_str name)
{
  int length = snprintf(out, AL_MODEL_ID_MAX_BYTES + 1, "%s%s%.*s", folder_id, folder_id[0] != '\0' ? "/" : "",
                        (int)name.size, name.data);
  return length > 0 && (size_t)length <= AL_MODEL_ID_MAX_BYTES;
}

static enum al_code add_model(const struct al_folder *folder, struct al_str name, enum al_model_format format,
                              struct al_found_list *list, struct al_err *err)
{
  char id[AL_MODEL_ID_MAX_BYTES + 1];
  if (!join_id(id, folder->id, name))
    return AL_OK;
  const struct al_found_as as = { id, folder->path, format, folder->builtin };
  return al_found_add(list, &as, err);
}

/* All parts that there should be, so that a missing one is named. */
static enum al_code add_split(const struct al_folder *folder, const struct al_part *part, struct al_found_list *list,
                              struct al_err *err)
{
  size_t before = list->count;
  AL_TRY(add_model(folder, part->set, AL_FORMAT_GGUF, list, err));
  return list->count > before ? al_found_parts(&list->items[before], folder->path, part, err) : AL_OK;
}

static bool same_set(const struct al_part *a, const struct al_part *b)
{
  return a->count == b->count && al_str_eq(a->set, b->set);
}

/* Entries come sorted, so the parts of a set follow each other: the first that is met stands for all. */
static enum al_code find_ggufs(const struct al_folder *folder, struct al_found_list *list, struct al_err *err)
{
  struct al_part last = {};
  for (size_t i = 0; i < folder->entries->count; i++) {
    const char *name = folder->entries->items[i].name;
    if (folder->entries->items[i].is_directory || !al_folder_is_gguf_model(name) || !al_model_name_usable(name))
      continue;
    struct al_part part;
    if (al_part_parse(name, ".gguf", &part)) {
      if (!same_set(&part, &last))
        AL_TRY(add_split(folder, &part, list, err));
      last = part;
      continue;
    }
    size_t before = list->count;
    AL_TRY(add_model(folder, al_str_n(name, strlen(name) - strlen(".gguf")), AL_FORMAT_GGUF, list, err));
    if (list->count > before)
      AL_TRY(al_found_weight(&list->items[before], folder->path, name, err));
  }
  return AL_OK;
}

/* Their first bytes tell whether they are models (al_describe_ggml). Beside a model of another format only those with
 * whisper.cpp's names are looked at. */
static enum al_code find_ggmls(const struct al_folder *folder, bool is_model, struct al_found_list *list,
                               struct al_err *err)
{
  for (size_t i = 0; i < folder->entries->count; i++) {
    const char *name = folder->entries->items[i].name;
    bool may_be = al_folder_is_ggml_name(name) || (!is_model && ends_with(name, ".bin"));
    if (folder->entries->items[i].is_directory || !may_be || !al_model_name_usable(name))
      continue;
    size_t before = list->count;
    AL_TRY(add_model(folder, al_str_n(name, strlen(name) - strlen(".bin")), AL_FORMAT_GGML, list, err));
    if (list->count > before)
      AL_TRY(al_found_weight(&list->items[before], folder->path, name, err));
  }
  return AL_OK;
}

static void watch_config(struct al_found *found, const char *path)
{
  static const char *const names[] = { "config.json",           "generation_config.json", "tokenizer.json",
                                       "tokenizer_config.json", "chat_template.jinja",    "model_index.json",
                                       "modules.json",          AL_ADAPTER_CONFIG };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    al_found_watch(found, path, names[i]);
}

static bool is_adapter_weight(const char *name)
{
  return strcmp(name, AL_ADAPTER_WEIGHTS) == 0;
}

static enum al_code add_files(struct al_found *found, const char *path, const struct al_dir_list *entries,
                              bool (*wanted)(const char *), struct al_err *err)
{
  for (size_t i = 0; i < entries->count; i++)
    if (!entries->items[i].is_directory && wanted(entries->items[i].name))
      AL_TRY(al_found_weight(found, path, entries->items[i].name, err));
  return AL_OK;
}

static bool is_weight_or_index(const char *name)
{
  return is_weight(name) || ends_with(name, ".safetensors.index.json");
}

/* The weights of a diffusers pipeline lie in one directory a component. */
static enum al_code add_components(struct al_found *found, const struct al_folder *folder, struct al_err *err)
{
  for (size_t i = 0; i < folder->entries->count; i++) {
    char path[MAX_PATH];
    struct al_dir_list entries = {};
    if (!folder->entries->items[i].is_directory ||
        al_path_join(path, sizeof path, folder->path, folder->entries->items[i].name, nullptr) != AL_OK ||
        al_dir_list(path, MAX_SUBDIR_ENTRIES, &entries, nullptr) != AL_OK)
      continue;
    enum al_code code = add_files(found, path, &entries, is_weight, err);
    al_dir_list_free(&entries);
    AL_TRY(code);
  }
  return AL_OK;
}

static enum al_code add_folder(const struct al_folder *folder, enum al_model_format format, struct al_found_list *list,
                               struct al_err *err)
{
  const char *id = folder->id[0] != '\0' ? folder->id : al_path_last(folder->path);
  const struct al_found_as as = { id, folder->path, format, folder->builtin };
  AL_TRY(al_found_add(list, &as, err));
  struct al_found *found = &list->items[list->count - 1];
  watch_config(found, folder->path);
  if (folder->is_adapter)
    return add_files(found, folder->path, folder->entries, is_adapter_weight, err);
  if (folder->is_pipeline)
    return add_components(found, folder, err);
  return add_files(found, folder->path, folder->entries, format == AL_FORMAT_PYTORCH ? is_pickle : is_weight_or_index,
                   err);
}

enum al_code al_folder_find(struct al_folder *folder, struct al_found_list *list, struct al_err *err)
{
  const struct contents seen = look(folder->entries);
  folder->is_pipeline = seen.has_pipeline;
  folder->is_adapter = seen.has_adapter_config && seen.has_adapter && !seen.has_hf_weights && !seen.has_pipeline;
  size_t before = list->count;
  if (folder->is_adapter)
    AL_TRY(add_folder(folder, AL_FORMAT_SAFETENSORS, list, err));
  else if (seen.has_pipeline || seen.has_hf_weights || (seen.has_config && seen.n_safetensors > 0))
    AL_TRY(add_folder(folder, AL_FORMAT_SAFETENSORS, list, err));
  else if (seen.has_config && seen.n_pickles > 0)
    AL_TRY(add_folder(folder, AL_FORMAT_PYTORCH, list, err));
  AL_TRY(find_ggmls(folder, list->count > before, list, err));
  return find_ggufs(folder, list, err);
}
