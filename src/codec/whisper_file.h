/* A file of whisper.cpp ("ggml-base.en.bin"), checked from its first byte to its last: libwhisper trusts what it reads.
 * Bytes come through a callback; nothing is kept but numbers. Any thread. */
#ifndef AL_CODEC_WHISPER_FILE_H
#define AL_CODEC_WHISPER_FILE_H

#include "base/err.h"
#include "base/str.h"
#include "codec/ggml_cursor.h"
#include "codec/whisper_layout.h"

#include <stdint.h>

/* What the old container of ggml holds here: several libraries use it, each with its own contents. */
enum al_ggml_kind {
  AL_GGML_FOREIGN, /* another format */
  AL_GGML_WHISPER,
  AL_GGML_VAD,      /* "silero-16k": tells where there is speech; part of another model */
  AL_GGML_PARAKEET, /* libparakeet's */
  AL_GGML_OTHER,    /* the magic number and nothing known behind it */
};
constexpr size_t AL_GGML_HEAD_BYTES = 48;
/* head: the first AL_GGML_HEAD_BYTES of the file, or all of it when it is shorter. */
enum al_ggml_kind al_ggml_kind_of(struct al_str head);

struct al_whisper_file {
  struct al_whisper_sizes sizes;
  int32_t n_tokens;     /* with a text in the file: the first of the vocabulary */
  bool has_space_token; /* " " alone, which the decoder suppresses at the start */
  uint64_t tensors_at;  /* where the vocabulary ends */
};

/* AL_MODEL_CORRUPT: cut off, contradicting itself, a tensor of the wrong name, shape, type, missing or twice.
 * AL_UNSUPPORTED: what libwhisper cannot run. */
enum al_code al_whisper_file_check(const struct al_ggml_reader *reader, struct al_whisper_file *file,
                                   struct al_err *err);

#endif
