/* Weights in FP8 (OCP 8-bit floating point, E4M3 and E5M2) and the scales beside them: one for the tensor, one for each
 * row, or one for each block, as the last blocks of a row or column may be cut. The product of both is the weight.
 *
 * In a plan such a tensor has the source type GGML_TYPE_I8: bytes that are moved as they are and then scaled. */
#ifndef AL_ENGINE_SAFETENSORS_FP8_H
#define AL_ENGINE_SAFETENSORS_FP8_H

#include "engine/safetensors/tensor_rule.h"

/* Finds the scales of part->data. AL_MODEL_CORRUPT when they are missing or of a wrong shape. */
enum al_code al_fp8_take_scales(const struct al_rule_scope *scope, struct al_plan_part *part, struct al_err *err);

/* raw: n rows as al_rows_read gives them, from row `from` counted through all slabs. AL_MODEL_CORRUPT when a weight or
 * a scale is no number. */
enum al_code al_fp8_to_f32(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                           int64_t n, const uint8_t *raw, float *values, struct al_err *err);

#endif
