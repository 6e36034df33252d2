/* CLIP's tokenizer: byte pairs within words, each word ending in "</w>". Lower-cased, white space is one space; the
 * words are those of its regular expression. From the model's own vocab.json and merges.txt. Immutable, any thread. */
#ifndef AL_ENGINE_DIFFUSION_CLIP_TOKENIZER_H
#define AL_ENGINE_DIFFUSION_CLIP_TOKENIZER_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdint.h>

struct al_clip_tokenizer;

/* From directory/folder, or for lack of that folder from the directory itself. AL_MODEL_CORRUPT names the file. */
enum al_code al_clip_tokenizer_open(const char *directory, const char *folder, struct al_clip_tokenizer **tokenizer,
                                    struct al_err *err);
void al_clip_tokenizer_free(struct al_clip_tokenizer *tokenizer); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_clip_tokenizer, al_clip_tokenizer_free)

int al_clip_tokenizer_n_vocab(const struct al_clip_tokenizer *tokenizer); /* the highest id and one */
int32_t al_clip_tokenizer_begin(const struct al_clip_tokenizer *tokenizer);
int32_t al_clip_tokenizer_end(const struct al_clip_tokenizer *tokenizer);
int32_t al_clip_tokenizer_pad(const struct al_clip_tokenizer *tokenizer);

/* The ids of a text without begin and end: up to `capacity` are written, *count says how many there are. The text is
 * UTF-8; "<|endoftext|>" and the like in it are ordinary text. */
enum al_code al_clip_tokenizer_encode(const struct al_clip_tokenizer *tokenizer, struct al_str text, int32_t *tokens,
                                      size_t capacity, size_t *count, struct al_err *err);

#endif
