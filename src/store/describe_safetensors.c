/* Which files hold the weights (model.safetensors; else what the index names; else every *.safetensors), and whether
 * their headers agree with it. */
#include "base/alloc.h"
#include "base/buf.h"
#include "codec/safetensors_header.h"
#include "os/file.h"
#include "store/describe.h"
#include "store/model_id.h"

#include <stdckdint.h>
#include <stdio.h>

constexpr size_t MAX_INDEX_BYTES = 64 << 20;
constexpr size_t MAX_FILES = 4096;
constexpr size_t MAX_PATH = 4096;

struct reading {
  struct al_model_descriptor *model;
  struct al_st_index *index; /* nullptr without one */
  uint64_t n_elements[AL_ST_DTYPE_COUNT];
};

static void reading_done(struct reading *reading)
{
  al_st_index_free(reading->index);
}

/* The length first, then the whole header. */
static enum al_code read_header(const char *path, struct al_st_header **header, uint64_t *size_bytes,
                                struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = -1;
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  al_buf_init(&bytes, AL_ST_MAX_HEADER_BYTES + AL_ST_LENGTH_BYTES);
  AL_TRY(al_file_open(path, &fd, size_bytes, err));
  uint64_t want = AL_ST_LENGTH_BYTES;
  for (;;) {
    want = want < *size_bytes ? want : *size_bytes;
    char *room = al_buf_room(&bytes, (size_t)want - bytes.size);
    if (room == nullptr)
      return al_fail_oom(err, (size_t)want);
    AL_TRY(al_file_read_at(fd, bytes.size, room, (size_t)want - bytes.size, err));
    al_buf_grew(&bytes, (size_t)want - bytes.size);
    uint64_t need = 0;
    AL_TRY(al_st_header_parse(al_buf_view(&bytes), *size_bytes, header, &need, err));
    if (*header != nullptr)
      return AL_OK;
    if (need <= want)
      return al_fail(err, AL_MODEL_CORRUPT, "the header is cut off");
    want = need;
  }
}

/* Every tensor that the index places in this file must be in it. */
static void check_against_index(const struct reading *reading, size_t number, const struct al_st_header *header)
{
  size_t at = 0, file;
  struct al_str tensor;
  while (al_st_index_next(reading->index, &at, &tensor, &file)) {
    if (file != number || al_st_header_find(header, tensor) != nullptr)
      continue;
    al_describe_problem(reading->model, AL_MODEL_CORRUPT, "%.200s lacks the tensor %.*s that the index places in it",
                        al_st_index_file(reading->index, number), (int)al_min_size(tensor.size, 150), tensor.data);
    return;
  }
}

/* MXFP4 packs two parameters into a byte of "<name>_blocks"; its scales are none. */
static uint64_t n_parameters(const struct reading *reading, const struct al_st_tensor *tensor)
{
  if (tensor->dtype != AL_ST_U8 || strcmp(reading->model->quantisation, "MXFP4") != 0)
    return tensor->n_elements;
  return al_str_ends(tensor->name, al_str("_blocks")) ? 2 * tensor->n_elements : 0;
}

static void count_elements(struct reading *reading, const struct al_st_header *header)
{
  for (size_t i = 0; i < al_st_header_n_tensors(header); i++) {
    const struct al_st_tensor *tensor = al_st_header_tensor(header, i);
    reading->n_elements[tensor->dtype] += tensor->n_elements;
    int64_t total;
    if (!ckd_add(&total, reading->model->n_parameters, n_parameters(reading, tensor)))
      reading->model->n_parameters = total;
  }
}

/* With an index, the n-th file of the model is the n-th of the index. */
static enum al_code read_weights(struct reading *reading, size_t number, struct al_err *err)
{
  const char *path = reading->model->files[number];
  AL_CLEANUP(al_st_header_free_p) struct al_st_header *header = nullptr;
  struct al_err failure = {};
  uint64_t size_bytes = 0;
  enum al_code code = read_header(path, &header, &size_bytes, &failure);
  reading->model->size_bytes += size_bytes;
  if (code != AL_OK)
    return al_describe_failure(reading->model, path, &failure, err);
  count_elements(reading, header);
  if (reading->index != nullptr)
    check_against_index(reading, number, header);
  return AL_OK;
}

static enum al_code read_index(struct reading *reading, const char *path, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err failure = {};
  enum al_code code = al_file_read(path, MAX_INDEX_BYTES, &text, &failure);
  if (code == AL_OK)
    code = al_st_index_parse(al_buf_view(&text), &reading->index, &failure);
  return code == AL_OK ? AL_OK : al_describe_failure(reading->model, path, &failure, err);
}

static enum al_code take_index_files(struct reading *reading, struct al_err *err)
{
  struct al_model_descriptor *model = reading->model;
  al_describe_clear_files(model);
  if (al_st_index_n_files(reading->index) > MAX_FILES)
    al_describe_problem(model, AL_MODEL_CORRUPT, "the index names more than %zu files", MAX_FILES);
  for (size_t i = 0; i < al_min_size(al_st_index_n_files(reading->index), MAX_FILES); i++) {
    char path[MAX_PATH];
    struct al_err failure = {};
    const char *name = al_st_index_file(reading->index, i);
    if (al_path_join(path, sizeof path, model->directory, name, &failure) != AL_OK)
      return al_describe_failure(model, name, &failure, err);
    AL_TRY(al_describe_add_file(model, path, err));
  }
  return AL_OK;
}

static enum al_code keep_only(struct al_model_descriptor *model, size_t kept, struct al_err *err)
{
  AL_CLEANUP(al_free_p) char *path = al_strdup(model->files[kept]);
  if (path == nullptr)
    return al_fail_oom(err, MAX_PATH);
  al_describe_clear_files(model);
  return al_describe_add_file(model, path, err);
}

/* Without an index the names of the parts tell how many there should be. */
static void check_parts(struct al_model_descriptor *model)
{
  struct al_part part;
  if (model->n_files == 0 || !al_part_parse(al_path_last(model->files[0]), ".safetensors", &part))
    return;
  size_t at = 0; /* both run in the order of names */
  for (int number = 1; number <= part.count; number++) {
    char name[512];
    (void)snprintf(name, sizeof name, "%.*s-%05d-of-%05d.safetensors", (int)part.set.size, part.set.data, number,
                   part.count);
    while (at < model->n_files && strcmp(al_path_last(model->files[at]), name) < 0)
      at++;
    if (at < model->n_files && strcmp(al_path_last(model->files[at]), name) == 0)
      continue;
    al_describe_problem(model, AL_MODEL_CORRUPT, "%.200s is missing", name);
    return;
  }
}

static bool is_weight(const char *path)
{
  return al_str_ends(al_str(path), al_str(".safetensors"));
}

/* The walk listed every *.safetensors and *.safetensors.index.json; this leaves the weights alone. */
static enum al_code choose_files(struct reading *reading, struct al_err *err)
{
  struct al_model_descriptor *model = reading->model;
  const char *index = nullptr;
  for (size_t i = 0; i < model->n_files; i++) {
    const char *name = al_path_last(model->files[i]);
    if (strcmp(name, "model.safetensors") == 0)
      return keep_only(model, i, err);
    if (!is_weight(name) && (index == nullptr || strcmp(name, "model.safetensors.index.json") == 0))
      index = model->files[i];
  }
  if (index != nullptr) {
    AL_TRY(read_index(reading, index, err));
    if (reading->index != nullptr)
      return take_index_files(reading, err);
  }
  size_t kept = 0;
  for (size_t i = 0; i < model->n_files; i++) {
    if (is_weight(model->files[i]))
      model->files[kept++] = model->files[i];
    else
      al_free(model->files[i]);
  }
  model->n_files = kept;
  model->size_bytes = 0;
  check_parts(model);
  return AL_OK;
}

enum al_code al_describe_safetensors(struct al_model_descriptor *model, struct al_err *err)
{
  AL_CLEANUP(reading_done) struct reading reading = { .model = model };
  bool is_adapter = model->n_files == 1 && strcmp(al_path_last(model->files[0]), AL_ADAPTER_WEIGHTS) == 0;
  AL_TRY(is_adapter ? al_describe_adapter(model, err) : al_describe_config(model, err));
  if (model->type != AL_TYPE_IMAGE && !is_adapter)
    AL_TRY(choose_files(&reading, err));
  model->size_bytes = 0;
  for (size_t i = 0; i < model->n_files; i++)
    AL_TRY(read_weights(&reading, i, err));
  if (model->n_files == 0)
    al_describe_problem(model, AL_MODEL_CORRUPT, "%.200s names no weights", al_path_last(model->directory));
  int most = 0;
  for (int type = 1; type < AL_ST_DTYPE_COUNT; type++)
    if (reading.n_elements[type] > reading.n_elements[most])
      most = type;
  if (model->quantisation[0] != '\0' || reading.n_elements[most] == 0)
    return AL_OK;
  return al_describe_set(&model->quantisation, al_st_dtype_name((enum al_st_dtype)most), err);
}
