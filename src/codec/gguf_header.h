/* The beginning of a GGUF file (version 2 or 3, little endian): metadata and tensor infos, nothing of the tensor data.
 * Format: ggml's docs/gguf.md. Every count, length, offset and product is checked against the size of the file before
 * it is used, so a hostile file costs at most a few times the bytes it shows.
 *
 * A parsed header borrows the bytes it was parsed from; strings it hands out live in them. Immutable, any thread. */
#ifndef AL_CODEC_GGUF_HEADER_H
#define AL_CODEC_GGUF_HEADER_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_gguf_header;

constexpr int AL_GGUF_MAX_DIMS = 4;
constexpr uint64_t AL_GGUF_FIRST_BYTES = (uint64_t)1 << 20; /* a good first piece to try */

struct al_gguf_tensor {
  struct al_str name;
  const char *type_name; /* static: "Q4_K", "BF16", ... */
  uint32_t type;         /* enum ggml_type's number */
  int n_dims;
  uint64_t ne[AL_GGUF_MAX_DIMS]; /* innermost first; 1 beyond n_dims */
  uint64_t n_elements;
  uint64_t offset_bytes; /* from the start of the file */
  uint64_t size_bytes;
};

/* bytes: the file from its start, the whole or a first piece (borrowed for the life of the header).
 * Where the piece is too short to tell, returns AL_OK with *header nullptr and *need_bytes the least size to come back
 * with (more than bytes.size, at most file_size_bytes; double the piece instead when that is larger). *need_bytes is 0
 * when *header is set. AL_MODEL_CORRUPT names the key or tensor; AL_UNSUPPORTED for versions and types not known here.
 * Free with al_gguf_header_free. */
enum al_code al_gguf_header_parse(struct al_str bytes, uint64_t file_size_bytes, struct al_gguf_header **header,
                                  uint64_t *need_bytes, struct al_err *err);
void al_gguf_header_free(struct al_gguf_header *header); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_gguf_header, al_gguf_header_free)

/* Look-ups give false and leave *out alone when the key is absent or of another kind. Any integer type that fits
 * answers u64; f32 and f64 answer f64. */
bool al_gguf_header_str(const struct al_gguf_header *header, const char *key, struct al_str *out);
bool al_gguf_header_u64(const struct al_gguf_header *header, const char *key, uint64_t *out);
bool al_gguf_header_f64(const struct al_gguf_header *header, const char *key, double *out);
bool al_gguf_header_bool(const struct al_gguf_header *header, const char *key, bool *out);
bool al_gguf_header_array_length(const struct al_gguf_header *header, const char *key, uint64_t *out);
bool al_gguf_header_has(const struct al_gguf_header *header, const char *key);
/* As u64, with "<general.architecture>." before the key: "context_length". */
bool al_gguf_header_arch_u64(const struct al_gguf_header *header, const char *key, uint64_t *out);

uint32_t al_gguf_header_version(const struct al_gguf_header *header);
size_t al_gguf_header_n_keys(const struct al_gguf_header *header);
size_t al_gguf_header_n_tensors(const struct al_gguf_header *header);
const struct al_gguf_tensor *al_gguf_header_tensor(const struct al_gguf_header *header, size_t index); /* borrowed */
/* nullptr when absent. */
const struct al_gguf_tensor *al_gguf_header_find_tensor(const struct al_gguf_header *header, const char *name);

uint64_t al_gguf_header_n_parameters(const struct al_gguf_header *header); /* elements of all tensors */
/* The type that holds most elements: "Q4_K"; "" without tensors. Static. */
const char *al_gguf_header_main_type(const struct al_gguf_header *header);

#endif
