/* What a model asks for about text and libllama does not do itself: normalisation form C, the exact places of the
 * spaces that SentencePiece puts before words, more than three tokens that end an answer. engine/safetensors writes the
 * metadata keys; a GGUF that it exported keeps them. Immutable, any thread.
 *   tokenizer.ggml.normalizer.nfc      bool
 *   allm.tokenizer.space_prefix        "first": before a text that starts with no special token; "each": likewise after
 *                                      each special token. Never before a space.
 *   allm.tokenizer.eos_token_ids       numbers in a string, as libllama gives no arrays out: "302 303"
 *   allm.tokenizer.behind_bos_id       a token that is put before a text, behind the first one
 *   allm.tokenizer.lstrip_ids          likewise: tokens that take the white space before them with them
 *   allm.tokenizer.rstrip_ids          likewise: behind them */
#ifndef AL_ENGINE_LLAMA_TEXT_RULES_H
#define AL_ENGINE_LLAMA_TEXT_RULES_H

#include "base/buf.h"

#include <llama.h>

struct al_llama_text_rules;

/* *rules stays nullptr when the model asks for nothing special; all functions take that. */
enum al_code al_llama_text_rules_new(const struct llama_model *model, struct al_llama_text_rules **rules,
                                     struct al_err *err);
void al_llama_text_rules_free(struct al_llama_text_rules *rules); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_llama_text_rules, al_llama_text_rules_free)

bool al_llama_text_rules_end(const struct al_llama_text_rules *rules, int32_t token);

/* The token to be added behind the one that starts a text; -1: none. */
int32_t al_llama_text_rules_behind_bos(const struct al_llama_text_rules *rules);

/* The size of the token that is found in the text before it is split, at the start of the text; 0: there is none. */
size_t al_llama_text_rules_added(const struct al_llama_text_rules *rules, struct al_str text, bool with_special,
                                 int32_t *token);

/* Gives in *out the text that libllama is to tokenise: `text` itself, or what was written into `room` (borrowed from
 * it). with_special: special tokens in the text count as such. */
enum al_code al_llama_text_rules_apply(const struct al_llama_text_rules *rules, struct al_str text, bool with_special,
                                       struct al_buf *room, struct al_str *out, struct al_err *err);

#endif
