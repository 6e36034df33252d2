/* Fills a descriptor from the files it names: headers and config files, each bounded. Private to src/store.
 *
 * What is wrong with the files goes into model->problem (the first thing stays); only memory running out is an error.
 */
#ifndef AL_STORE_DESCRIBE_H
#define AL_STORE_DESCRIBE_H

#include "store/descriptor.h"

/* A LoRA adapter as the peft library writes it. */
constexpr char AL_ADAPTER_CONFIG[] = "adapter_config.json";
constexpr char AL_ADAPTER_WEIGHTS[] = "adapter_model.safetensors";

/* *is_hidden: a file that is no model of its own (a vision projector). */
enum al_code al_describe(struct al_model_descriptor *model, bool *is_hidden, struct al_err *err);

/* One for each format. */
enum al_code al_describe_gguf(struct al_model_descriptor *model, bool *is_hidden, struct al_err *err);
/* A .bin file: hidden when it is of another format, or a part of another model. */
enum al_code al_describe_ggml(struct al_model_descriptor *model, bool *is_hidden, struct al_err *err);
enum al_code al_describe_safetensors(struct al_model_descriptor *model, struct al_err *err);

/* Type, context length and the like from config.json of model->directory, or model_index.json of a pipeline. */
enum al_code al_describe_config(struct al_model_descriptor *model, struct al_err *err);
/* An adapter's kind and base from adapter_config.json. */
enum al_code al_describe_adapter(struct al_model_descriptor *model, struct al_err *err);

/* Replaces *field by a copy. */
enum al_code al_describe_set(char **field, const char *text, struct al_err *err);
enum al_code al_describe_add_file(struct al_model_descriptor *model, const char *path, struct al_err *err);
void al_describe_clear_files(struct al_model_descriptor *model);

/* Records a problem unless there is one. */
AL_PRINTF(3, 4) void al_describe_problem(struct al_model_descriptor *model, enum al_code code, const char *format, ...);
/* Records `failure`, met with the file `path`, likewise; passes AL_OOM_RAM on as an error, returns AL_OK otherwise. */
enum al_code al_describe_failure(struct al_model_descriptor *model, const char *path, const struct al_err *failure,
                                 struct al_err *err);

#endif
