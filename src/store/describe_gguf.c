#include "base/alloc.h"
#include "base/buf.h"
#include "codec/gguf_header.h"
#include "os/file.h"
#include "store/describe.h"
#include "store/family.h"

constexpr uint64_t MAX_HEADER_BYTES = (uint64_t)512 << 20;
constexpr uint64_t POOLING_RANK = 4; /* llama.cpp's LLAMA_POOLING_TYPE_RANK */

/* Reads ever larger pieces until the parser has the whole header. `bytes` must outlive the header. */
static enum al_code read_header(const char *path, struct al_buf *bytes, struct al_gguf_header **header,
                                struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t file_size = 0;
  AL_TRY(al_file_open(path, &fd, &file_size, err));
  uint64_t want = AL_GGUF_FIRST_BYTES;
  for (;;) {
    want = want < file_size ? want : file_size;
    char *room = al_buf_room(bytes, (size_t)want - bytes->size);
    if (room == nullptr)
      return al_fail_oom(err, (size_t)want);
    AL_TRY(al_file_read_at(fd, bytes->size, room, (size_t)want - bytes->size, err));
    al_buf_grew(bytes, (size_t)want - bytes->size);
    uint64_t need = 0;
    AL_TRY(al_gguf_header_parse(al_buf_view(bytes), file_size, header, &need, err));
    if (*header != nullptr)
      return AL_OK;
    if (need <= want || need > MAX_HEADER_BYTES)
      return al_fail(err, AL_MODEL_CORRUPT, "the header takes %llu bytes of %llu", (unsigned long long)need,
                     (unsigned long long)file_size);
    want = need > 2 * want ? need : 2 * want;
    want = want < MAX_HEADER_BYTES ? want : MAX_HEADER_BYTES;
  }
}

/* The base is named by its repository, or by its plain name. */
static enum al_code take_adapter(struct al_model_descriptor *model, const struct al_gguf_header *header,
                                 struct al_err *err)
{
  model->type = AL_TYPE_ADAPTER;
  struct al_str base = {};
  if (!al_gguf_header_str(header, "general.base_model.0.repo_url", &base))
    (void)al_gguf_header_str(header, "general.base_model.0.name", &base);
  char *name = al_strndup(base.data != nullptr ? base.data : "", base.size);
  if (name == nullptr)
    return al_fail_oom(err, base.size);
  al_free(model->base);
  model->base = name;
  return AL_OK;
}

/* The first part carries what concerns the whole model. */
static enum al_code take_metadata(struct al_model_descriptor *model, const struct al_gguf_header *header,
                                  bool *is_hidden, struct al_err *err)
{
  struct al_str architecture = {};
  if (!al_gguf_header_str(header, "general.architecture", &architecture) || architecture.size == 0) {
    al_describe_problem(model, AL_MODEL_CORRUPT, "%.200s has no general.architecture", al_path_last(model->files[0]));
    return AL_OK;
  }
  char *name = al_strndup(architecture.data, architecture.size);
  if (name == nullptr)
    return al_fail_oom(err, architecture.size);
  al_free(model->architecture);
  model->architecture = name;
  struct al_str kind = {};
  if (al_gguf_header_str(header, "general.type", &kind) && al_str_is(kind, "adapter"))
    return take_adapter(model, header, err);
  *is_hidden = al_family_is_projector(architecture);
  model->type = al_family_of_gguf(architecture);
  uint64_t value = 0;
  if (al_gguf_header_arch_u64(header, "pooling_type", &value) && value > 0) {
    model->type = AL_TYPE_EMBEDDING;
    if (value == POOLING_RANK)
      model->capabilities |= AL_CAN_RERANK;
  }
  if (al_gguf_header_arch_u64(header, "context_length", &value) && value <= (uint64_t)INT64_MAX)
    model->n_ctx_train = (int64_t)value;
  return AL_OK;
}

/* The parts number themselves; a renamed or foreign part shows here. */
static void check_part(struct al_model_descriptor *model, const struct al_gguf_header *header, size_t index)
{
  uint64_t count = 1, number = 0;
  (void)al_gguf_header_u64(header, "split.count", &count);
  (void)al_gguf_header_u64(header, "split.no", &number);
  count = count > 0 ? count : 1;
  if (count != model->n_files || number != index)
    al_describe_problem(model, AL_MODEL_CORRUPT,
                        "%.200s is part %llu of %llu by its own word, but part %zu of %zu here",
                        al_path_last(model->files[index]), (unsigned long long)number + 1, (unsigned long long)count,
                        index + 1, model->n_files);
}

static enum al_code describe_part(struct al_model_descriptor *model, size_t index, uint64_t *most_parameters,
                                  bool *is_hidden, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  al_buf_init(&bytes, MAX_HEADER_BYTES);
  AL_CLEANUP(al_gguf_header_free_p) struct al_gguf_header *header = nullptr;
  struct al_err failure = {};
  if (read_header(model->files[index], &bytes, &header, &failure) != AL_OK)
    return al_describe_failure(model, model->files[index], &failure, err);
  if (index == 0)
    AL_TRY(take_metadata(model, header, is_hidden, err));
  check_part(model, header, index);
  uint64_t n_parameters = al_gguf_header_n_parameters(header);
  model->n_parameters += (int64_t)n_parameters;
  if (n_parameters <= *most_parameters)
    return AL_OK;
  *most_parameters = n_parameters;
  return al_describe_set(&model->quantisation, al_gguf_header_main_type(header), err);
}

enum al_code al_describe_gguf(struct al_model_descriptor *model, bool *is_hidden, struct al_err *err)
{
  uint64_t most_parameters = 0;
  for (size_t i = 0; i < model->n_files; i++)
    AL_TRY(describe_part(model, i, &most_parameters, is_hidden, err));
  return AL_OK;
}
