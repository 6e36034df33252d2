#include "engine/safetensors/hf_weights.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "os/file.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

constexpr char INDEX_NAME[] = "model.safetensors.index.json";
constexpr char SINGLE_NAME[] = "model.safetensors";
constexpr size_t MAX_INDEX_BYTES = (size_t)64 << 20;
constexpr size_t MAX_TENSORS = 1 << 18;
constexpr size_t MAX_DIRECTORY_ENTRIES = 4096;

struct shard {
  char *name; /* owned; without the directory */
  int fd;
  uint64_t size_bytes;
  struct al_st_header *header;
};

struct al_hf_weights {
  struct shard *shards;
  size_t n_shards;
  struct al_map *shard_of; /* tensor name -> struct shard */
};

static enum al_code read_head(const struct shard *shard, uint64_t size, struct al_buf *head, struct al_err *err)
{
  al_buf_clear(head);
  char *room = al_buf_room(head, (size_t)size);
  if (room == nullptr)
    return al_fail_oom(err, (size_t)size);
  AL_TRY(al_file_read_at(shard->fd, 0, room, (size_t)size, err));
  al_buf_grew(head, (size_t)size);
  return AL_OK;
}

static enum al_code parse_header(struct shard *shard, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf head = {};
  al_buf_init(&head, AL_ST_MAX_HEADER_BYTES + AL_ST_LENGTH_BYTES + 1);
  uint64_t need = 0;
  do {
    if (need > head.size)
      AL_TRY(read_head(shard, need, &head, err));
    AL_TRY(al_st_header_parse(al_buf_view(&head), shard->size_bytes, &shard->header, &need, err));
  } while (need > 0);
  return AL_OK;
}

static enum al_code open_shard(const char *directory, struct shard *shard, struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, shard->name, err));
  enum al_code code = al_file_open(path, &shard->fd, &shard->size_bytes, err);
  if (code == AL_NOT_FOUND)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is missing from the model's directory", shard->name);
  if (code != AL_OK)
    return code;
  code = parse_header(shard, err);
  if (code != AL_OK)
    (void)al_wrap(err, "%s", shard->name);
  return code;
}

static enum al_code register_tensors(struct al_hf_weights *weights, struct shard *shard, struct al_err *err)
{
  for (size_t i = 0; i < al_st_header_n_tensors(shard->header); i++) {
    struct al_str name = al_st_header_tensor(shard->header, i)->name;
    if (al_map_has(weights->shard_of, name))
      return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%.*s\" stands in another file too", shard->name,
                     (int)name.size, name.data);
    AL_TRY(al_map_set(weights->shard_of, name, shard, err));
  }
  return AL_OK;
}

static enum al_code open_all(const char *directory, struct al_hf_weights *weights, struct al_err *err)
{
  for (size_t i = 0; i < weights->n_shards; i++) {
    AL_TRY(open_shard(directory, &weights->shards[i], err));
    AL_TRY(register_tensors(weights, &weights->shards[i], err));
  }
  return AL_OK;
}

static enum al_code add_shard(struct al_hf_weights *weights, const char *name, struct al_err *err)
{
  struct shard *shard = &weights->shards[weights->n_shards];
  *shard = (struct shard){ .name = al_strdup(name), .fd = -1 };
  if (shard->name == nullptr)
    return al_fail_oom(err, 0);
  weights->n_shards++;
  return AL_OK;
}

/* "model-00001-of-00003.safetensors" says that there are three. */
static enum al_code check_shard_count(const struct al_hf_weights *weights, struct al_err *err)
{
  for (size_t i = 0; i < weights->n_shards; i++) {
    const char *of = strstr(weights->shards[i].name, "-of-");
    unsigned n = 0;
    if (of == nullptr || sscanf(of, "-of-%5u.safetensors", &n) != 1)
      continue;
    if (n != weights->n_shards)
      return al_fail(err, AL_MODEL_CORRUPT, "%s is one of %u files, but the model has %zu", weights->shards[i].name, n,
                     weights->n_shards);
  }
  return AL_OK;
}

static enum al_code check_index(const struct al_hf_weights *weights, const struct al_st_index *index,
                                struct al_err *err)
{
  size_t at = 0;
  size_t file;
  struct al_str tensor;
  while (al_st_index_next(index, &at, &tensor, &file))
    if (al_st_header_find(weights->shards[file].header, tensor) == nullptr)
      return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%.*s\" is missing, although %s puts it there",
                     weights->shards[file].name, (int)al_min_size(tensor.size, 200), tensor.data, INDEX_NAME);
  return AL_OK;
}

static enum al_code open_indexed(const char *directory, const struct al_st_index *index, struct al_hf_weights *weights,
                                 struct al_err *err)
{
  size_t n = al_st_index_n_files(index);
  weights->shards = al_calloc(n, sizeof *weights->shards);
  if (weights->shards == nullptr)
    return al_fail_oom(err, n * sizeof *weights->shards);
  for (size_t i = 0; i < n; i++)
    AL_TRY(add_shard(weights, al_st_index_file(index, i), err));
  AL_TRY(check_shard_count(weights, err));
  AL_TRY(open_all(directory, weights, err));
  return check_index(weights, index, err);
}

/* Without an index: model.safetensors, or the only such file there is, or numbered shards that are all there. */
static enum al_code choose_files(const char *directory, struct al_hf_weights *weights, struct al_err *err)
{
  AL_CLEANUP(al_dir_list_free) struct al_dir_list list = {};
  AL_TRY(al_dir_list(directory, MAX_DIRECTORY_ENTRIES, &list, err));
  weights->shards = al_calloc(list.count, sizeof *weights->shards);
  if (weights->shards == nullptr)
    return al_fail_oom(err, list.count * sizeof *weights->shards);
  for (size_t i = 0; i < list.count; i++)
    if (al_streq(list.items[i].name, SINGLE_NAME))
      return add_shard(weights, SINGLE_NAME, err);
  bool numbered = true;
  for (size_t i = 0; i < list.count; i++) {
    if (list.items[i].is_directory || !al_str_ends(al_str(list.items[i].name), al_str(".safetensors")))
      continue;
    AL_TRY(add_shard(weights, list.items[i].name, err));
    numbered = numbered && strstr(list.items[i].name, "-of-") != nullptr;
  }
  if (weights->n_shards == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is missing from the model's directory", SINGLE_NAME);
  if (weights->n_shards > 1 && !numbered)
    return al_fail(err, AL_MODEL_CORRUPT, "several .safetensors files, but no %s joins them", INDEX_NAME);
  return check_shard_count(weights, err);
}

static enum al_code read_index(const char *directory, struct al_st_index **index, struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, INDEX_NAME, err));
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  al_buf_init(&json, MAX_INDEX_BYTES + 1);
  struct al_err cause = {};
  enum al_code code = al_file_read(path, MAX_INDEX_BYTES, &json, &cause);
  if (code == AL_NOT_FOUND)
    return AL_OK;
  if (code != AL_OK)
    return al_fail(err, code == AL_INVALID_REQUEST ? AL_MODEL_CORRUPT : code, "%s", cause.message);
  code = al_st_index_parse(al_buf_view(&json), index, err);
  if (code != AL_OK)
    (void)al_wrap(err, "%s", INDEX_NAME);
  return code;
}

enum al_code al_hf_weights_open(const char *directory, struct al_hf_weights **weights, struct al_err *err)
{
  AL_CLEANUP(al_st_index_free_p) struct al_st_index *index = nullptr;
  AL_TRY(read_index(directory, &index, err));
  AL_CLEANUP(al_hf_weights_close_p) struct al_hf_weights *made = al_calloc(1, sizeof *made);
  if (made == nullptr || (made->shard_of = al_map_new(MAX_TENSORS)) == nullptr)
    return al_fail_oom(err, sizeof *made);
  if (index != nullptr) {
    AL_TRY(open_indexed(directory, index, made, err));
  } else {
    AL_TRY(choose_files(directory, made, err));
    AL_TRY(open_all(directory, made, err));
  }
  *weights = AL_TAKE(made);
  return AL_OK;
}

void al_hf_weights_close(struct al_hf_weights *weights)
{
  if (weights == nullptr)
    return;
  for (size_t i = 0; i < weights->n_shards; i++) {
    al_free(weights->shards[i].name);
    al_fd_close(&weights->shards[i].fd);
    al_st_header_free(weights->shards[i].header);
  }
  al_free(weights->shards);
  al_map_free(weights->shard_of);
  al_free(weights);
}

struct al_hf_source al_hf_weights_find(const struct al_hf_weights *weights, const char *name)
{
  const struct shard *shard = al_map_get(weights->shard_of, al_str(name));
  if (shard == nullptr)
    return (struct al_hf_source){};
  return (struct al_hf_source){ al_st_header_find(shard->header, al_str(name)), (size_t)(shard - weights->shards) };
}

size_t al_hf_weights_n_files(const struct al_hf_weights *weights)
{
  return weights->n_shards;
}

const char *al_hf_weights_file_name(const struct al_hf_weights *weights, size_t file)
{
  assert(file < weights->n_shards);
  return weights->shards[file].name;
}

const struct al_st_header *al_hf_weights_header(const struct al_hf_weights *weights, size_t file)
{
  assert(file < weights->n_shards);
  return weights->shards[file].header;
}

enum al_code al_hf_weights_read(const struct al_hf_weights *weights, struct al_hf_source source, uint64_t offset,
                                void *bytes, size_t size, struct al_err *err)
{
  const struct shard *shard = &weights->shards[source.file];
  assert(offset <= source.tensor->size_bytes && size <= source.tensor->size_bytes - offset);
  enum al_code code = al_file_read_at(shard->fd, source.tensor->offset_bytes + offset, bytes, size, err);
  if (code != AL_OK)
    (void)al_wrap(err, "%s, tensor \"%.*s\"", shard->name, (int)al_min_size(source.tensor->name.size, 200),
                  source.tensor->name.data);
  return code;
}
