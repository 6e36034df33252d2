/* The plan of a virtual GGUF: each tensor that libllama will ask for, its type and shape, and where its elements come
 * from. Made and checked from headers alone, before any weight is read. */
#ifndef AL_ENGINE_SAFETENSORS_TENSOR_PLAN_H
#define AL_ENGINE_SAFETENSORS_TENSOR_PLAN_H

#include "engine/safetensors/family.h"
#include "engine/safetensors/hf_weights.h"

#include <ggml.h>

constexpr int AL_PLAN_MAX_DIMS = 3;

/* A tensor of the files that (a part of) a planned one is made from. */
struct al_plan_part {
  struct al_hf_source data;   /* borrowed from the weights */
  struct al_hf_source scales; /* tensor nullptr: there are none */
  int64_t block_rows;         /* FP8: weights that share a scale, where there is one for each block */
  int64_t block_cols;
};

/* What becomes of every element. */
enum al_plan_change { AL_PLAN_AS_IT_IS, AL_PLAN_ADD_ONE, AL_PLAN_NEG_EXP, AL_PLAN_SECOND_TYPE };

/* A planned tensor is made of `n_slabs` slabs (experts, mostly one) of `n_rows` rows of `n_cols` elements. These agree
 * with `ne` but for vectors whose elements change places: their elements are the rows. */
struct al_plan_tensor {
  char name[GGML_MAX_NAME];
  enum ggml_type type;
  int n_dims;
  int64_t ne[AL_PLAN_MAX_DIMS]; /* GGUF's shape, innermost first */
  int64_t n_cols, n_rows, n_slabs;
  size_t row_bytes; /* of n_cols elements as `type` */
  uint64_t size_bytes;

  enum ggml_type source_type; /* in which al_rows_read gives rows: F32, F16, BF16, MXFP4, I8 (fp8.h) */
  struct al_plan_part *parts; /* owned; one for all slabs, or one for each; nullptr: `values` holds the elements */
  size_t n_parts;
  int64_t row_step;  /* a slab's row r is row row_first + r * row_step of the file's */
  int64_t row_first; /* below row_step, or where this matrix starts in one that holds several (n_slabs is 1 then) */
  int64_t pair_rows; /* rows of a head whose halves are put side by side (AL_RULE_PAIR_ROWS); 0: none are */
  bool transposed;   /* a row is a column of the file */
  enum al_plan_change change;
  struct al_hf_source types; /* AL_PLAN_SECOND_TYPE: row 1 less row 0 is added to the second slab's rows */
  float *values;             /* owned */
};

struct al_tensor_plan {
  struct al_plan_tensor *tensors; /* owned */
  size_t n_tensors;
  size_t capacity;
  uint64_t size_bytes; /* of all tensors, without padding */
};

/* quant: "" or a name of al_weight_types (weight_types.h); AL_INVALID_REQUEST when there is no such type.
 * AL_MODEL_CORRUPT or AL_UNSUPPORTED names file and tensor: missing, of another shape or type, or with no place in the
 * architecture. The plan borrows from the weights. On failure *plan is still to be passed to al_tensor_plan_done. */
enum al_code al_tensor_plan_make(const struct al_hf_family *family, const struct al_hf_config *config,
                                 const struct al_hf_weights *weights, const char *quant, struct al_tensor_plan *plan,
                                 struct al_err *err);
void al_tensor_plan_done(struct al_tensor_plan *plan); /* accepts a zeroed one */

#endif
