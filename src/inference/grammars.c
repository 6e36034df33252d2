#include "inference/grammars.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "inference/pieces.h"

constexpr size_t MOST_KEPT = 16;

struct entry {
  char *gbnf; /* nullptr: free */
  size_t size;
  struct al_grammar *grammar;
  uint64_t last_used;
};

struct al_grammars {
  struct al_mutex mutex;
  struct al_grammar_vocabulary *vocabulary; /* set once */
  struct entry entries[MOST_KEPT];
  uint64_t clock;
};

struct al_grammars *al_grammars_new(void)
{
  struct al_grammars *grammars = al_calloc(1, sizeof *grammars);
  if (grammars != nullptr)
    al_mutex_init(&grammars->mutex);
  return grammars;
}

static void clear(struct entry *entry)
{
  al_free(entry->gbnf);
  al_grammar_unref(entry->grammar);
  *entry = (struct entry){};
}

void al_grammars_free(struct al_grammars *grammars)
{
  if (grammars == nullptr)
    return;
  for (size_t i = 0; i < MOST_KEPT; i++)
    clear(&grammars->entries[i]);
  al_grammar_vocabulary_free(grammars->vocabulary);
  al_mutex_done(&grammars->mutex);
  al_free(grammars);
}

/* --- compiled grammars ------------------------------------------------------------------------------------------ */

static struct al_grammar *find(struct al_grammars *grammars, struct al_str gbnf)
{
  AL_LOCKED(&grammars->mutex);
  for (size_t i = 0; i < MOST_KEPT; i++) {
    struct entry *entry = &grammars->entries[i];
    if (entry->gbnf == nullptr || entry->size != gbnf.size || memcmp(entry->gbnf, gbnf.data, gbnf.size) != 0)
      continue;
    entry->last_used = ++grammars->clock;
    return al_grammar_ref(entry->grammar);
  }
  return nullptr;
}

/* Keeps it in place of the one that was used longest ago. */
static void keep(struct al_grammars *grammars, struct al_str gbnf, struct al_grammar *grammar)
{
  struct entry made = { .gbnf = al_strndup(gbnf.data, gbnf.size), .size = gbnf.size };
  if (made.gbnf == nullptr) /* it is compiled again next time */
    return;
  made.grammar = al_grammar_ref(grammar);
  AL_LOCKED(&grammars->mutex);
  struct entry *oldest = &grammars->entries[0];
  for (size_t i = 1; i < MOST_KEPT; i++)
    if (grammars->entries[i].last_used < oldest->last_used)
      oldest = &grammars->entries[i];
  clear(oldest);
  made.last_used = ++grammars->clock;
  *oldest = made;
}

enum al_code al_grammars_get(struct al_grammars *grammars, struct al_str gbnf, struct al_grammar **grammar,
                             struct al_err *err)
{
  struct al_grammar *found = find(grammars, gbnf);
  if (found == nullptr) {
    AL_TRY(al_grammar_compile(gbnf, &found, err));
    keep(grammars, gbnf, found);
  }
  *grammar = found;
  return AL_OK;
}

/* --- the vocabulary --------------------------------------------------------------------------------------------- */

static enum al_code build(const struct al_loaded *loaded, const struct al_syntax *syntax,
                          struct al_grammar_vocabulary **vocabulary, struct al_err *err)
{
  size_t n_tokens = (size_t)loaded->info.n_vocab;
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  AL_CLEANUP(al_free_p) struct al_grammar_token *tokens = al_calloc(n_tokens, sizeof *tokens);
  if (tokens == nullptr)
    return al_fail_oom(err, n_tokens * sizeof *tokens);
  for (size_t i = 0; i < n_tokens; i++) {
    size_t before = bytes.size;
    bool is_control = al_piece_add(loaded, (int32_t)i, &bytes);
    if (is_control && !al_syntax_keeps_control(syntax, al_str_n(bytes.data + before, bytes.size - before)))
      bytes.size = before;
    tokens[i].bytes.size = bytes.size - before;
    tokens[i].ends_generation = loaded->engine->text->ends_generation(loaded->model, (int32_t)i);
  }
  AL_TRY(al_buf_check(&bytes, err));
  for (size_t i = 0, at = 0; i < n_tokens; at += tokens[i++].bytes.size)
    tokens[i].bytes.data = bytes.data + at;
  return al_grammar_vocabulary_new(tokens, n_tokens, vocabulary, err);
}

enum al_code al_grammars_vocabulary(struct al_grammars *grammars, const struct al_loaded *loaded,
                                    const struct al_syntax *syntax, const struct al_grammar_vocabulary **vocabulary,
                                    struct al_err *err)
{
  al_mutex_lock(&grammars->mutex);
  *vocabulary = grammars->vocabulary;
  al_mutex_unlock(&grammars->mutex);
  if (*vocabulary != nullptr)
    return AL_OK;
  struct al_grammar_vocabulary *made = nullptr;
  AL_TRY(build(loaded, syntax, &made, err));
  al_mutex_lock(&grammars->mutex);
  if (grammars->vocabulary == nullptr)
    grammars->vocabulary = AL_TAKE(made); /* otherwise somebody was faster */
  *vocabulary = grammars->vocabulary;
  al_mutex_unlock(&grammars->mutex);
  al_grammar_vocabulary_free(made);
  return AL_OK;
}
