#include "text/grammar/vocabulary.h"

#include "base/alloc.h"

#include <stdlib.h>

AL_DEFINE_CLEANUP(struct al_grammar_vocabulary, al_grammar_vocabulary_free)

constexpr size_t MAX_TOKENS = 8'000'000;
constexpr size_t MAX_TOKEN_BYTES = 8192;
constexpr size_t MAX_BYTES = (size_t)1 << 30;

struct sorted {
  const char *data;
  size_t size;
  int32_t token;
};

static int by_bytes(const void *a, const void *b)
{
  const struct sorted *left = a, *right = b;
  int order = memcmp(left->data, right->data, al_min_size(left->size, right->size));
  if (order != 0)
    return order;
  if (left->size != right->size)
    return left->size < right->size ? -1 : 1;
  return left->token < right->token ? -1 : left->token > right->token;
}

static enum al_code copy_tokens(struct al_grammar_vocabulary *v, const struct al_grammar_token *tokens,
                                struct al_err *err)
{
  size_t total = 0;
  for (size_t i = 0; i < v->n_tokens; i++) {
    if (tokens[i].bytes.size > MAX_TOKEN_BYTES || total + tokens[i].bytes.size > MAX_BYTES)
      return al_fail(err, AL_UNSUPPORTED, "vocabulary: token %zu is too long", i);
    total += tokens[i].ends_generation ? 0 : tokens[i].bytes.size;
  }
  v->offsets = al_calloc(v->n_tokens + 1, sizeof *v->offsets);
  v->same = al_calloc(v->n_tokens, sizeof *v->same);
  v->ends = al_calloc(v->n_tokens / 64 + 1, sizeof *v->ends);
  v->bytes = al_alloc(total);
  if (v->offsets == nullptr || v->same == nullptr || v->ends == nullptr || v->bytes == nullptr)
    return al_fail_oom(err, total + v->n_tokens * sizeof *v->offsets);
  size_t at = 0;
  for (size_t i = 0; i < v->n_tokens; i++) {
    v->same[i] = -1;
    v->offsets[i] = at;
    if (tokens[i].ends_generation) {
      v->ends[i / 64] |= UINT64_C(1) << (i % 64);
    } else if (tokens[i].bytes.size > 0) {
      memcpy(v->bytes + at, tokens[i].bytes.data, tokens[i].bytes.size);
      at += tokens[i].bytes.size;
    }
  }
  v->offsets[v->n_tokens] = at;
  return AL_OK;
}

static enum al_code add_node(struct al_grammar_vocabulary *v, struct al_gr_trie_node node, struct al_err *err)
{
  void *nodes = v->nodes;
  AL_TRY(al_grow(&nodes, &v->nodes_capacity, v->n_nodes + 1, sizeof node, err));
  v->nodes = nodes;
  v->nodes[v->n_nodes++] = node;
  v->max_depth = node.depth > v->max_depth ? node.depth : v->max_depth;
  return AL_OK;
}

/* `path` holds the nodes from the root to the token before. */
static enum al_code add_token(struct al_grammar_vocabulary *v, const struct sorted *before, const struct sorted *token,
                              uint32_t *path, struct al_err *err)
{
  size_t shared = 0, known = before != nullptr ? before->size : 0;
  while (shared < known && shared < token->size && before->data[shared] == token->data[shared])
    shared++;
  for (size_t i = shared; i < known; i++)
    v->nodes[path[i]].end = (uint32_t)v->n_nodes;
  for (size_t i = shared; i < token->size; i++) {
    path[i] = (uint32_t)v->n_nodes;
    struct al_gr_trie_node node = { .token = -1, .depth = (uint16_t)(i + 1), .byte = (uint8_t)token->data[i] };
    AL_TRY(add_node(v, node, err));
  }
  struct al_gr_trie_node *last = &v->nodes[path[token->size - 1]];
  v->same[token->token] = last->token;
  last->token = token->token;
  return AL_OK;
}

static enum al_code build(struct al_grammar_vocabulary *v, struct al_err *err)
{
  AL_CLEANUP(al_free_p) struct sorted *sorted = al_calloc(v->n_tokens, sizeof *sorted);
  AL_CLEANUP(al_free_p) uint32_t *path = al_calloc(MAX_TOKEN_BYTES, sizeof *path);
  if (sorted == nullptr || path == nullptr)
    return al_fail_oom(err, v->n_tokens * sizeof *sorted);
  size_t n_sorted = 0;
  for (size_t i = 0; i < v->n_tokens; i++) {
    struct al_str bytes = al_gr_token_bytes(v, (int32_t)i);
    if (bytes.size > 0)
      sorted[n_sorted++] = (struct sorted){ bytes.data, bytes.size, (int32_t)i };
  }
  if (n_sorted > 1)
    qsort(sorted, n_sorted, sizeof *sorted, by_bytes);
  for (size_t i = 0; i < n_sorted; i++)
    AL_TRY(add_token(v, i > 0 ? &sorted[i - 1] : nullptr, &sorted[i], path, err));
  for (size_t i = 0; n_sorted > 0 && i < sorted[n_sorted - 1].size; i++)
    v->nodes[path[i]].end = (uint32_t)v->n_nodes;
  return AL_OK;
}

enum al_code al_grammar_vocabulary_new(const struct al_grammar_token *tokens, size_t n_tokens,
                                       struct al_grammar_vocabulary **vocabulary, struct al_err *err)
{
  if (n_tokens > MAX_TOKENS)
    return al_fail(err, AL_UNSUPPORTED, "vocabulary: more than %zu tokens", MAX_TOKENS);
  AL_CLEANUP(al_grammar_vocabulary_free_p) struct al_grammar_vocabulary *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->n_tokens = n_tokens;
  AL_TRY(copy_tokens(made, tokens, err));
  AL_TRY(build(made, err));
  *vocabulary = AL_TAKE(made);
  return AL_OK;
}

void al_grammar_vocabulary_free(struct al_grammar_vocabulary *vocabulary)
{
  if (vocabulary == nullptr)
    return;
  al_free(vocabulary->nodes);
  al_free(vocabulary->same);
  al_free(vocabulary->bytes);
  al_free(vocabulary->offsets);
  al_free(vocabulary->ends);
  al_free(vocabulary);
}
