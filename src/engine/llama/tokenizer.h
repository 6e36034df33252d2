/* Our own tokenizer, for models whose words libllama would cut wrongly: it knows the rules "gpt-4o" and "tekken" by
 * expressions that cut at combining marks. Immutable, any thread.
 *   allm.tokenizer.ignore_merges       bool: a word that is a token is not merged; where the key is absent, libllama's
 *                                      own choice for the rule */
#ifndef AL_ENGINE_LLAMA_TOKENIZER_H
#define AL_ENGINE_LLAMA_TOKENIZER_H

#include "engine/llama/bpe.h"
#include "engine/llama/text_rules.h"

struct al_llama_tokenizer;

/* Whether the model is one of those (by tokenizer.ggml.pre). */
bool al_llama_tokenizer_wanted(const struct llama_model *model);

/* gguf: the model's metadata, borrowed for the call. *tokenizer stays nullptr when libllama's is right. */
enum al_code al_llama_tokenizer_new(const struct llama_model *model, const struct gguf_context *gguf,
                                    struct al_llama_tokenizer **tokenizer, struct al_err *err);
void al_llama_tokenizer_free(struct al_llama_tokenizer *tokenizer); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_llama_tokenizer, al_llama_tokenizer_free)

/* Adds the tokens of a text to which the rules have been applied. with_special: special tokens in it count as such. */
enum al_code al_llama_tokenizer_run(const struct al_llama_tokenizer *tokenizer, const struct al_llama_text_rules *rules,
                                    struct al_str text, bool with_special, struct al_token_sink *sink,
                                    struct al_err *err);

#endif
