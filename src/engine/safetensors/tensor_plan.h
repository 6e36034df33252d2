/* The plan of a virtual GGUF: each tensor that libllama will ask for, its type and shape, and where its elements come
 * from. Made and checked from headers alone, before any weight is read. */
#ifndef AL_ENGINE_SAFETENSORS_TENSOR_PLAN_H
#define AL_ENGINE_SAFETENSORS_TENSOR_PLAN_H

#include "engine/safetensors/family.h"
#include "engine/safetensors/hf_weights.h"

#include <ggml.h>

struct al_plan_tensor {
  char name[GGML_MAX_NAME];
  enum ggml_type type;
  enum ggml_type source_type; /* F32, F16 or BF16 */
  int n_dims;
  int64_t ne[2];    /* innermost first */
  size_t row_bytes; /* of ne[0] elements as `type` */
  uint64_t size_bytes;
  enum al_transform transform;
  int64_t head_rows;          /* AL_TRANSFORM_PAIR_ROWS: rows (of a vector: elements) of one head */
  struct al_hf_source source; /* borrowed from the weights */
  float *values;              /* owned; AL_TRANSFORM_COMPUTED */
};

struct al_tensor_plan {
  struct al_plan_tensor *tensors; /* owned */
  size_t n_tensors;
  size_t capacity;
  uint64_t size_bytes; /* of all tensors, without padding */
};

/* quant: "" or "q8_0", "q4_0", "q6_k", ... AL_INVALID_REQUEST when there is no such type. AL_MODEL_CORRUPT or
 * AL_UNSUPPORTED names file and tensor: missing, of another shape or type, or with no place in the architecture.
 * The plan borrows from the weights. On failure *plan is still to be passed to al_tensor_plan_done. */
enum al_code al_tensor_plan_make(const struct al_hf_family *family, const struct al_hf_config *config,
                                 const struct al_hf_weights *weights, const char *quant, struct al_tensor_plan *plan,
                                 struct al_err *err);
void al_tensor_plan_done(struct al_tensor_plan *plan); /* accepts a zeroed one */

/* The names that `quant` takes, for messages: "q8_0, q6_k, ...". Static. */
const char *al_tensor_plan_quants(void);

#endif
