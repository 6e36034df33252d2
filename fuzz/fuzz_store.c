/* A hostile model in the store: described, if only by its problem, and never a crash. The input is, with zero bytes
 * between: config.json, model_index.json, adapter_config.json, modules.json, the index of shards; what follows is a
 * GGUF if it begins like one, otherwise the header of model.safetensors, whose size is written before it. */
#include "base/buf.h"
#include "base/log.h"
#include "directory.h"
#include "store/store.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  al_log_setup(AL_LOG_ERROR, false);
  directory_make();
  return 0;
}

static void write_weights(struct al_str rest)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  bool is_gguf = al_str_starts(rest, al_str("GGUF"));
  uint64_t size = rest.size;
  if (rest.size > 0)
    al_buf_add(&file, &size, sizeof size);
  al_buf_add(&file, rest.data, rest.size);
  directory_write("model.gguf", is_gguf ? rest : al_str(""), rest.size + 4096);
  directory_write("model.safetensors", is_gguf ? al_str("") : al_buf_view(&file), file.size + 4096);
}

static void check(const struct al_model_descriptor *model)
{
  require(model->id != nullptr && model->runtime != nullptr && model->architecture != nullptr &&
          model->quantisation != nullptr && model->base != nullptr);
  require(model->type < AL_TYPE_COUNT && model->format < AL_FORMAT_COUNT && model->n_parameters >= 0 &&
          model->n_ctx_train >= 0);
  require(model->problem.code == AL_OK || model->problem.message[0] != '\0');
  for (size_t i = 0; i < model->n_files; i++)
    require(al_str_starts(al_str(model->files[i]), al_str(directory)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const names[] = { "config.json", "model_index.json", "adapter_config.json", "modules.json",
                                       "model.safetensors.index.json" };
  struct al_str input = al_str_n((const char *)data, size);
  for (size_t i = 0; i < AL_COUNT(names); i++)
    directory_write(names[i], next_part(&input), 0);
  write_weights(input);
  AL_CLEANUP(al_store_free_p) struct al_store *store = nullptr;
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = nullptr;
  struct al_err err = {};
  require(al_store_new(&(struct al_store_options){}, &store, &err) == AL_OK);
  if (al_store_register_path(store, directory, &model, &err) == AL_OK)
    check(model);
  else
    require(err.message[0] != '\0' && err.code != AL_INTERNAL);
  return 0;
}
