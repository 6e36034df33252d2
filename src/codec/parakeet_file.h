/* A file of libparakeet ("ggml-parakeet-tdt-0.6b-v3.bin"), checked from its first byte to its last: libparakeet trusts
 * what it reads. Bytes come through a callback; nothing is kept but numbers. Any thread. */
#ifndef AL_CODEC_PARAKEET_FILE_H
#define AL_CODEC_PARAKEET_FILE_H

#include "codec/ggml_cursor.h"
#include "codec/parakeet_layout.h"

struct al_parakeet_file {
  struct al_parakeet_sizes sizes;
  uint64_t tensors_at; /* where the vocabulary ends */
};

/* AL_MODEL_CORRUPT: cut off, contradicting itself, a tensor of the wrong name, shape, type, missing or twice.
 * AL_UNSUPPORTED: what libparakeet cannot run. */
enum al_code al_parakeet_file_check(const struct al_ggml_reader *reader, struct al_parakeet_file *file,
                                    struct al_err *err);

#endif
