/* A virtual GGUF: a Hugging Face directory read as if it were a GGUF file. Metadata is held in memory, tensor data is
 * made when it is read. Nothing is written to disk unless asked for (export.h). */
#ifndef AL_ENGINE_SAFETENSORS_VGGUF_H
#define AL_ENGINE_SAFETENSORS_VGGUF_H

#include "base/err.h"
#include "engine/safetensors/hf_tokenizer.h"

#include <gguf.h>
#include <stdint.h>

struct al_vgguf;
struct al_hf_family;

/* quant: "" keeps the types, otherwise a type (weight_types.h). Reads config, tokenizer and headers, checks
 * everything against everything; no weight is read yet. */
enum al_code al_vgguf_open(const char *directory, const char *quant, int n_threads, struct al_vgguf **vgguf,
                           struct al_err *err);
void al_vgguf_close(struct al_vgguf *vgguf); /* accepts nullptr; closes the model's files */
AL_DEFINE_CLEANUP(struct al_vgguf, al_vgguf_close)

const struct gguf_context *al_vgguf_metadata(const struct al_vgguf *vgguf); /* borrowed */
const struct al_hf_family *al_vgguf_family(const struct al_vgguf *vgguf);   /* static: that the model is built as */
uint64_t al_vgguf_size_bytes(const struct al_vgguf *vgguf);                 /* of the whole would-be file */
uint64_t al_vgguf_weights_bytes(const struct al_vgguf *vgguf);              /* of its tensors */

/* Up to `size` bytes from `position`; fewer only at the end. Uses the threads given at opening. */
enum al_code al_vgguf_read(const struct al_vgguf *vgguf, uint64_t position, uint8_t *bytes, size_t size, size_t *n_read,
                           struct al_err *err);

/* Where the tensor at `position` ends, if its rows have to be made: reading on to there at once lets all threads work.
 * Otherwise 0. */
uint64_t al_vgguf_made_until(const struct al_vgguf *vgguf, uint64_t position);

#endif
