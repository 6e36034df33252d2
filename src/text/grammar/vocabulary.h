/* The bytes of a vocabulary as a tree of prefixes, laid out so that a walk goes forward through one array: a node's
 * subtree follows it, and `end` is where to go on when nothing in it can match. */
#ifndef AL_TEXT_GRAMMAR_VOCABULARY_H
#define AL_TEXT_GRAMMAR_VOCABULARY_H

#include "text/grammar.h"

struct al_gr_trie_node {
  uint32_t end;
  int32_t token;  /* whose bytes end here, or -1 */
  uint16_t depth; /* from 1 */
  uint8_t byte;
};

struct al_grammar_vocabulary {
  struct al_gr_trie_node *nodes;
  size_t n_nodes, nodes_capacity;
  size_t n_tokens;
  uint16_t max_depth;
  int32_t *same;   /* [n_tokens]: another token with the same bytes, or -1 */
  char *bytes;     /* of all tokens */
  size_t *offsets; /* [n_tokens + 1] into bytes */
  uint64_t *ends;  /* bits: tokens that end generation */
};

static inline struct al_str al_gr_token_bytes(const struct al_grammar_vocabulary *vocabulary, int32_t token)
{
  size_t from = vocabulary->offsets[token];
  return al_str_n(vocabulary->bytes + from, vocabulary->offsets[token + 1] - from);
}

static inline bool al_gr_token_ends(const struct al_grammar_vocabulary *vocabulary, int32_t token)
{
  return (vocabulary->ends[token / 64] >> (token % 64) & 1) != 0;
}

#endif
