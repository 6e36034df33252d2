/* The safetensors files of a model directory, open for reading: a single file, or shards joined by an index. Reads are
 * positioned reads, not a mapping: a file that shrinks while it is read is an error here, not a signal.
 * Reading is safe from several threads at once. */
#ifndef AL_ENGINE_SAFETENSORS_HF_WEIGHTS_H
#define AL_ENGINE_SAFETENSORS_HF_WEIGHTS_H

#include "base/err.h"
#include "codec/safetensors_header.h"

struct al_hf_weights;

struct al_hf_source {
  const struct al_st_tensor *tensor; /* borrowed from the weights; nullptr: no such tensor */
  size_t file;
};

/* AL_MODEL_CORRUPT names the file: a shard that the index names is missing, the numbers of shards disagree, a tensor
 * is not in its shard or stands in two, a header is damaged, a file is too short. */
enum al_code al_hf_weights_open(const char *directory, struct al_hf_weights **weights, struct al_err *err);
void al_hf_weights_close(struct al_hf_weights *weights); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_hf_weights, al_hf_weights_close)

struct al_hf_source al_hf_weights_find(const struct al_hf_weights *weights, const char *name);
size_t al_hf_weights_n_files(const struct al_hf_weights *weights);
const char *al_hf_weights_file_name(const struct al_hf_weights *weights, size_t file); /* borrowed, without directory */
const struct al_st_header *al_hf_weights_header(const struct al_hf_weights *weights, size_t file); /* borrowed */

/* Exactly `size` bytes from `offset` of the tensor's data; the range lies inside it. */
enum al_code al_hf_weights_read(const struct al_hf_weights *weights, struct al_hf_source source, uint64_t offset,
                                void *bytes, size_t size, struct al_err *err);

#endif
