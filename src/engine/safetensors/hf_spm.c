/* tokenizer.json merges pairs by the rank of the pair, libllama's SentencePiece merging takes any two neighbours whose
 * joined text is a token, best score first. Both give the same tokens when the merge list is what SentencePiece models
 * convert to: every way to split a token into two tokens is in the list, and the ranks of two tokens' splits do not
 * interleave. That is checked here, not hoped for. */
#include "engine/safetensors/hf_tokenizer.h"

#include <stdio.h>

struct ranks {
  int32_t first; /* of the merges that give this token; -1: none */
  int32_t last;
  int32_t n_pairs;
};

/* libllama joins whatever gives a token's text, whatever kind of token it is. */
static bool is_token(const struct al_hf_tokenizer *t, const char *text, size_t size)
{
  return al_hf_tokenizer_id(t, al_str_n(text, size)) >= 0;
}

static size_t char_bytes(char lead)
{
  uint8_t byte = (uint8_t)lead;
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* Each merge counts for the token it gives. */
static enum al_code collect(const struct al_hf_tokenizer *t, struct ranks *ranks, struct al_err *err)
{
  char joined[1024];
  for (size_t i = 0; i < t->n_merges; i++) {
    const char *merge = t->merges[i];
    const char *space = strchr(merge, ' ');
    size_t left = (size_t)(space - merge);
    size_t right = strlen(space + 1);
    if (left + right >= sizeof joined)
      return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: merge %zu is longer than %zu bytes", i, sizeof joined);
    memcpy(joined, merge, left);
    memcpy(joined + left, space + 1, right);
    struct ranks *r = &ranks[al_hf_tokenizer_id(t, al_str_n(joined, left + right))];
    if (r->n_pairs == 0)
      r->first = (int32_t)i;
    r->last = (int32_t)i;
    r->n_pairs++;
  }
  return AL_OK;
}

/* The ways to split the token into two others, or -1 when a character of it is no token: then merging never starts. */
static int32_t count_splits(const struct al_hf_tokenizer *t, const char *token)
{
  size_t size = strlen(token);
  int32_t n = 0;
  for (size_t at = 0; at < size;) {
    size_t next = at + char_bytes(token[at]);
    if (!is_token(t, token + at, next - at))
      return -1;
    if (next < size && is_token(t, token, next) && is_token(t, token + next, size - next))
      n++;
    at = next;
  }
  return n;
}

static enum al_code check_token(const struct al_hf_tokenizer *t, size_t id, const struct ranks *ranks,
                                struct al_err *err)
{
  const char *token = t->tokens[id];
  bool whole = strlen(token) <= char_bytes(token[0]);
  bool contiguous = ranks->n_pairs == 0 || ranks->last - ranks->first + 1 == ranks->n_pairs;
  if (whole || (contiguous && count_splits(t, token) == ranks->n_pairs))
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED,
                 "tokenizer.json: the merges for token \"%.64s\" are not those of a SentencePiece model (%d listed)",
                 token, (int)ranks->n_pairs);
}

enum al_code al_hf_spm_scores(struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  constexpr float worst = -1e9F;
  struct al_hf_tokenizer *t = tokenizer;
  struct ranks *ranks = al_arena_array(t->arena, t->n_tokens, sizeof *ranks);
  t->scores = al_arena_array(t->arena, t->n_tokens, sizeof *t->scores);
  if (ranks == nullptr || t->scores == nullptr)
    return al_fail_oom(err, t->n_tokens * sizeof *ranks);
  for (int byte = 0; byte < 256; byte++) {
    char name[8];
    (void)snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
    int32_t id = al_hf_tokenizer_id(t, al_str(name));
    char itself = (char)byte;
    if (id < 0 && byte < 0x80 && al_hf_tokenizer_id(t, al_str_n(&itself, 1)) >= 0)
      continue; /* Gemma has a tab, and libllama looks for that too */
    if (id < 0)
      return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: the token %s of byte_fallback is missing", name);
    t->types[id] = AL_TOKEN_BYTE;
  }
  AL_TRY(collect(t, ranks, err));
  for (size_t id = 0; id < t->n_tokens; id++) {
    t->scores[id] = ranks[id].n_pairs > 0 ? -(float)ranks[id].first : worst;
    if (t->types[id] == AL_TOKEN_NORMAL)
      AL_TRY(check_token(t, id, &ranks[id], err));
  }
  return AL_OK;
}
