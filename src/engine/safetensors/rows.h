/* Rows of a planned tensor in its order, but still in the files' element type: what lies scattered, in turn or in
 * columns is put together. Internal to convert.c. */
#ifndef AL_ENGINE_SAFETENSORS_ROWS_H
#define AL_ENGINE_SAFETENSORS_ROWS_H

#include "engine/safetensors/tensor_plan.h"

/* What al_rows_read needs as room to read n rows at a time; 0: none. */
size_t al_rows_room_bytes(const struct al_plan_tensor *tensor, int64_t n);

/* Writes rows [from, from+n), counted through all slabs, to `out` as tensor->source_type. room: al_rows_room_bytes(n).
 */
enum al_code al_rows_read(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                          int64_t n, uint8_t *room, uint8_t *out, struct al_err *err);

/* The row of the file's tensor (of its slab there) that a slab's row comes from. */
int64_t al_rows_file_row(const struct al_plan_tensor *tensor, int64_t row);

/* Bytes [offset, offset+size) of a tensor whose slabs are those of the files as they stand. */
enum al_code al_rows_copy(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, uint64_t offset,
                          uint8_t *out, size_t size, struct al_err *err);

#endif
