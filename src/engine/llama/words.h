/* Cuts text into words before they are merged into tokens, for the rules that libllama has with other classes of
 * characters than the models' own regular expressions. */
#ifndef AL_ENGINE_LLAMA_WORDS_H
#define AL_ENGINE_LLAMA_WORDS_H

#include "base/str.h"

/* The expression of o200k (gpt-4o, gpt-oss); Tekken's has neither contractions nor digits in threes:
 *   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   |[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
 *   |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
struct al_word_rule {
  bool contractions; /* "'s" belongs to the word before */
  int most_digits;   /* in one word */
};

/* The size of the word at the start of the text, which is not empty. The whole text takes linear time. */
size_t al_word_size(const struct al_word_rule *rule, struct al_str text);

#endif
