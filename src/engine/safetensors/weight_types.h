/* Element types of weights: which the files may have, and which they are given on request ("quant"). */
#ifndef AL_ENGINE_SAFETENSORS_WEIGHT_TYPES_H
#define AL_ENGINE_SAFETENSORS_WEIGHT_TYPES_H

#include "base/err.h"
#include "codec/safetensors_header.h"

#include <ggml.h>

/* What the weights are to be. */
struct al_weight_wish {
  bool keeps;          /* the types of the files; the next two are not set */
  enum ggml_type type; /* of matrices */
  enum ggml_type head; /* of the output matrix: coarse types hurt most there */
};

/* quant: "" keeps the types, otherwise "q8_0", "q6_k", ... AL_INVALID_REQUEST names those that there are. */
enum al_code al_weight_wish(const char *quant, struct al_weight_wish *wish, struct al_err *err);

/* False for a type that no weight may have. */
bool al_weight_type_of(enum al_st_dtype dtype, enum ggml_type *type);

/* The type of a matrix with rows of n_cols, stored as `source`. */
enum ggml_type al_weight_choose(const struct al_weight_wish *wish, enum ggml_type source, int64_t n_cols, bool is_head);

#endif
