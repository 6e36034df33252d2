#include "engine/diffusion/clip_tokenizer.h"

#include "base/alloc.h"
#include "base/map.h"
#include "codec/json.h"
#include "codec/unicode.h"
#include "codec/utf8.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>

constexpr size_t MAX_FILE_BYTES = (size_t)32 << 20;
constexpr size_t MAX_TOKENS = 1 << 20;
constexpr size_t MAX_PIECE_BYTES = 1024;
constexpr size_t MAX_TEXT_BYTES = 1 << 16;
constexpr int32_t NONE = -1;
static const char WORD_END[] = "</w>";

struct merge {
  int32_t rank, result;
};

struct al_clip_tokenizer {
  struct al_map *ids;   /* text -> entry of `entries`, whose place is the id */
  uint8_t *entries;     /* uint8_t[n_vocab]; only its addresses count */
  struct al_map *pairs; /* two ids -> struct merge */
  struct merge *merges; /* [n_merges] */
  int n_vocab;
  int32_t begin, end, pad;
  int32_t bytes[256], last_bytes[256]; /* the token of a byte, and of one that ends its word */
};

static int32_t id_of(const struct al_clip_tokenizer *tokenizer, struct al_str text)
{
  const uint8_t *entry = al_map_get(tokenizer->ids, text);
  return entry == nullptr ? NONE : (int32_t)(entry - tokenizer->entries);
}

/* --- the files --------------------------------------------------------------------------------------------------- */

static enum al_code read_file(const char *directory, const char *name, struct al_buf *text, struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, name, err));
  al_buf_init(text, MAX_FILE_BYTES + 1);
  struct al_err cause = {};
  enum al_code code = al_file_read(path, MAX_FILE_BYTES, text, &cause);
  if (code == AL_NOT_FOUND)
    return al_fail(err, code, "%s is missing from the model's directory", name);
  return code == AL_OK ? AL_OK
                       : al_fail(err, code == AL_INVALID_REQUEST ? AL_MODEL_CORRUPT : code, "%s", cause.message);
}

static enum al_code parse_file(const char *directory, const char *name, struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(read_file(directory, name, &text, err));
  struct al_err cause = {};
  if (al_json_parse(al_buf_view(&text), doc, &cause) != AL_OK)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: %s", name, cause.message);
  return AL_OK;
}

static enum al_code count_ids(const struct al_json *vocab, int *n_vocab, struct al_err *err)
{
  int64_t highest = -1;
  struct al_json_iter it = al_json_iter(vocab);
  while (al_json_next(&it)) {
    int64_t id = al_json_int(it.value, -1);
    if (id < 0 || id >= (int64_t)MAX_TOKENS)
      return al_fail(err, AL_MODEL_CORRUPT, "vocab.json: the token \"%.*s\" has no id from 0 to %zu",
                     (int)al_min_size(it.key.size, 60), it.key.data, MAX_TOKENS - 1);
    highest = id > highest ? id : highest;
  }
  if (highest < 0)
    return al_fail(err, AL_MODEL_CORRUPT, "vocab.json has no tokens");
  *n_vocab = (int)(highest + 1);
  return AL_OK;
}

static enum al_code read_vocab(const char *directory, struct al_clip_tokenizer *tokenizer, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(parse_file(directory, "vocab.json", &doc, err));
  const struct al_json *vocab = al_json_root(doc);
  AL_TRY(count_ids(vocab, &tokenizer->n_vocab, err));
  tokenizer->entries = al_calloc((size_t)tokenizer->n_vocab, 1);
  tokenizer->ids = al_map_new(MAX_TOKENS);
  if (tokenizer->entries == nullptr || tokenizer->ids == nullptr)
    return al_fail_oom(err, (size_t)tokenizer->n_vocab);
  struct al_json_iter it = al_json_iter(vocab);
  while (al_json_next(&it))
    AL_TRY(al_map_set(tokenizer->ids, it.key, &tokenizer->entries[al_json_int(it.value, 0)], err));
  return AL_OK;
}

/* What does not consist of known tokens is left out, as it could never be used. */
static enum al_code add_merge(struct al_clip_tokenizer *tokenizer, struct al_str line, size_t rank, struct al_err *err)
{
  const char *space = line.size > 0 ? memchr(line.data, ' ', line.size) : nullptr;
  if (space == nullptr || line.size > MAX_PIECE_BYTES)
    return AL_OK;
  struct al_str left = { line.data, (size_t)(space - line.data) };
  struct al_str right = { space + 1, line.size - left.size - 1 };
  char joined[MAX_PIECE_BYTES];
  memcpy(joined, left.data, left.size);
  memcpy(joined + left.size, right.data, right.size);
  int32_t pair[2] = { id_of(tokenizer, left), id_of(tokenizer, right) };
  int32_t result = id_of(tokenizer, al_str_n(joined, left.size + right.size));
  struct al_str key = al_str_n((const char *)pair, sizeof pair);
  if (pair[0] == NONE || pair[1] == NONE || result == NONE || al_map_has(tokenizer->pairs, key))
    return AL_OK;
  tokenizer->merges[rank] = (struct merge){ (int32_t)rank, result };
  return al_map_set(tokenizer->pairs, key, &tokenizer->merges[rank], err);
}

static enum al_code read_merges(const char *directory, struct al_clip_tokenizer *tokenizer, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(read_file(directory, "merges.txt", &text, err));
  size_t n_lines = 1;
  for (size_t i = 0; i < text.size; i++)
    n_lines += text.data[i] == '\n';
  if (n_lines > MAX_TOKENS)
    return al_fail(err, AL_MODEL_CORRUPT, "merges.txt has more than %zu lines", MAX_TOKENS);
  tokenizer->merges = al_calloc(n_lines, sizeof *tokenizer->merges);
  tokenizer->pairs = al_map_new(n_lines);
  if (tokenizer->merges == nullptr || tokenizer->pairs == nullptr)
    return al_fail_oom(err, n_lines * sizeof *tokenizer->merges);
  size_t at = 0;
  for (size_t rank = 0; rank < n_lines; rank++) {
    const char *line = text.data + at;
    const char *end = at < text.size ? memchr(line, '\n', text.size - at) : nullptr;
    size_t size = end != nullptr ? (size_t)(end - line) : text.size - at;
    size_t next = at + size + 1;
    size -= size > 0 && line[size - 1] == '\r';
    if (rank > 0 || size == 0 || line[0] != '#') /* "#version: 0.2" */
      AL_TRY(add_merge(tokenizer, al_str_n(line, size), rank, err));
    at = next < text.size ? next : text.size;
  }
  return AL_OK;
}

struct special {
  const char *key;
  const char *otherwise; /* where no file names it */
  int32_t *id;
};

/* Looks in one file: a special token stands there as a string, or as an object with its content. */
static enum al_code look_for(const char *directory, const char *file, const struct special *special,
                             const struct al_clip_tokenizer *tokenizer, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  enum al_code code = parse_file(directory, file, &doc, err);
  if (code != AL_OK)
    return code == AL_NOT_FOUND ? AL_OK : code;
  const struct al_json *value = al_json_get(al_json_root(doc), special->key);
  const struct al_json *content = al_json_get(value, "content");
  struct al_str text = al_json_str(content != nullptr ? content : value);
  if (text.size == 0)
    return AL_OK;
  *special->id = id_of(tokenizer, text);
  return *special->id != NONE ? AL_OK
                              : al_fail(err, AL_MODEL_CORRUPT, "vocab.json does not have %s's \"%s\", \"%.*s\"", file,
                                        special->key, (int)al_min_size(text.size, 60), text.data);
}

static enum al_code find_special(const char *directory, const struct special *special,
                                 const struct al_clip_tokenizer *tokenizer, struct al_err *err)
{
  *special->id = NONE;
  AL_TRY(look_for(directory, "special_tokens_map.json", special, tokenizer, err));
  if (*special->id == NONE)
    AL_TRY(look_for(directory, "tokenizer_config.json", special, tokenizer, err));
  if (*special->id == NONE)
    *special->id = id_of(tokenizer, al_str(special->otherwise));
  return *special->id != NONE ? AL_OK
                              : al_fail(err, AL_MODEL_CORRUPT, "vocab.json has no token \"%s\"", special->otherwise);
}

/* GPT-2's letters for bytes: those that can be printed stand for themselves, the others come from U+0100 on. */
static void find_bytes(struct al_clip_tokenizer *tokenizer)
{
  uint32_t n_others = 0;
  for (uint32_t byte = 0; byte < 256; byte++) {
    bool plain = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    char text[16];
    size_t size = al_utf8_encode(plain ? byte : 0x100 + n_others, text);
    n_others += !plain;
    tokenizer->bytes[byte] = id_of(tokenizer, al_str_n(text, size));
    memcpy(text + size, WORD_END, sizeof WORD_END);
    tokenizer->last_bytes[byte] = id_of(tokenizer, al_str(text));
  }
}

static enum al_code read_all(const char *directory, struct al_clip_tokenizer *tokenizer, struct al_err *err)
{
  AL_TRY(read_vocab(directory, tokenizer, err));
  AL_TRY(read_merges(directory, tokenizer, err));
  const struct special specials[] = { { "bos_token", "<|startoftext|>", &tokenizer->begin },
                                      { "eos_token", "<|endoftext|>", &tokenizer->end },
                                      { "pad_token", "<|endoftext|>", &tokenizer->pad } };
  for (size_t i = 0; i < AL_COUNT(specials); i++)
    AL_TRY(find_special(directory, &specials[i], tokenizer, err));
  find_bytes(tokenizer);
  return AL_OK;
}

enum al_code al_clip_tokenizer_open(const char *directory, const char *folder, struct al_clip_tokenizer **tokenizer,
                                    struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, folder, err));
  struct al_file_info info;
  if (al_file_stat(path, &info, nullptr) != AL_OK)
    (void)snprintf(path, sizeof path, "%s", directory);
  AL_CLEANUP(al_clip_tokenizer_free_p) struct al_clip_tokenizer *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = read_all(path, made, err);
  if (code == AL_NOT_FOUND)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: vocab.json or merges.txt is missing", folder);
  if (code != AL_OK)
    return al_wrap(err, "%s", folder);
  *tokenizer = AL_TAKE(made);
  return AL_OK;
}

void al_clip_tokenizer_free(struct al_clip_tokenizer *tokenizer)
{
  if (tokenizer == nullptr)
    return;
  al_map_free(tokenizer->ids);
  al_map_free(tokenizer->pairs);
  al_free(tokenizer->entries);
  al_free(tokenizer->merges);
  al_free(tokenizer);
}

int al_clip_tokenizer_n_vocab(const struct al_clip_tokenizer *tokenizer)
{
  return tokenizer->n_vocab;
}

int32_t al_clip_tokenizer_begin(const struct al_clip_tokenizer *tokenizer)
{
  return tokenizer->begin;
}

int32_t al_clip_tokenizer_end(const struct al_clip_tokenizer *tokenizer)
{
  return tokenizer->end;
}

int32_t al_clip_tokenizer_pad(const struct al_clip_tokenizer *tokenizer)
{
  return tokenizer->pad;
}

/* --- a text ------------------------------------------------------------------------------------------------------- */

/* What a text becomes before it is cut: NFC, white space as one space, lower case. */
static enum al_code normalise(struct al_str text, struct al_buf *out, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf composed = {};
  al_buf_init(&composed, 4 * MAX_TEXT_BYTES);
  AL_TRY(al_utf8_nfc(text, &composed, err));
  struct al_str rest = al_buf_view(&composed);
  bool after_space = false;
  while (rest.size > 0) {
    uint32_t c;
    size_t size = al_utf8_decode(rest, &c);
    rest = al_str_n(rest.data + size, rest.size - size);
    bool space = al_unicode_kind_of(c) == AL_UNICODE_SPACE;
    char letters[4];
    if (!space)
      al_buf_add(out, letters, al_utf8_encode(al_unicode_lower(c), letters));
    else if (!after_space)
      al_buf_char(out, ' ');
    if (c == 0x130) /* the one capital whose small letter is two characters */
      al_buf_str(out, "\u0307");
    after_space = space;
  }
  return al_buf_check(out, err);
}

enum word_class { LETTERS, NUMBER, SPACE, OTHERS };

static enum word_class class_of(struct al_str text, size_t *size)
{
  uint32_t c;
  *size = al_utf8_decode(text, &c);
  switch (al_unicode_kind_of(c)) {
  case AL_UNICODE_UPPER:
  case AL_UNICODE_LOWER:
  case AL_UNICODE_LETTER: return LETTERS;
  case AL_UNICODE_NUMBER: return NUMBER;
  case AL_UNICODE_SPACE: return SPACE;
  case AL_UNICODE_MARK:
  case AL_UNICODE_OTHER: break;
  }
  return OTHERS;
}

/* The size of the word at the start:  's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+  ; 0 where there is none.
 */
static size_t word_size(struct al_str text)
{
  static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
  for (size_t i = 0; i < AL_COUNT(endings); i++)
    if (al_str_starts(text, al_str(endings[i])))
      return strlen(endings[i]);
  size_t size;
  enum word_class class = class_of(text, &size);
  if (class == SPACE)
    return 0;
  size_t total = size;
  while (class != NUMBER && total < text.size &&
         class_of(al_str_n(text.data + total, text.size - total), &size) == class)
    total += size;
  return total;
}

struct symbol {
  int32_t token;
  int32_t rank, result; /* of the merge with the next one; rank INT32_MAX: none */
};

static void consider(const struct al_clip_tokenizer *tokenizer, struct symbol *symbols, size_t at, size_t n)
{
  symbols[at].rank = INT32_MAX;
  if (at + 1 >= n)
    return;
  int32_t pair[2] = { symbols[at].token, symbols[at + 1].token };
  const struct merge *merge = al_map_get(tokenizer->pairs, al_str_n((const char *)pair, sizeof pair));
  if (merge == nullptr)
    return;
  symbols[at].rank = merge->rank;
  symbols[at].result = merge->result;
}

/* Quadratic in the length of a word, with a small constant; texts are bounded. */
static size_t merge_word(const struct al_clip_tokenizer *tokenizer, struct al_str word, struct symbol *symbols)
{
  size_t n = word.size;
  for (size_t i = 0; i < n; i++) {
    uint8_t byte = (uint8_t)word.data[i];
    int32_t token = i + 1 < n ? tokenizer->bytes[byte] : tokenizer->last_bytes[byte];
    symbols[i].token = token != NONE ? token : tokenizer->end; /* CLIP's unknown token */
  }
  for (size_t i = 0; i < n; i++)
    consider(tokenizer, symbols, i, n);
  for (;;) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
      best = symbols[i].rank < symbols[best].rank ? i : best;
    if (symbols[best].rank == INT32_MAX)
      return n;
    symbols[best].token = symbols[best].result;
    n--;
    memmove(&symbols[best + 1], &symbols[best + 2], (n - best - 1) * sizeof *symbols);
    consider(tokenizer, symbols, best, n);
    if (best > 0)
      consider(tokenizer, symbols, best - 1, n);
  }
}

enum al_code al_clip_tokenizer_encode(const struct al_clip_tokenizer *tokenizer, struct al_str text, int32_t *tokens,
                                      size_t capacity, size_t *count, struct al_err *err)
{
  if (text.size > MAX_TEXT_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "a text of %zu bytes; at most %zu can be drawn", text.size, MAX_TEXT_BYTES);
  AL_CLEANUP(al_buf_done) struct al_buf normal = {};
  al_buf_init(&normal, 4 * MAX_TEXT_BYTES);
  AL_TRY(normalise(text, &normal, err));
  AL_CLEANUP(al_free_p) struct symbol *symbols = al_calloc(normal.size + 1, sizeof *symbols);
  if (symbols == nullptr)
    return al_fail_oom(err, normal.size * sizeof *symbols);
  size_t n_tokens = 0;
  struct al_str rest = al_buf_view(&normal);
  while (rest.size > 0) {
    size_t size = word_size(rest);
    size_t n = size > 0 ? merge_word(tokenizer, al_str_n(rest.data, size), symbols) : 0;
    for (size_t i = 0; i < n; i++, n_tokens++)
      if (n_tokens < capacity)
        tokens[n_tokens] = symbols[i].token;
    size = size > 0 ? size : 1; /* a space */
    rest = al_str_n(rest.data + size, rest.size - size);
  }
  *count = n_tokens;
  return AL_OK;
}
