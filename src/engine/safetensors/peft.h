/* A PEFT directory (adapter_config.json and adapter_model.safetensors) as the GGUF stream of an adapter: tensors named
 * as the family of the model names them, with the strength multiplied into B. Made from headers; the weights are read
 * when libllama, having compared the shapes with the model's, asks for them. */
#ifndef AL_ENGINE_SAFETENSORS_PEFT_H
#define AL_ENGINE_SAFETENSORS_PEFT_H

#include "engine/llama/runner.h"

/* An al_llama_adapter_reader; names: a struct al_hf_family. */
enum al_code al_peft_open(const struct llama_model *model, const void *names, const char *directory,
                          struct al_llama_adapter_stream *stream, struct al_err *err);

#endif
