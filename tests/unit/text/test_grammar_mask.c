#include "base/alloc.h"
#include "text/grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Tokens of all sorts: plain, with quotes inside, half characters, long ones, one twice, a control token, an end. */
static const char *const words[] = {
  "a",
  "b",
  "ab",
  "abc",
  "\"",
  "a\"",
  "\",",
  "\":",
  "{",
  "}",
  "{\"",
  "\"}",
  ",",
  ":",
  " ",
  "1",
  "12",
  "123",
  "\xc3",
  "\xa9",
  "\xc3\xa9",
  "\xc3\xa9\"",
  "a",
  "\n",
  "true",
  "null",
  "[[[[",
  "]]]]",
  "]",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
  "aaaaaaaaaaaaaaaaaa",
};
constexpr size_t N_WORDS = AL_COUNT(words);
constexpr size_t N_TOKENS = N_WORDS + 2; /* a control token, and the end */
constexpr int32_t CONTROL = (int32_t)N_WORDS;
constexpr int32_t END = (int32_t)N_WORDS + 1;

static struct al_grammar_vocabulary *make_vocabulary(void)
{
  struct al_grammar_token tokens[N_TOKENS] = {};
  for (size_t i = 0; i < N_WORDS; i++)
    tokens[i].bytes = al_str(words[i]);
  tokens[END] = (struct al_grammar_token){ .bytes = al_str("</s>"), .ends_generation = true };
  struct al_grammar_vocabulary *vocabulary = nullptr;
  assert_int_equal(al_grammar_vocabulary_new(tokens, N_TOKENS, &vocabulary, nullptr), AL_OK);
  return vocabulary;
}

static int32_t token(const char *word)
{
  for (size_t i = 0; i < N_WORDS; i++)
    if (strcmp(words[i], word) == 0)
      return (int32_t)i;
  fail_msg("no token %s", word);
  return -1;
}

static struct al_grammar_matcher *make(const char *gbnf, const struct al_grammar_vocabulary *vocabulary)
{
  struct al_grammar *grammar = nullptr;
  struct al_grammar_matcher *matcher = nullptr;
  assert_int_equal(al_grammar_compile(al_str(gbnf), &grammar, nullptr), AL_OK);
  assert_int_equal(al_grammar_matcher_new(grammar, vocabulary, &matcher, nullptr), AL_OK);
  al_grammar_unref(grammar);
  return matcher;
}

static bool bit(const uint64_t *mask, int32_t index)
{
  return (mask[index / 64] >> (index % 64) & 1) != 0;
}

/* The mask against every token asked for alone. */
static void check_mask(struct al_grammar_matcher *matcher)
{
  const uint64_t *mask = nullptr;
  assert_int_equal(al_grammar_matcher_mask(matcher, &mask, nullptr), AL_OK);
  for (int32_t i = 0; i < (int32_t)N_TOKENS; i++)
    if (bit(mask, i) != al_grammar_matcher_allows(matcher, i))
      fail_msg("token %d: the mask says %d", i, bit(mask, i));
}

static void masks_agree_with_single_tokens(void **)
{
  static const char *const grammars[] = {
    ("root ::= \"{\" pair (\",\" \" \"? pair)* \"}\"\npair ::= str \":\" val\nstr ::= \"\\\"\" [^\"\\n]* \"\\\"\"\n"
     "val ::= str | [0-9]{1,3} | \"true\" | \"null\" | root | \"[\" (val (\",\" val)*)? \"]\""),
    "root ::= (\"\\\"\" [^\"]{2,40} \"\\\"\"){1,3}",
    "root ::= (\"a\" | \"ab\" | \"abc\"){0,50} \"\\\"\"*",
    "root ::= .{3,100}",
    "root ::= \"a\" root \"b\" | \"ab\" | \"\\u00e9\"",
    "root ::= ([a]{0,33}){0,3} \"\\\"\"",
  };
  struct al_grammar_vocabulary *vocabulary = make_vocabulary();
  for (size_t g = 0; g < AL_COUNT(grammars); g++) {
    unsigned random = 12345;
    for (int round = 0; round < 40; round++) {
      struct al_grammar_matcher *matcher = make(grammars[g], vocabulary);
      for (int step = 0; step < 30; step++) {
        check_mask(matcher);
        for (int tries = 0; tries < 60; tries++) {
          random = random * 1664525 + 1013904223;
          if (al_grammar_matcher_accept(matcher, (int32_t)((random >> 8) % N_WORDS), nullptr) == AL_OK)
            break;
        }
      }
      al_grammar_matcher_free(matcher);
    }
  }
  al_grammar_vocabulary_free(vocabulary);
}

static void allows_the_end_where_a_sentence_ends(void **)
{
  struct al_grammar_vocabulary *vocabulary = make_vocabulary();
  struct al_grammar_matcher *matcher = make("root ::= \"a\" \"b\"?", vocabulary);
  struct al_err err = {};
  assert_false(al_grammar_matcher_allows(matcher, END));
  assert_false(al_grammar_matcher_allows(matcher, CONTROL));
  assert_int_equal(al_grammar_matcher_accept(matcher, END, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_grammar_matcher_accept(matcher, token("b"), &err), AL_INVALID_REQUEST);
  assert_int_equal(al_grammar_matcher_accept(matcher, -1, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_grammar_matcher_accept(matcher, 100'000, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_grammar_matcher_accept(matcher, token("a"), &err), AL_OK);
  assert_true(al_grammar_matcher_allows(matcher, END));
  assert_false(al_grammar_matcher_must_end(matcher));
  check_mask(matcher);
  assert_int_equal(al_grammar_matcher_accept(matcher, token("b"), &err), AL_OK);
  assert_true(al_grammar_matcher_must_end(matcher));
  const uint64_t *mask = nullptr;
  assert_int_equal(al_grammar_matcher_mask(matcher, &mask, nullptr), AL_OK);
  for (int32_t i = 0; i < (int32_t)N_TOKENS; i++)
    assert_int_equal(bit(mask, i), i == END);
  assert_int_equal(al_grammar_matcher_accept(matcher, END, &err), AL_OK);
  assert_true(al_grammar_matcher_may_end(matcher));
  assert_false(al_grammar_matcher_allows(matcher, token("a")));
  assert_int_equal(al_grammar_matcher_mask(matcher, &mask, nullptr), AL_OK);
  assert_true(bit(mask, END));
  al_grammar_matcher_free(matcher);
  al_grammar_vocabulary_free(vocabulary);
}

static void half_characters_may_come(void **)
{
  struct al_grammar_vocabulary *vocabulary = make_vocabulary();
  struct al_grammar_matcher *matcher = make("root ::= [\u00e0-\u00ff] \"\\\"\"", vocabulary);
  assert_true(al_grammar_matcher_allows(matcher, token("\xc3")));
  assert_true(al_grammar_matcher_allows(matcher, token("\xc3\xa9\"")));
  assert_false(al_grammar_matcher_allows(matcher, token("\xa9")));
  assert_int_equal(al_grammar_matcher_accept(matcher, token("\xc3"), nullptr), AL_OK);
  check_mask(matcher);
  assert_true(al_grammar_matcher_allows(matcher, token("\xa9")));
  assert_false(al_grammar_matcher_allows(matcher, token("\"")));
  al_grammar_matcher_free(matcher);
  al_grammar_vocabulary_free(vocabulary);
}

static void a_vocabulary_that_cannot_go_on_is_an_error(void **)
{
  struct al_grammar_vocabulary *vocabulary = make_vocabulary();
  struct al_grammar_matcher *matcher = make("root ::= \"~\"", vocabulary);
  const uint64_t *mask = nullptr;
  assert_int_equal(al_grammar_matcher_mask(matcher, &mask, nullptr), AL_UNSUPPORTED);
  al_grammar_matcher_free(matcher);
  matcher = make("root ::= \"a\"", nullptr);
  assert_int_equal(al_grammar_matcher_mask(matcher, &mask, nullptr), AL_INTERNAL);
  assert_false(al_grammar_matcher_allows(matcher, 0));
  al_grammar_matcher_free(matcher);
  al_grammar_vocabulary_free(vocabulary);
}

/* Every text can be read in very many ways: what is kept is bounded all the same. */
static void ambiguity_stays_bounded(void **)
{
  struct al_grammar_vocabulary *vocabulary = make_vocabulary();
  struct al_grammar_matcher *matcher = make("root ::= \"a\" root root | \"a\"", vocabulary);
  const uint64_t *mask = nullptr;
  struct al_err err = {};
  enum al_code code = AL_OK;
  for (int i = 0; i < 300 && code == AL_OK; i++) {
    code = al_grammar_matcher_accept(matcher, token("aaaaaaaaaaaaaaaaaa"), &err);
    if (code == AL_OK && i % 16 == 0)
      code = al_grammar_matcher_mask(matcher, &mask, &err);
  }
  assert_int_equal(code, AL_OK);
  al_grammar_matcher_free(matcher);
  al_grammar_vocabulary_free(vocabulary);
}

static void survives_every_failed_allocation(void **)
{
  bool whole = false;
  for (size_t n = 1; !whole; n++) {
    struct al_grammar_token tokens[] = { { .bytes = al_str("a") },
                                         { .bytes = al_str("ab\"") },
                                         { .ends_generation = true } };
    struct al_grammar_vocabulary *vocabulary = nullptr;
    struct al_grammar_matcher *matcher = make("root ::= x*\nx ::= \"a\"{1,5} \"b\"? \"\\\"\"", nullptr),
                              *full = nullptr;
    struct al_grammar *grammar = nullptr;
    const uint64_t *mask = nullptr;
    assert_int_equal(al_grammar_compile(al_str("root ::= x*\nx ::= \"a\"{1,5} \"b\"? \"\\\"\""), &grammar, nullptr),
                     AL_OK);
    (void)al_alloc_fail_at(n);
    enum al_code code = al_grammar_vocabulary_new(tokens, AL_COUNT(tokens), &vocabulary, nullptr);
    if (code == AL_OK)
      code = al_grammar_matcher_new(grammar, vocabulary, &full, nullptr);
    if (code == AL_OK)
      code = al_grammar_matcher_mask(full, &mask, nullptr);
    if (code == AL_OK)
      code = al_grammar_matcher_accept(full, 0, nullptr);
    if (code == AL_OK)
      code = al_grammar_matcher_mask(full, &mask, nullptr);
    whole = al_alloc_fail_at(0) < n;
    assert_int_equal(code, whole ? AL_OK : AL_OOM_RAM);
    al_grammar_matcher_free(full);
    al_grammar_matcher_free(matcher);
    al_grammar_unref(grammar);
    al_grammar_vocabulary_free(vocabulary);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(masks_agree_with_single_tokens), cmocka_unit_test(allows_the_end_where_a_sentence_ends),
    cmocka_unit_test(half_characters_may_come),       cmocka_unit_test(a_vocabulary_that_cannot_go_on_is_an_error),
    cmocka_unit_test(ambiguity_stays_bounded),        cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
