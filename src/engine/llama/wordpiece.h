/* WordPiece, BERT's tokenizer, as the tokenizers library does it: libllama's own leaves accents that stand as
 * characters of their own, takes Hangul syllables for letters and has no longest word. Immutable, any thread.
 *   tokenizer.ggml.normalizer.lowercase   bool, true where it is absent: letters lose case and accents
 * Properties of characters are those of this machine's Unicode tables; the tokenizers library's end with Unicode 8, so
 * some 600 younger marks and signs give other tokens. */
#ifndef AL_ENGINE_LLAMA_WORDPIECE_H
#define AL_ENGINE_LLAMA_WORDPIECE_H

#include "engine/llama/bpe.h"

#include <llama.h>

struct al_wordpiece;

/* *wordpiece stays nullptr when the model has another tokenizer, or one with accents but without case. */
enum al_code al_wordpiece_new(const struct llama_model *model, struct al_wordpiece **wordpiece, struct al_err *err);
void al_wordpiece_free(struct al_wordpiece *wordpiece); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_wordpiece, al_wordpiece_free)

/* Adds the tokens of a text, without those around it. with_special: special tokens in it count as such. */
enum al_code al_wordpiece_run(const struct al_wordpiece *wordpiece, struct al_str text, bool with_special,
                              struct al_token_sink *sink, struct al_err *err);

#endif
