/* model.safetensors.index.json: which shard holds which tensor. */
#include "base/alloc.h"
#include "base/map.h"
#include "codec/json.h"
#include "codec/safetensors_header.h"

#include <stdlib.h>

constexpr size_t MAX_ENTRIES = 1 << 18;
constexpr size_t MAX_FILES = 4096;
constexpr size_t MAX_FILE_NAME_BYTES = 255;

struct entry {
  struct al_str tensor;
  size_t file;
};

struct al_st_index {
  struct al_json_doc *doc; /* owns the tensors' names */
  struct entry *entries;
  size_t n_entries;
  struct al_map *entry_of;
  char **files; /* sorted */
  size_t n_files;
};

static enum al_code check_file_name(struct al_str name, struct al_str tensor, struct al_err *err)
{
  bool plain = name.size > 0 && name.size <= MAX_FILE_NAME_BYTES && memchr(name.data, '/', name.size) == nullptr &&
               memchr(name.data, '\\', name.size) == nullptr && memchr(name.data, '\0', name.size) == nullptr &&
               name.data[0] != '.' && al_str_ends(name, al_str(".safetensors"));
  if (plain)
    return AL_OK;
  return al_fail(err, AL_MODEL_CORRUPT, "the index puts tensor \"%.*s\" into \"%.*s\", not a plain .safetensors name",
                 (int)al_min_size(tensor.size, 128), tensor.data, (int)al_min_size(name.size, 64),
                 name.size > 0 ? name.data : "");
}

static int by_name(const void *left, const void *right)
{
  const char *const *a = left;
  const char *const *b = right;
  return strcmp(*a, *b);
}

/* The distinct file names of the weight map, sorted. */
static enum al_code collect_files(struct al_st_index *index, const struct al_json *weight_map, struct al_err *err)
{
  AL_CLEANUP(al_map_free_p) struct al_map *seen = al_map_new(MAX_FILES);
  index->files = al_calloc(MAX_FILES, sizeof *index->files);
  if (seen == nullptr || index->files == nullptr)
    return al_fail_oom(err, MAX_FILES * sizeof *index->files);
  struct al_json_iter it = al_json_iter(weight_map);
  while (al_json_next(&it)) {
    struct al_str name = al_json_str(it.value);
    AL_TRY(check_file_name(name, it.key, err));
    if (al_map_has(seen, name))
      continue;
    if (index->n_files == MAX_FILES)
      return al_fail(err, AL_MODEL_CORRUPT, "the index names more than %zu files", MAX_FILES);
    char *copy = al_strndup(name.data, name.size);
    if (copy == nullptr)
      return al_fail_oom(err, name.size);
    index->files[index->n_files++] = copy;
    AL_TRY(al_map_set(seen, name, index, err));
  }
  qsort(index->files, index->n_files, sizeof *index->files, by_name);
  return AL_OK;
}

static size_t file_number(const struct al_st_index *index, struct al_str name)
{
  size_t low = 0;
  size_t high = index->n_files;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    const char *other = index->files[middle];
    size_t n = strlen(other);
    int order = memcmp(other, name.data, al_min_size(n, name.size));
    if (order < 0 || (order == 0 && n <= name.size))
      low = middle;
    else
      high = middle;
  }
  return low;
}

static enum al_code collect_entries(struct al_st_index *index, const struct al_json *weight_map, struct al_err *err)
{
  size_t n = al_json_count(weight_map);
  if (n == 0 || n > MAX_ENTRIES)
    return al_fail(err, AL_MODEL_CORRUPT, "the index names %zu tensors, 1 to %zu are allowed", n, MAX_ENTRIES);
  index->entries = al_calloc(n, sizeof *index->entries);
  index->entry_of = al_map_new(n);
  if (index->entries == nullptr || index->entry_of == nullptr)
    return al_fail_oom(err, n * sizeof *index->entries);
  struct al_json_iter it = al_json_iter(weight_map);
  while (al_json_next(&it)) {
    struct entry *entry = &index->entries[index->n_entries++];
    *entry = (struct entry){ it.key, file_number(index, al_json_str(it.value)) };
    AL_TRY(al_map_set(index->entry_of, it.key, entry, err));
  }
  return AL_OK;
}

enum al_code al_st_index_parse(struct al_str json, struct al_st_index **index, struct al_err *err)
{
  AL_CLEANUP(al_st_index_free_p) struct al_st_index *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  struct al_err cause = {};
  enum al_code code = al_json_parse(json, &made->doc, &cause);
  if (code != AL_OK)
    return al_fail(err, code == AL_INVALID_REQUEST ? AL_MODEL_CORRUPT : code, "the index is not valid JSON: %s",
                   cause.message);
  const struct al_json *weight_map = al_json_get(al_json_root(made->doc), "weight_map");
  if (al_json_kind(weight_map) != AL_JSON_OBJECT)
    return al_fail(err, AL_MODEL_CORRUPT, "the index has no weight_map object");
  AL_TRY(collect_files(made, weight_map, err));
  AL_TRY(collect_entries(made, weight_map, err));
  *index = AL_TAKE(made);
  return AL_OK;
}

void al_st_index_free(struct al_st_index *index)
{
  if (index == nullptr)
    return;
  for (size_t i = 0; i < index->n_files; i++)
    al_free(index->files[i]);
  al_free(index->files);
  al_map_free(index->entry_of);
  al_free(index->entries);
  al_json_doc_free(index->doc);
  al_free(index);
}

size_t al_st_index_n_files(const struct al_st_index *index)
{
  return index->n_files;
}

const char *al_st_index_file(const struct al_st_index *index, size_t file)
{
  return file < index->n_files ? index->files[file] : nullptr;
}

size_t al_st_index_n_tensors(const struct al_st_index *index)
{
  return index->n_entries;
}

bool al_st_index_find(const struct al_st_index *index, struct al_str tensor, size_t *file)
{
  const struct entry *entry = al_map_get(index->entry_of, tensor);
  if (entry == nullptr)
    return false;
  *file = entry->file;
  return true;
}

bool al_st_index_next(const struct al_st_index *index, size_t *at, struct al_str *tensor, size_t *file)
{
  if (*at >= index->n_entries)
    return false;
  *tensor = index->entries[*at].tensor;
  *file = index->entries[(*at)++].file;
  return true;
}
