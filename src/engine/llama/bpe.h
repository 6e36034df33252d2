/* Byte-pair encoding over bytes, as libllama does it for the tokenizers it calls "gpt2": for those whose words it would
 * cut wrongly. Immutable, any thread. */
#ifndef AL_ENGINE_LLAMA_BPE_H
#define AL_ENGINE_LLAMA_BPE_H

#include "base/err.h"
#include "base/str.h"

#include <gguf.h>
#include <stdint.h>

struct al_bpe;

/* From tokenizer.ggml.tokens and .merges; *bpe stays nullptr when the vocabulary is none that merges bytes.
 * whole_words: a word that is a token is not merged. */
enum al_code al_bpe_new(const struct gguf_context *gguf, bool whole_words, struct al_bpe **bpe, struct al_err *err);
void al_bpe_free(struct al_bpe *bpe); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_bpe, al_bpe_free)

/* Where tokens go: up to `capacity` are written, all are counted. */
struct al_token_sink {
  int32_t *tokens; /* borrowed */
  size_t capacity;
  size_t count;
};
void al_token_sink_add(struct al_token_sink *sink, int32_t token);

/* Memory for one text, used for all its words; zeroed at first. */
struct al_bpe_room {
  void *symbols;
  void *pairs;
  size_t n_symbols, n_pairs;
};
void al_bpe_room_done(struct al_bpe_room *room);

/* Adds the tokens of a word. Takes n log n for n bytes. */
enum al_code al_bpe_add(const struct al_bpe *bpe, struct al_str word, struct al_bpe_room *room,
                        struct al_token_sink *sink, struct al_err *err);

#endif
