/* The ordinary tokens of a Hugging Face Whisper directory as the bytes they stand for. */
#ifndef AL_ENGINE_WHISPER_HF_VOCABULARY_H
#define AL_ENGINE_WHISPER_HF_VOCABULARY_H

#include "base/buf.h"
#include "base/err.h"

/* From tokenizer.json or vocab.json. Appends n_tokens times a size (32 bits, little endian) and so many bytes; ids that
 * no token has are empty. AL_MODEL_CORRUPT for an id twice, for bytes that no byte-level token has; AL_UNSUPPORTED when
 * the tokenizer is of another kind, or when there is none. */
enum al_code al_whisper_vocabulary_write(const char *directory, int32_t n_tokens, struct al_buf *out, bool *has_space,
                                         struct al_err *err);

#endif
