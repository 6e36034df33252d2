/* Our own tokenizers with a random vocabulary and a random text. libllama's view of a model is a stand-in. The input
 * is, with zero bytes between: a byte of flags; a list of numbers, for all keys that hold some; tokens, one a line, of
 * which
 * "!a" is a control token, "+a" a user's, "?a" the unknown one; merges, one a line; the text. Byte-level tokens must be
 * those that merging by hand gives. */
#include "base/buf.h"
#include "directory.h"
#include "engine/llama/text_rules.h"
#include "engine/llama/tokenizer.h"
#include "engine/llama/wordpiece.h"
#include "engine/llama/words.h"
#include "letters.h"

#include <gguf.h>
#include <string.h>

enum { IS_TEKKEN = 1, IS_WORDPIECE = 2, WHOLE_WORDS = 4, WITH_SPECIAL = 8, NFC = 16, PREFIX_FIRST = 32, FOLDS = 64 };
constexpr size_t MOST_TOKENS = N_BYTES + 64;
constexpr size_t MOST_MERGES = 64;
constexpr size_t MOST_TEXT = 512;

static struct {
  unsigned flags;
  char numbers[64];
  char *tokens[MOST_TOKENS];
  enum llama_token_attr attrs[MOST_TOKENS];
  size_t n_tokens;
  char *merges[MOST_MERGES];
  size_t n_merges;
} model;

/* --- libllama ----------------------------------------------------------------------------------------------------- */

int32_t llama_model_meta_val_str(const struct llama_model *unused, const char *key, char *out, size_t size)
{
  (void)unused;
  const char *value = "";
  if (strcmp(key, "tokenizer.ggml.pre") == 0)
    value = (model.flags & IS_WORDPIECE) != 0 ? "default" : (model.flags & IS_TEKKEN) != 0 ? "tekken" : "gpt-4o";
  else if (strstr(key, "_id") != nullptr)
    value = model.numbers;
  else if (strcmp(key, "allm.tokenizer.ignore_merges") == 0)
    value = (model.flags & WHOLE_WORDS) != 0 ? "true" : "false";
  else if (strcmp(key, "tokenizer.ggml.normalizer.nfc") == 0)
    value = (model.flags & NFC) != 0 ? "true" : "";
  else if (strcmp(key, "allm.tokenizer.space_prefix") == 0)
    value = (model.flags & PREFIX_FIRST) != 0 ? "first" : "";
  else if (strcmp(key, "tokenizer.ggml.normalizer.lowercase") == 0)
    value = (model.flags & FOLDS) != 0 ? "true" : "false";
  return value[0] != '\0' ? snprintf(out, size, "%s", value) : -1;
}

const struct llama_vocab *llama_model_get_vocab(const struct llama_model *unused)
{
  (void)unused;
  return nullptr;
}

enum llama_vocab_type llama_vocab_type(const struct llama_vocab *unused)
{
  (void)unused;
  return (model.flags & IS_WORDPIECE) != 0 ? LLAMA_VOCAB_TYPE_WPM : LLAMA_VOCAB_TYPE_BPE;
}

int32_t llama_vocab_n_tokens(const struct llama_vocab *unused)
{
  (void)unused;
  return (int32_t)model.n_tokens;
}

const char *llama_vocab_get_text(const struct llama_vocab *unused, llama_token token)
{
  (void)unused;
  return model.tokens[token];
}

enum llama_token_attr llama_vocab_get_attr(const struct llama_vocab *unused, llama_token token)
{
  (void)unused;
  return model.attrs[token];
}

/* --- the vocabulary ----------------------------------------------------------------------------------------------- */

static char *copy(struct al_buf *text)
{
  al_buf_char(text, '\0');
  char *string = strdup(text->data);
  require(string != nullptr);
  al_buf_done(text);
  return string;
}

static bool next_line(struct al_str *text, struct al_str *line)
{
  if (text->size == 0)
    return false;
  const char *end = memchr(text->data, '\n', text->size);
  size_t size = al_min_size(end != nullptr ? (size_t)(end - text->data) : text->size, 60);
  *line = al_str_n(text->data, size);
  size_t skipped = end != nullptr && (size_t)(end - text->data) == size ? size + 1 : size;
  *text = al_str_n(text->data + skipped, text->size - skipped);
  return true;
}

static void add_token(struct al_str line)
{
  struct al_buf text = {};
  enum llama_token_attr attr = LLAMA_TOKEN_ATTR_NORMAL;
  if (line.size > 1 && memchr("!+?", line.data[0], 3) != nullptr) {
    attr = line.data[0] == '!'   ? LLAMA_TOKEN_ATTR_CONTROL
           : line.data[0] == '+' ? LLAMA_TOKEN_ATTR_USER_DEFINED
                                 : LLAMA_TOKEN_ATTR_UNKNOWN;
    line = al_str_n(line.data + 1, line.size - 1);
  }
  if (attr == LLAMA_TOKEN_ATTR_NORMAL && (model.flags & IS_WORDPIECE) == 0)
    add_letters(&text, line);
  else
    al_buf_add(&text, line.data, line.size);
  model.attrs[model.n_tokens] = attr;
  model.tokens[model.n_tokens++] = copy(&text);
}

static void add_merge(struct al_str line)
{
  struct al_buf text = {};
  const char *space = line.size > 1 ? memchr(line.data + 1, ' ', line.size - 1) : nullptr;
  if (space == nullptr)
    return;
  size_t left = (size_t)(space - line.data);
  add_letters(&text, al_str_n(line.data, left));
  al_buf_char(&text, ' ');
  add_letters(&text, al_str_n(space + 1, line.size - left - 1));
  model.merges[model.n_merges++] = copy(&text);
}

static void make_model(struct al_str numbers, struct al_str tokens, struct al_str merges)
{
  struct al_str line;
  model.n_tokens = model.n_merges = 0;
  (void)snprintf(model.numbers, sizeof model.numbers, "%.*s", (int)al_min_size(numbers.size, 60), numbers.data);
  for (unsigned byte = 0; byte < N_BYTES; byte++)
    add_token(al_str_n(&(char){ (char)byte }, 1));
  while (model.n_tokens < MOST_TOKENS && next_line(&tokens, &line))
    add_token(line);
  while (model.n_merges < MOST_MERGES && next_line(&merges, &line))
    add_merge(line);
}

static void free_model(void)
{
  while (model.n_tokens > 0)
    free(model.tokens[--model.n_tokens]);
  while (model.n_merges > 0)
    free(model.merges[--model.n_merges]);
}

/* --- merging by hand ---------------------------------------------------------------------------------------------- */

static int32_t id_of(struct al_str text)
{
  for (size_t i = 0; i < model.n_tokens; i++)
    if (al_str_is(text, model.tokens[i]))
      return (int32_t)i;
  return -1;
}

static bool is_merge(size_t rank, struct al_str left, struct al_str right)
{
  struct al_str merge = al_str(model.merges[rank]);
  const char *space = memchr(merge.data + 1, ' ', merge.size - 1);
  size_t size = (size_t)(space - merge.data);
  return al_str_eq(al_str_n(merge.data, size), left) && al_str_eq(al_str_n(space + 1, merge.size - size - 1), right) &&
         id_of(al_str_n(left.data, left.size + right.size)) >= 0;
}

/* The first of the pairs that were learnt first: parts[at] and the one behind it. */
static bool find_pair(const struct al_str *parts, size_t n, size_t *at)
{
  for (size_t rank = 0; rank < model.n_merges; rank++)
    for (*at = 0; *at + 1 < n; (*at)++)
      if (is_merge(rank, parts[*at], parts[*at + 1]))
        return true;
  return false;
}

static void merge_word(struct al_str word, struct al_token_sink *sink)
{
  AL_CLEANUP(al_buf_done) struct al_buf letters = {};
  struct al_str parts[MOST_TEXT];
  size_t n = 0, at = 0;
  add_letters(&letters, word);
  if ((model.flags & WHOLE_WORDS) != 0 && id_of(al_buf_view(&letters)) >= 0) {
    al_token_sink_add(sink, id_of(al_buf_view(&letters)));
    return;
  }
  for (size_t i = 0; i < letters.size; i += parts[n++].size)
    parts[n] = al_str_n(letters.data + i, (uint8_t)letters.data[i] < 0x80 ? 1 : 2);
  while (find_pair(parts, n, &at)) {
    parts[at].size += parts[at + 1].size;
    memmove(&parts[at + 1], &parts[at + 2], (--n - at - 1) * sizeof *parts);
  }
  for (size_t i = 0; i < n; i++)
    al_token_sink_add(sink, id_of(parts[i]));
}

static void check_by_hand(const struct al_token_sink *sink, struct al_str text)
{
  static const struct al_word_rule rules[] = { { .contractions = true, .most_digits = 3 },
                                               { .contractions = false, .most_digits = 1 } };
  int32_t tokens[MOST_TEXT];
  struct al_token_sink want = { .tokens = tokens, .capacity = AL_COUNT(tokens) };
  while (text.size > 0) {
    size_t size = al_word_size(&rules[(model.flags & IS_TEKKEN) != 0], text);
    require(size > 0 && size <= text.size);
    merge_word(al_str_n(text.data, size), &want);
    text = al_str_n(text.data + size, text.size - size);
  }
  require(want.count == sink->count);
  for (size_t i = 0; i < want.count; i++)
    require(tokens[i] == sink->tokens[i]);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static struct gguf_context *make_gguf(void)
{
  struct gguf_context *gguf = gguf_init_empty();
  gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", (const char **)model.tokens, model.n_tokens);
  gguf_set_arr_str(gguf, "tokenizer.ggml.merges", (const char **)model.merges, model.n_merges);
  return gguf;
}

static void run_bpe(const struct al_llama_text_rules *rules, struct al_str text, struct al_token_sink *sink,
                    bool by_hand)
{
  AL_CLEANUP(al_llama_tokenizer_free_p) struct al_llama_tokenizer *tokenizer = nullptr;
  struct gguf_context *gguf = make_gguf();
  require(al_llama_tokenizer_new(nullptr, gguf, &tokenizer, nullptr) == AL_OK && tokenizer != nullptr);
  require(al_llama_tokenizer_run(tokenizer, rules, text, (model.flags & WITH_SPECIAL) != 0, sink, nullptr) == AL_OK);
  if (by_hand)
    check_by_hand(sink, text);
  gguf_free(gguf);
}

static void run_wordpiece(struct al_str text, struct al_token_sink *sink)
{
  AL_CLEANUP(al_wordpiece_free_p) struct al_wordpiece *wordpiece = nullptr;
  struct al_err err = {};
  if (al_wordpiece_new(nullptr, &wordpiece, &err) != AL_OK || wordpiece == nullptr)
    return;
  (void)!al_wordpiece_run(wordpiece, text, (model.flags & WITH_SPECIAL) != 0, sink, &err);
}

static void run(struct al_str text)
{
  AL_CLEANUP(al_llama_text_rules_free_p) struct al_llama_text_rules *rules = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf room = {};
  int32_t tokens[4 * MOST_TEXT];
  struct al_token_sink sink = { .tokens = tokens, .capacity = AL_COUNT(tokens) };
  bool is_added = false;
  for (size_t i = N_BYTES; i < model.n_tokens; i++)
    is_added = is_added || model.attrs[i] != LLAMA_TOKEN_ATTR_NORMAL;
  require(al_llama_text_rules_new(nullptr, &rules, nullptr) == AL_OK);
  struct al_str applied;
  require(al_llama_text_rules_apply(rules, text, (model.flags & WITH_SPECIAL) != 0, &room, &applied, nullptr) == AL_OK);
  if ((model.flags & IS_WORDPIECE) != 0)
    run_wordpiece(applied, &sink);
  else
    run_bpe(rules, applied, &sink, !is_added && applied.size <= MOST_TEXT);
  for (size_t i = 0; i < sink.count && i < sink.capacity; i++)
    require(tokens[i] >= 0 && (size_t)tokens[i] < model.n_tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct al_str input = al_str_n((const char *)data, size);
  struct al_str flags = next_part(&input);
  struct al_str numbers = next_part(&input);
  struct al_str tokens = next_part(&input);
  struct al_str merges = next_part(&input);
  model.flags = flags.size > 0 ? (uint8_t)flags.data[0] : 0;
  make_model(numbers, tokens, merges);
  input.size = al_min_size(input.size, MOST_TEXT);
  run(input);
  free_model();
  return 0;
}
