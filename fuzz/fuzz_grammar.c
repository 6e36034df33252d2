/* A hostile grammar and a text: no crash, no hang, no eaten machine. The input is the grammar, a zero byte, the text.
 * On the way the mask must say of every token what asking for it alone says, and a text that was refused must have left
 * the matcher where it was. */
#include "text/grammar.h"

static const char *const words[] = {
  "a",  "b",    "ab", "\"",   "{\"",   "\":",      ", ",
  "x",  "0",    "12", "\xc3", "\xa9",  "\xc3\xa9", " ",
  "\n", "aaaa", "}",  "true", "(((((", ")))))",    "abcabcabcabcabcabcabcabcabcabcabcabcabc"
};

static struct al_grammar_vocabulary *vocabulary(void)
{
  static struct al_grammar_vocabulary *made;
  struct al_grammar_token tokens[AL_COUNT(words) + 2] = {};
  for (size_t i = 0; i < AL_COUNT(words); i++)
    tokens[i].bytes = al_str(words[i]);
  tokens[AL_COUNT(words)].ends_generation = true;
  if (made == nullptr && al_grammar_vocabulary_new(tokens, AL_COUNT(tokens), &made, nullptr) != AL_OK)
    __builtin_trap();
  return made;
}

static void compare(struct al_grammar_matcher *matcher)
{
  const uint64_t *mask;
  if (al_grammar_matcher_mask(matcher, &mask, nullptr) != AL_OK)
    return;
  for (int32_t i = 0; i < (int32_t)AL_COUNT(words) + 2; i++)
    if (al_grammar_matcher_allows(matcher, i) != ((mask[i / 64] >> (i % 64) & 1) != 0))
      __builtin_trap();
}

static void follow(struct al_grammar *grammar, struct al_str text)
{
  struct al_grammar_matcher *matcher = nullptr, *plain = nullptr;
  if (al_grammar_matcher_new(grammar, vocabulary(), &matcher, nullptr) != AL_OK ||
      al_grammar_matcher_new(grammar, nullptr, &plain, nullptr) != AL_OK)
    __builtin_trap();
  compare(matcher);
  for (size_t i = 0; i < text.size && i < 100; i++) {
    int32_t token = (int32_t)((unsigned char)text.data[i] % AL_COUNT(words));
    bool allowed = al_grammar_matcher_allows(matcher, token);
    if (allowed != (al_grammar_matcher_accept(matcher, token, nullptr) == AL_OK) ||
        allowed != al_grammar_matcher_feed(plain, al_str(words[token])) ||
        al_grammar_matcher_may_end(matcher) != al_grammar_matcher_may_end(plain))
      __builtin_trap();
    compare(matcher);
  }
  al_grammar_matcher_free(matcher);
  al_grammar_matcher_free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const uint8_t *end = size > 0 ? memchr(data, 0, size) : nullptr;
  size_t grammar_size = end != nullptr ? (size_t)(end - data) : size;
  struct al_str text = end != nullptr ? al_str_n((const char *)end + 1, size - grammar_size - 1) : al_str("");
  struct al_grammar *grammar = nullptr;
  if (al_grammar_compile(al_str_n((const char *)data, grammar_size), &grammar, nullptr) != AL_OK)
    return 0;
  follow(grammar, text);
  al_grammar_unref(grammar);
  return 0;
}
