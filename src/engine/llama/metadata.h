/* What libllama does not check when it opens a file, and ggml aborts on when it computes. */
#ifndef AL_ENGINE_LLAMA_METADATA_H
#define AL_ENGINE_LLAMA_METADATA_H

#include "base/err.h"

#include <gguf.h>

/* AL_MODEL_CORRUPT names the key. */
enum al_code al_llama_check_metadata(const struct gguf_context *gguf, struct al_err *err);

#endif
