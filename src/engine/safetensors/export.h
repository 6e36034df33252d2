/* Writes the virtual GGUF of a Hugging Face directory to a file: the GGUF twin of a model, and what a packed cache
 * will hold. */
#ifndef AL_ENGINE_SAFETENSORS_EXPORT_H
#define AL_ENGINE_SAFETENSORS_EXPORT_H

#include "engine/engine.h"

/* options: quant and n_threads matter. Writes beside `path` first, then renames over it. `progress` may be nullptr. */
enum al_code al_safetensors_export(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                                   const char *path, al_load_progress_fn *progress, void *user, struct al_err *err);

#endif
