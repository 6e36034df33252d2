/* Grammars that hold a model to a form (TXT-7): GBNF as llama.cpp writes it, matched byte by byte while tokens are
 * chosen.
 *
 *   grammar    the compiled rules: immutable, shared by any number of matchers and threads, counted by reference
 *   vocabulary the bytes of every token as a tree of prefixes: made once a model, immutable, shared
 *   matcher    where one generation stands in the grammar: one thread at a time
 *
 * Work is bounded: rules, elements, repetitions, simultaneous positions and nesting have caps, so that a hostile
 * grammar ends with an error that says which cap, quickly, and not with the machine's memory. */
#ifndef AL_TEXT_GRAMMAR_H
#define AL_TEXT_GRAMMAR_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_grammar;

/* GBNF: rules `name ::= ...`, start symbol "root"; literals with escapes, character classes (also negated), `.`,
 * groups, alternatives, `* + ? {n} {n,} {n,m}`, comments. Left recursion is refused. AL_INVALID_REQUEST with line and
 * column. */
enum al_code al_grammar_compile(struct al_str gbnf, struct al_grammar **grammar, struct al_err *err);
struct al_grammar *al_grammar_ref(struct al_grammar *grammar);
void al_grammar_unref(struct al_grammar *grammar); /* accepts nullptr */

struct al_grammar_vocabulary;

struct al_grammar_token { /* control tokens other than those that end generation: bytes.size 0, never allowed */
  struct al_str bytes;
  bool ends_generation; /* allowed where the grammar may end */
};
/* tokens[n_tokens], copied. */
enum al_code al_grammar_vocabulary_new(const struct al_grammar_token *tokens, size_t n_tokens,
                                       struct al_grammar_vocabulary **vocabulary, struct al_err *err);
void al_grammar_vocabulary_free(struct al_grammar_vocabulary *vocabulary); /* accepts nullptr */

struct al_grammar_matcher;

/* The vocabulary is borrowed for the matcher's life (nullptr: bytes only); the grammar is held. */
enum al_code al_grammar_matcher_new(struct al_grammar *grammar, const struct al_grammar_vocabulary *vocabulary,
                                    struct al_grammar_matcher **matcher, struct al_err *err);
void al_grammar_matcher_free(struct al_grammar_matcher *matcher); /* accepts nullptr */

/* Goes on with bytes. false: they cannot come here, and the matcher has not moved. */
bool al_grammar_matcher_feed(struct al_grammar_matcher *matcher, struct al_str bytes);
/* May this one token come now? Cheaper than the mask. */
bool al_grammar_matcher_allows(struct al_grammar_matcher *matcher, int32_t token);
/* One bit a token (bit i % 64 of word i / 64): what may come now; borrowed until the matcher moves. Tokens whose bytes
 * end inside a UTF-8 character are allowed when the character can still become a right one. */
enum al_code al_grammar_matcher_mask(struct al_grammar_matcher *matcher, const uint64_t **mask, struct al_err *err);
/* A token has been chosen: AL_INVALID_REQUEST when it could not come (the matcher has not moved). */
enum al_code al_grammar_matcher_accept(struct al_grammar_matcher *matcher, int32_t token, struct al_err *err);
bool al_grammar_matcher_may_end(const struct al_grammar_matcher *matcher);  /* what came is a whole sentence */
bool al_grammar_matcher_must_end(const struct al_grammar_matcher *matcher); /* and nothing can follow it */

#endif
