/* Makes rows of a planned tensor from the bytes of the model's files: transform, convert, quantise. By row range, so
 * that no whole tensor needs to be held, and on several threads where there is enough to do. */
#ifndef AL_ENGINE_SAFETENSORS_CONVERT_H
#define AL_ENGINE_SAFETENSORS_CONVERT_H

#include "engine/safetensors/tensor_plan.h"

/* Writes rows [from, to) of `tensor`, counted through all its slabs, into out (row_bytes each). Uses at most n_threads
 * threads, the caller's among them, and a few MB a thread. Safe to call from several threads. */
enum al_code al_convert_rows(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                             int64_t to, uint8_t *out, int n_threads, struct al_err *err);

/* Whether the bytes of the file are those of the GGUF as they stand, so that any byte range can be read directly. */
bool al_convert_is_copy(const struct al_plan_tensor *tensor);
/* Bytes [offset, offset+size) of such a tensor. */
enum al_code al_convert_copy(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, uint64_t offset,
                             uint8_t *out, size_t size, struct al_err *err);

#endif
