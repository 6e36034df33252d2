#include "store/describe.h"

#include "base/alloc.h"
#include "os/file.h"
#include "store/family.h"

#include <stdio.h>

enum al_code al_describe_set(char **field, const char *text, struct al_err *err)
{
  char *copy = al_strdup(text);
  if (copy == nullptr)
    return al_fail_oom(err, strlen(text));
  al_free(*field);
  *field = copy;
  return AL_OK;
}

enum al_code al_describe_add_file(struct al_model_descriptor *model, const char *path, struct al_err *err)
{
  void *files = al_realloc(model->files, (model->n_files + 1) * sizeof *model->files);
  if (files == nullptr)
    return al_fail_oom(err, (model->n_files + 1) * sizeof *model->files);
  model->files = files;
  model->files[model->n_files] = nullptr;
  AL_TRY(al_describe_set(&model->files[model->n_files], path, err));
  model->n_files++;
  return AL_OK;
}

void al_describe_clear_files(struct al_model_descriptor *model)
{
  for (size_t i = 0; i < model->n_files; i++)
    al_free(model->files[i]);
  model->n_files = 0;
  model->size_bytes = 0;
}

void al_describe_problem(struct al_model_descriptor *model, enum al_code code, const char *format, ...)
{
  if (model->problem.code != AL_OK)
    return;
  va_list args;
  va_start(args, format);
  model->problem = (struct al_err){ .code = code };
  (void)vsnprintf(model->problem.message, sizeof model->problem.message, format, args);
  va_end(args);
}

enum al_code al_describe_failure(struct al_model_descriptor *model, const char *path, const struct al_err *failure,
                                 struct al_err *err)
{
  if (failure->code == AL_OOM_RAM)
    return al_fail(err, AL_OOM_RAM, "%s: %.400s", al_path_last(path), failure->message);
  const char *name = al_path_last(path);
  enum al_code code = failure->code == AL_INVALID_REQUEST ? AL_MODEL_CORRUPT : failure->code;
  if (code == AL_NOT_FOUND)
    al_describe_problem(model, AL_MODEL_CORRUPT, "%.200s is missing", name);
  else if (al_str_starts(al_str(failure->message), al_str(name)))
    al_describe_problem(model, code, "%s", failure->message);
  else
    al_describe_problem(model, code, "%.200s: %.300s", name, failure->message);
  return AL_OK;
}

enum al_code al_describe(struct al_model_descriptor *model, bool *is_hidden, struct al_err *err)
{
  *is_hidden = false;
  switch (model->format) {
  case AL_FORMAT_GGUF: AL_TRY(al_describe_gguf(model, is_hidden, err)); break;
  case AL_FORMAT_SAFETENSORS: AL_TRY(al_describe_safetensors(model, err)); break;
  case AL_FORMAT_PYTORCH:
    AL_TRY(al_describe_config(model, err));
    al_describe_problem(model, AL_UNSUPPORTED,
                        "%.200s holds PyTorch pickle weights, which can run any code when they are loaded; get this "
                        "model's safetensors files, or convert it to safetensors",
                        model->n_files > 0 ? al_path_last(model->files[0]) : model->directory);
    break;
  case AL_FORMAT_NONE: /* the voice alone */
    model->type = AL_TYPE_TTS;
    AL_TRY(al_describe_set(&model->architecture, "espeak-ng", err));
    break;
  case AL_FORMAT_GGML: AL_TRY(al_describe_ggml(model, is_hidden, err)); break;
  case AL_FORMAT_UNKNOWN:
  case AL_FORMAT_COUNT: al_describe_problem(model, AL_UNSUPPORTED, "no known model format"); break;
  }
  model->capabilities |= al_family_capabilities(model->type);
  return al_describe_set(&model->runtime, al_family_runtime(model->format, model->type, model->architecture), err);
}
