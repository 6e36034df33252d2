/* Files of whisper.cpp. Others have their ending too, so the first bytes decide whether there is a model at all. */
#include "codec/parakeet_file.h"
#include "codec/whisper_file.h"
#include "os/file.h"
#include "store/describe.h"
#include "store/folder.h"

static enum al_code read_file(void *user, uint64_t offset, void *bytes, size_t size, struct al_err *err)
{
  return al_file_read_at(*(const int *)user, offset, bytes, size, err);
}

static enum al_code kind_of(int fd, uint64_t size_bytes, enum al_ggml_kind *kind, struct al_err *err)
{
  char head[AL_GGML_HEAD_BYTES];
  size_t size = size_bytes < sizeof head ? (size_t)size_bytes : sizeof head;
  AL_TRY(al_file_read_at(fd, 0, head, size, err));
  *kind = al_ggml_kind_of(al_str_n(head, size));
  return AL_OK;
}

/* Walks through the whole file by the heads of its tensors: one that was cut off while it was fetched shows here. */
static enum al_code take_whisper(struct al_model_descriptor *model, int fd, uint64_t size_bytes, struct al_err *failure,
                                 struct al_err *err)
{
  const struct al_ggml_reader reader = { read_file, &fd, size_bytes };
  struct al_whisper_file file;
  AL_TRY(al_describe_set(&model->architecture, "whisper", err));
  model->type = AL_TYPE_STT;
  if (al_whisper_file_check(&reader, &file, failure) != AL_OK)
    return AL_OK;
  model->n_parameters = (int64_t)al_whisper_n_parameters(&file.sizes);
  model->n_ctx_train = file.sizes.n_text_ctx;
  return al_describe_set(&model->quantisation, al_whisper_type_of_ftype(file.sizes.ftype)->name, err);
}

static enum al_code take_parakeet(struct al_model_descriptor *model, int fd, uint64_t size_bytes,
                                  struct al_err *failure, struct al_err *err)
{
  const struct al_ggml_reader reader = { read_file, &fd, size_bytes };
  struct al_parakeet_file file;
  AL_TRY(al_describe_set(&model->architecture, "parakeet", err));
  model->type = AL_TYPE_STT;
  if (al_parakeet_file_check(&reader, &file, failure) != AL_OK)
    return AL_OK;
  model->n_parameters = (int64_t)al_parakeet_n_parameters(&file.sizes);
  return al_describe_set(&model->quantisation, al_whisper_type_of_ftype(file.sizes.ftype)->name, err);
}

/* Its name says that it should be one. */
static enum al_code take_foreign(struct al_model_descriptor *model, bool *is_hidden)
{
  const char *name = al_path_last(model->files[0]);
  *is_hidden = !al_folder_is_ggml_name(name);
  model->type = AL_TYPE_STT;
  al_describe_problem(model, AL_MODEL_CORRUPT, "%.200s is no file of whisper.cpp, or its beginning is damaged", name);
  return AL_OK;
}

static enum al_code describe(struct al_model_descriptor *model, bool *is_hidden, struct al_err *failure,
                             struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t size_bytes = 0;
  enum al_ggml_kind kind = AL_GGML_FOREIGN;
  if (al_file_open(model->files[0], &fd, &size_bytes, failure) != AL_OK ||
      kind_of(fd, size_bytes, &kind, failure) != AL_OK)
    return AL_OK;
  switch (kind) {
  case AL_GGML_WHISPER: return take_whisper(model, fd, size_bytes, failure, err);
  case AL_GGML_PARAKEET: return take_parakeet(model, fd, size_bytes, failure, err);
  case AL_GGML_VAD: *is_hidden = true; return AL_OK;
  case AL_GGML_FOREIGN:
  case AL_GGML_OTHER: break;
  }
  return take_foreign(model, is_hidden);
}

enum al_code al_describe_ggml(struct al_model_descriptor *model, bool *is_hidden, struct al_err *err)
{
  struct al_err failure = {};
  if (model->n_files == 0)
    return AL_OK;
  AL_TRY(describe(model, is_hidden, &failure, err));
  return failure.code == AL_OK ? AL_OK : al_describe_failure(model, model->files[0], &failure, err);
}
