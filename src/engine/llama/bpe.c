/* Merges are found by hash of the two tokens they join. A word is a list of symbols; the pairs of neighbours that may
 * be merged wait in a heap, the merge learnt first on top, the leftmost among equals. */
#include "engine/llama/bpe.h"

#include "base/alloc.h"
#include "base/map.h"
#include "codec/utf8.h"

#include <limits.h>

constexpr size_t MAX_TOKENS = 1 << 24;
constexpr size_t MAX_TOKEN_BYTES = 512; /* of a token that is looked up as a whole word */
constexpr int32_t NONE = -1;

/* A byte as GPT-2 writes it in the texts of tokens. */
struct letter {
  char utf8[4];
  size_t size;
};

struct merge {
  int32_t left, right; /* left NONE: the slot is free */
  int32_t result;
  int32_t rank;
};

struct al_bpe {
  int32_t of_byte[256];
  struct letter letters[256];
  struct merge *merges; /* a hash table with open addressing */
  size_t mask;          /* its size less 1, a power of two less 1 */
  struct al_map *words; /* the tokens by text; nullptr: whole words are not looked up */
  uint8_t *ids;         /* what `words` points into: entry - ids is the token */
};

struct symbol {
  int32_t token;
  int32_t left, right; /* neighbours' indexes, NONE at the ends */
};

struct pair {
  int32_t rank;
  int32_t at; /* index of the left symbol */
  int32_t left, right, result;
};

void al_token_sink_add(struct al_token_sink *sink, int32_t token)
{
  if (sink->count < sink->capacity)
    sink->tokens[sink->count] = token;
  sink->count++;
}

static size_t hash(int32_t left, int32_t right)
{
  uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  key *= UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(key >> 32);
}

static struct merge *slot_of(const struct al_bpe *bpe, int32_t left, int32_t right)
{
  size_t i = hash(left, right) & bpe->mask;
  while (bpe->merges[i].left != NONE && (bpe->merges[i].left != left || bpe->merges[i].right != right))
    i = (i + 1) & bpe->mask;
  return &bpe->merges[i];
}

/* GPT-2's alphabet: printable characters of Latin-1 stand for themselves, the other bytes for U+0100 and on. */
static uint32_t letter_of_byte(unsigned byte)
{
  uint32_t n_others = 0;
  for (unsigned b = 0; b <= byte; b++) {
    bool plain = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    if (b == byte && plain)
      return byte;
    n_others += !plain;
  }
  return 0xff + n_others;
}

struct source {
  const struct gguf_context *gguf;
  int64_t tokens, merges; /* keys */
  size_t n_tokens, n_merges;
  struct al_map *ids; /* text -> entry of al_bpe.ids */
};

static int64_t find_strings(const struct gguf_context *gguf, const char *name)
{
  int64_t key = gguf_find_key(gguf, name);
  bool strings =
      key >= 0 && gguf_get_kv_type(gguf, key) == GGUF_TYPE_ARRAY && gguf_get_arr_type(gguf, key) == GGUF_TYPE_STRING;
  return strings ? key : -1;
}

static int32_t id_of(const struct al_bpe *bpe, const struct source *source, struct al_str text)
{
  const uint8_t *entry = al_map_get(source->ids, text);
  return entry == nullptr ? NONE : (int32_t)(entry - bpe->ids);
}

static enum al_code read_tokens(struct al_bpe *bpe, struct source *source, struct al_err *err)
{
  bpe->ids = al_calloc(source->n_tokens + 1, 1);
  source->ids = al_map_new(source->n_tokens + 1);
  if (bpe->ids == nullptr || source->ids == nullptr)
    return al_fail_oom(err, source->n_tokens);
  for (size_t i = source->n_tokens; i-- > 0;) /* of tokens with one text the first counts */
    AL_TRY(al_map_set(source->ids, al_str(gguf_get_arr_str(source->gguf, source->tokens, i)), &bpe->ids[i], err));
  return AL_OK;
}

static bool read_bytes(struct al_bpe *bpe, const struct source *source)
{
  for (unsigned byte = 0; byte < 256; byte++) {
    struct letter *letter = &bpe->letters[byte];
    letter->size = al_utf8_encode(letter_of_byte(byte), letter->utf8);
    bpe->of_byte[byte] = id_of(bpe, source, al_str_n(letter->utf8, letter->size));
    if (bpe->of_byte[byte] == NONE)
      return false;
  }
  return true;
}

/* "left right"; what is not made of tokens is left out. */
static void add_merge(struct al_bpe *bpe, const struct source *source, size_t rank)
{
  struct al_str text = al_str(gguf_get_arr_str(source->gguf, source->merges, rank));
  const char *space = text.size > 1 ? memchr(text.data + 1, ' ', text.size - 1) : nullptr;
  if (space == nullptr)
    return;
  size_t left_size = (size_t)(space - text.data);
  size_t right_size = text.size - left_size - 1;
  char joined[1024];
  if (left_size + right_size > sizeof joined)
    return;
  memcpy(joined, text.data, left_size);
  memcpy(joined + left_size, space + 1, right_size);
  int32_t left = id_of(bpe, source, al_str_n(joined, left_size));
  int32_t right = id_of(bpe, source, al_str_n(joined + left_size, right_size));
  int32_t result = id_of(bpe, source, al_str_n(joined, left_size + right_size));
  if (left == NONE || right == NONE || result == NONE)
    return;
  struct merge *slot = slot_of(bpe, left, right);
  if (slot->left == NONE)
    *slot = (struct merge){ left, right, result, (int32_t)rank };
}

static enum al_code read_merges(struct al_bpe *bpe, const struct source *source, struct al_err *err)
{
  size_t size = 2;
  while (size < 2 * source->n_merges)
    size *= 2;
  bpe->mask = size - 1;
  bpe->merges = al_calloc(size, sizeof *bpe->merges);
  if (bpe->merges == nullptr)
    return al_fail_oom(err, size * sizeof *bpe->merges);
  for (size_t i = 0; i < size; i++)
    bpe->merges[i].left = NONE;
  for (size_t i = 0; i < source->n_merges; i++)
    add_merge(bpe, source, i);
  return AL_OK;
}

static void source_done(struct source *source)
{
  al_map_free(source->ids);
}

enum al_code al_bpe_new(const struct gguf_context *gguf, bool whole_words, struct al_bpe **bpe, struct al_err *err)
{
  AL_CLEANUP(source_done) struct source source = {
    .gguf = gguf,
    .tokens = find_strings(gguf, "tokenizer.ggml.tokens"),
    .merges = find_strings(gguf, "tokenizer.ggml.merges"),
  };
  *bpe = nullptr;
  if (source.tokens < 0 || source.merges < 0)
    return AL_OK;
  source.n_tokens = gguf_get_arr_n(gguf, source.tokens);
  source.n_merges = gguf_get_arr_n(gguf, source.merges);
  if (source.n_tokens > MAX_TOKENS || source.n_merges > MAX_TOKENS)
    return al_fail(err, AL_MODEL_CORRUPT, "the vocabulary has more than %zu tokens or merges", MAX_TOKENS);
  AL_CLEANUP(al_bpe_free_p) struct al_bpe *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  AL_TRY(read_tokens(made, &source, err));
  if (!read_bytes(made, &source))
    return AL_OK;
  AL_TRY(read_merges(made, &source, err));
  if (whole_words) {
    made->words = source.ids;
    source.ids = nullptr;
  }
  *bpe = AL_TAKE(made);
  return AL_OK;
}

void al_bpe_free(struct al_bpe *bpe)
{
  if (bpe == nullptr)
    return;
  al_map_free(bpe->words);
  al_free(bpe->ids);
  al_free(bpe->merges);
  al_free(bpe);
}

void al_bpe_room_done(struct al_bpe_room *room)
{
  al_free(room->symbols);
  al_free(room->pairs);
  *room = (struct al_bpe_room){};
}

/* A word being merged. Each merge takes a pair away and adds two at most, so 3n pairs are enough for n symbols. */
struct work {
  const struct al_bpe *bpe;
  struct symbol *symbols;
  struct pair *heap;
  size_t n_pairs;
};

static bool goes_before(const struct pair *a, const struct pair *b)
{
  return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(struct work *work, struct pair pair)
{
  size_t i = work->n_pairs++;
  while (i > 0 && goes_before(&pair, &work->heap[(i - 1) / 2])) {
    work->heap[i] = work->heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  work->heap[i] = pair;
}

static struct pair pop(struct work *work)
{
  struct pair top = work->heap[0];
  struct pair last = work->heap[--work->n_pairs];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child + 1 < work->n_pairs && goes_before(&work->heap[child + 1], &work->heap[child]))
      child++;
    if (child >= work->n_pairs || !goes_before(&work->heap[child], &last))
      break;
    work->heap[i] = work->heap[child];
    i = child;
  }
  work->heap[i] = last;
  return top;
}

/* Considers the symbol at `at` and the one to its right. */
static void consider(struct work *work, int32_t at)
{
  if (at == NONE || work->symbols[at].right == NONE)
    return;
  int32_t left = work->symbols[at].token;
  int32_t right = work->symbols[work->symbols[at].right].token;
  const struct merge *merge = slot_of(work->bpe, left, right);
  if (merge->left != NONE)
    push(work, (struct pair){ merge->rank, at, left, right, merge->result });
}

/* Nothing, when one of the two has been merged meanwhile. */
static void merge_pair(struct work *work, const struct pair *pair)
{
  struct symbol *left = &work->symbols[pair->at];
  if (left->token != pair->left || left->right == NONE || work->symbols[left->right].token != pair->right)
    return;
  struct symbol *right = &work->symbols[left->right];
  left->token = pair->result;
  left->right = right->right;
  right->token = NONE;
  if (left->right != NONE)
    work->symbols[left->right].left = pair->at;
  consider(work, left->left);
  consider(work, pair->at);
}

static enum al_code make_room(struct al_bpe_room *room, size_t n, struct al_err *err)
{
  AL_TRY(al_grow(&room->symbols, &room->n_symbols, n, sizeof(struct symbol), err));
  return al_grow(&room->pairs, &room->n_pairs, 3 * n, sizeof(struct pair), err);
}

static int32_t whole_word(const struct al_bpe *bpe, struct al_str word)
{
  char text[2 * MAX_TOKEN_BYTES];
  size_t size = 0;
  if (bpe->words == nullptr || word.size > MAX_TOKEN_BYTES)
    return NONE;
  for (size_t i = 0; i < word.size; i++) {
    const struct letter *letter = &bpe->letters[(uint8_t)word.data[i]];
    memcpy(text + size, letter->utf8, letter->size);
    size += letter->size;
  }
  const uint8_t *entry = al_map_get(bpe->words, al_str_n(text, size));
  return entry == nullptr ? NONE : (int32_t)(entry - bpe->ids);
}

enum al_code al_bpe_add(const struct al_bpe *bpe, struct al_str word, struct al_bpe_room *room,
                        struct al_token_sink *sink, struct al_err *err)
{
  int32_t whole = whole_word(bpe, word);
  if (whole != NONE) {
    al_token_sink_add(sink, whole);
    return AL_OK;
  }
  if (word.size > INT_MAX / 4)
    return al_fail(err, AL_INVALID_REQUEST, "a word of %zu bytes is too long to tokenise", word.size);
  AL_TRY(make_room(room, word.size, err));
  struct work work = { .bpe = bpe, .symbols = room->symbols, .heap = room->pairs };
  int32_t n = (int32_t)word.size;
  for (int32_t i = 0; i < n; i++)
    work.symbols[i] = (struct symbol){ bpe->of_byte[(uint8_t)word.data[i]], i - 1, i + 1 < n ? i + 1 : NONE };
  for (int32_t i = 0; i < n; i++)
    consider(&work, i);
  while (work.n_pairs > 0) {
    struct pair top = pop(&work);
    merge_pair(&work, &top);
  }
  for (int32_t i = 0; i < n && i != NONE; i = work.symbols[i].right)
    al_token_sink_add(sink, work.symbols[i].token);
  return AL_OK;
}
