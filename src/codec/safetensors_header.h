/* The JSON header of a safetensors file, and the index that joins several of them (model.safetensors.index.json).
 * Format: huggingface/safetensors. As strict as the reference reader: offsets inside the file, no overlap, no gap, the
 * length equal to shape times type.
 *
 * Both objects own what they hand out (strings and tensors live as long as they do). Immutable, any thread. */
#ifndef AL_CODEC_SAFETENSORS_HEADER_H
#define AL_CODEC_SAFETENSORS_HEADER_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum al_st_dtype {
  AL_ST_BOOL,
  AL_ST_U8,
  AL_ST_I8,
  AL_ST_F8_E5M2,
  AL_ST_F8_E4M3,
  AL_ST_F8_E8M0,
  AL_ST_U16,
  AL_ST_I16,
  AL_ST_F16,
  AL_ST_BF16,
  AL_ST_U32,
  AL_ST_I32,
  AL_ST_F32,
  AL_ST_U64,
  AL_ST_I64,
  AL_ST_F64,
  AL_ST_DTYPE_COUNT,
};

constexpr int AL_ST_MAX_DIMS = 8;
constexpr uint64_t AL_ST_LENGTH_BYTES = 8; /* the header's length, little endian, stands first */
constexpr uint64_t AL_ST_MAX_HEADER_BYTES = UINT64_C(100'000'000); /* the reference reader's own limit */

struct al_st_tensor {
  struct al_str name;
  enum al_st_dtype dtype;
  int n_dims;
  uint64_t shape[AL_ST_MAX_DIMS]; /* outermost first; 1 beyond n_dims */
  uint64_t n_elements;
  uint64_t offset_bytes; /* from the start of the file */
  uint64_t size_bytes;
};

const char *al_st_dtype_name(enum al_st_dtype dtype);  /* "BF16"; static */
size_t al_st_dtype_size_bytes(enum al_st_dtype dtype); /* of one element */

struct al_st_header;

/* bytes: the file from its start, the whole or a first piece (copied as needed, free to go afterwards). Where the piece
 * is too short, returns AL_OK with *header nullptr and *need_bytes the size to come back with (first 8, then the whole
 * header); *need_bytes is 0 when *header is set. AL_MODEL_CORRUPT names the tensor; AL_UNSUPPORTED for element types
 * not known here. Free with al_st_header_free. */
enum al_code al_st_header_parse(struct al_str bytes, uint64_t file_size_bytes, struct al_st_header **header,
                                uint64_t *need_bytes, struct al_err *err);
void al_st_header_free(struct al_st_header *header); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_st_header, al_st_header_free)

size_t al_st_header_n_tensors(const struct al_st_header *header);
const struct al_st_tensor *al_st_header_tensor(const struct al_st_header *header, size_t index);     /* in file order */
const struct al_st_tensor *al_st_header_find(const struct al_st_header *header, struct al_str name); /* or nullptr */
uint64_t al_st_header_n_parameters(const struct al_st_header *header); /* elements of all tensors */
const char *al_st_header_main_type(const struct al_st_header *header); /* holds most elements; "" without tensors */

struct al_st_index;

/* json: the whole index file. File names must be plain names that end in ".safetensors". AL_MODEL_CORRUPT otherwise. */
enum al_code al_st_index_parse(struct al_str json, struct al_st_index **index, struct al_err *err);
void al_st_index_free(struct al_st_index *index); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_st_index, al_st_index_free)

size_t al_st_index_n_files(const struct al_st_index *index);
const char *al_st_index_file(const struct al_st_index *index, size_t file); /* sorted by name */
size_t al_st_index_n_tensors(const struct al_st_index *index);
/* The file that should hold the tensor (an argument of al_st_index_file); false when the index does not name it. */
bool al_st_index_find(const struct al_st_index *index, struct al_str tensor, size_t *file);
/* Walks all entries in the order of the JSON: `size_t at = 0; while (al_st_index_next(index, &at, &tensor, &file))`. */
bool al_st_index_next(const struct al_st_index *index, size_t *at, struct al_str *tensor, size_t *file);

#endif
