#include "engine/diffusion/files.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "codec/gguf_header.h"
#include "codec/safetensors_header.h"
#include "os/file.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

constexpr size_t MAX_FILES = 64;
constexpr size_t MAX_INDEX_BYTES = (size_t)16 << 20;
constexpr size_t MAX_GGUF_HEADER_BYTES = (size_t)64 << 20;

struct file {
  char *name; /* owned */
  int fd;
  enum al_sd_part part;
  uint64_t size_bytes;
  struct al_st_header *st;     /* one of the two */
  struct al_gguf_header *gguf; /* borrows head */
  struct al_buf head;
};

struct al_sd_files {
  bool is_single;
  size_t n;
  struct file files[MAX_FILES];
};

const char *al_sd_part_folder(enum al_sd_part part)
{
  static const char *const folders[] = { "unet", "vae", "text_encoder", "text_encoder_2" };
  return folders[part];
}

static enum al_code read_head(struct file *file, uint64_t size, struct al_err *err)
{
  al_buf_clear(&file->head);
  char *room = al_buf_room(&file->head, (size_t)size);
  if (room == nullptr)
    return al_fail_oom(err, (size_t)size);
  AL_TRY(al_file_read_at(file->fd, 0, room, (size_t)size, err));
  al_buf_grew(&file->head, (size_t)size);
  return AL_OK;
}

static enum al_code parse_safetensors(struct file *file, struct al_err *err)
{
  al_buf_init(&file->head, AL_ST_MAX_HEADER_BYTES + AL_ST_LENGTH_BYTES + 1);
  uint64_t need = 0;
  do {
    if (need > file->head.size)
      AL_TRY(read_head(file, need, err));
    AL_TRY(al_st_header_parse(al_buf_view(&file->head), file->size_bytes, &file->st, &need, err));
  } while (need > 0);
  al_buf_done(&file->head);
  return AL_OK;
}

static enum al_code parse_gguf(struct file *file, struct al_err *err)
{
  al_buf_init(&file->head, MAX_GGUF_HEADER_BYTES + 1);
  uint64_t size = AL_GGUF_FIRST_BYTES;
  for (;;) {
    size = size < file->size_bytes ? size : file->size_bytes;
    if (size > MAX_GGUF_HEADER_BYTES)
      return al_fail(err, AL_MODEL_CORRUPT, "a header of more than %zu bytes", MAX_GGUF_HEADER_BYTES);
    AL_TRY(read_head(file, size, err));
    uint64_t need = 0;
    AL_TRY(al_gguf_header_parse(al_buf_view(&file->head), file->size_bytes, &file->gguf, &need, err));
    if (need == 0)
      return AL_OK;
    size = need > 2 * size ? need : 2 * size;
  }
}

static enum al_code add_file(struct al_sd_files *files, enum al_sd_part part, const char *directory, const char *name,
                             struct al_err *err)
{
  if (files->n == MAX_FILES)
    return al_fail(err, AL_UNSUPPORTED, "a model of more than %zu files", MAX_FILES);
  char path[PATH_MAX];
  if (directory != nullptr)
    AL_TRY(al_path_join(path, sizeof path, directory, name, err));
  struct file *file = &files->files[files->n];
  *file = (struct file){ .name = al_strdup(directory != nullptr ? name : al_path_last(name)), .fd = -1, .part = part };
  files->n++;
  if (file->name == nullptr)
    return al_fail_oom(err, 0);
  enum al_code code = al_file_open(directory != nullptr ? path : name, &file->fd, &file->size_bytes, err);
  if (code == AL_NOT_FOUND)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is missing from the model's directory", file->name);
  if (code != AL_OK)
    return code;
  bool is_gguf = al_str_ends(al_str(name), al_str(".gguf"));
  code = is_gguf ? parse_gguf(file, err) : parse_safetensors(file, err);
  return code == AL_OK ? AL_OK : al_wrap(err, "%s", file->name);
}

static bool exists(const char *directory, const char *name)
{
  char path[PATH_MAX];
  struct al_file_info info;
  return al_path_join(path, sizeof path, directory, name, nullptr) == AL_OK &&
         al_file_stat(path, &info, nullptr) == AL_OK && info.is_regular;
}

/* The shards that an index names. */
static enum al_code add_shards(struct al_sd_files *files, enum al_sd_part part, const char *directory,
                               const char *index_name, struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, index_name, err));
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  al_buf_init(&json, MAX_INDEX_BYTES + 1);
  AL_TRY(al_file_read(path, MAX_INDEX_BYTES, &json, err));
  AL_CLEANUP(al_st_index_free_p) struct al_st_index *index = nullptr;
  enum al_code code = al_st_index_parse(al_buf_view(&json), &index, err);
  if (code != AL_OK)
    return al_wrap(err, "%s", index_name);
  for (size_t i = 0; i < al_st_index_n_files(index); i++) {
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s/%s", al_sd_part_folder(part), al_st_index_file(index, i)) >= (int)sizeof name)
      return al_fail(err, AL_MODEL_CORRUPT, "%s names a file with too long a name", index_name);
    AL_TRY(add_file(files, part, directory, name, err));
  }
  return AL_OK;
}

/* "unet/diffusion_pytorch_model.fp16.safetensors": as one file, or as an index; with the variant or without. */
static enum al_code add_part(struct al_sd_files *files, enum al_sd_part part, const char *directory, bool half,
                             struct al_err *err)
{
  const char *stem = part == AL_SD_TEXT || part == AL_SD_TEXT_2 ? "model" : "diffusion_pytorch_model";
  char names[4][128];
  const char *folder = al_sd_part_folder(part);
  (void)snprintf(names[0], sizeof names[0], "%s/%s.fp16.safetensors", folder, stem);
  (void)snprintf(names[1], sizeof names[1], "%s/%s.safetensors.index.fp16.json", folder, stem);
  (void)snprintf(names[2], sizeof names[2], "%s/%s.safetensors", folder, stem);
  (void)snprintf(names[3], sizeof names[3], "%s/%s.safetensors.index.json", folder, stem);
  for (size_t i = 0; i < 4; i++) {
    const char *name = names[half ? i : (i + 2) % 4];
    if (!exists(directory, name))
      continue;
    return al_str_ends(al_str(name), al_str(".json")) ? add_shards(files, part, directory, name, err)
                                                      : add_file(files, part, directory, name, err);
  }
  return al_fail(err, AL_MODEL_CORRUPT, "%s is missing from the model's directory", names[2]);
}

enum al_code al_sd_files_open_directory(const char *directory, int n_texts, bool half, struct al_sd_files **files,
                                        struct al_err *err)
{
  AL_CLEANUP(al_sd_files_close_p) struct al_sd_files *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  for (int part = 0; part < AL_SD_TEXT + n_texts; part++)
    AL_TRY(add_part(made, (enum al_sd_part)part, directory, half, err));
  *files = AL_TAKE(made);
  return AL_OK;
}

enum al_code al_sd_files_open_single(const char *path, struct al_sd_files **files, struct al_err *err)
{
  AL_CLEANUP(al_sd_files_close_p) struct al_sd_files *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->is_single = true;
  AL_TRY(add_file(made, AL_SD_UNET, nullptr, path, err));
  *files = AL_TAKE(made);
  return AL_OK;
}

void al_sd_files_close(struct al_sd_files *files)
{
  if (files == nullptr)
    return;
  for (size_t i = 0; i < files->n; i++) {
    struct file *file = &files->files[i];
    al_free(file->name);
    al_fd_close(&file->fd);
    al_st_header_free(file->st);
    al_gguf_header_free(file->gguf);
    al_buf_done(&file->head);
  }
  al_free(files);
}

bool al_sd_files_is_single(const struct al_sd_files *files)
{
  return files->is_single;
}

const char *al_sd_files_name(const struct al_sd_files *files, size_t file)
{
  assert(file < files->n);
  return files->files[file].name;
}

static bool find_safetensors(const struct al_st_header *header, const char *name, struct al_sd_stored *stored)
{
  const struct al_st_tensor *tensor = al_st_header_find(header, al_str(name));
  if (tensor == nullptr || tensor->n_dims > 4)
    return false;
  switch ((int)tensor->dtype) {
  case AL_ST_F32: stored->type = GGML_TYPE_F32; break;
  case AL_ST_F16: stored->type = GGML_TYPE_F16; break;
  case AL_ST_BF16: stored->type = GGML_TYPE_BF16; break;
  default: return false;
  }
  stored->n_dims = tensor->n_dims;
  for (int i = 0; i < 4; i++)
    stored->shape[i] = i < tensor->n_dims ? (int64_t)tensor->shape[i] : 1;
  stored->offset_bytes = tensor->offset_bytes;
  stored->size_bytes = tensor->size_bytes;
  return true;
}

static bool find_gguf(const struct al_gguf_header *header, const char *name, struct al_sd_stored *stored)
{
  const struct al_gguf_tensor *tensor = al_gguf_header_find_tensor(header, name);
  if (tensor == nullptr || tensor->type >= GGML_TYPE_COUNT)
    return false;
  stored->type = (enum ggml_type)tensor->type;
  bool is_float = stored->type == GGML_TYPE_F32 || stored->type == GGML_TYPE_F16 || stored->type == GGML_TYPE_BF16;
  if (!is_float && (!ggml_is_quantized(stored->type) || ggml_get_type_traits(stored->type)->to_float == nullptr))
    return false;
  stored->n_dims = tensor->n_dims;
  for (int i = 0; i < 4; i++)
    stored->shape[i] = i < tensor->n_dims ? (int64_t)tensor->ne[tensor->n_dims - 1 - i] : 1;
  stored->offset_bytes = tensor->offset_bytes;
  stored->size_bytes = tensor->size_bytes;
  return true;
}

bool al_sd_files_find(const struct al_sd_files *files, enum al_sd_part part, const char *name,
                      struct al_sd_stored *stored)
{
  for (size_t i = 0; i < files->n; i++) {
    const struct file *file = &files->files[i];
    if (!files->is_single && file->part != part)
      continue;
    stored->file = i;
    if (file->st != nullptr ? find_safetensors(file->st, name, stored) : find_gguf(file->gguf, name, stored))
      return true;
  }
  return false;
}

enum al_code al_sd_files_read(const struct al_sd_files *files, const struct al_sd_stored *stored, uint64_t offset,
                              void *bytes, size_t size, struct al_err *err)
{
  assert(offset <= stored->size_bytes && size <= stored->size_bytes - offset);
  const struct file *file = &files->files[stored->file];
  enum al_code code = al_file_read_at(file->fd, stored->offset_bytes + offset, bytes, size, err);
  return code == AL_OK ? AL_OK : al_wrap(err, "%s", file->name);
}
