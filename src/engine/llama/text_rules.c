#include "engine/llama/text_rules.h"
#include "engine/llama/tokenizer.h"

#include "base/alloc.h"
#include "codec/utf8.h"

#include <stdlib.h>

constexpr char META_SPACE[] = "\xe2\x96\x81"; /* U+2581, what SentencePiece writes for a space */
constexpr size_t MAX_ENDS = 64;

enum prefix { PREFIX_NONE, PREFIX_FIRST, PREFIX_EACH };

enum eats { EATS_LEFT = 1, EATS_RIGHT = 2 }; /* the white space before the token, behind it */

struct added_token {
  struct al_str text; /* borrowed from the vocabulary */
  int32_t id;
  bool special;
  uint8_t eats; /* of enum eats */
};

struct al_llama_text_rules {
  bool nfc;
  enum prefix prefix;
  int32_t behind_bos; /* -1: none */
  int32_t ends[MAX_ENDS];
  size_t n_ends;
  struct added_token *added; /* sorted by first byte, longest first */
  size_t n_added;
  bool any_eats;
  size_t first_with[257]; /* index into `added` by first byte; [256] is the end */
};

/* Tokens that are found in the text before it is split: those cut it into stretches. */
static bool is_added(enum llama_token_attr attr)
{
  return ((unsigned)attr & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0;
}

static int by_first_byte(const void *left, const void *right)
{
  const struct added_token *a = left;
  const struct added_token *b = right;
  int byte_a = (uint8_t)a->text.data[0];
  int byte_b = (uint8_t)b->text.data[0];
  if (byte_a != byte_b)
    return byte_a - byte_b;
  return (a->text.size < b->text.size) - (a->text.size > b->text.size);
}

static enum al_code collect_added(const struct llama_vocab *vocab, const uint8_t *eats,
                                  struct al_llama_text_rules *rules, struct al_err *err)
{
  size_t capacity = 0;
  for (int32_t id = 0; id < llama_vocab_n_tokens(vocab); id++) {
    enum llama_token_attr attr = llama_vocab_get_attr(vocab, id);
    struct al_str text = al_str(llama_vocab_get_text(vocab, id));
    if (!is_added(attr) || text.size == 0)
      continue;
    void *array = rules->added;
    AL_TRY(al_grow(&array, &capacity, rules->n_added + 1, sizeof *rules->added, err));
    rules->added = array;
    bool special = ((unsigned)attr & LLAMA_TOKEN_ATTR_USER_DEFINED) == 0;
    rules->added[rules->n_added++] = (struct added_token){ text, id, special, eats[id] };
    rules->any_eats = rules->any_eats || eats[id] != 0;
  }
  if (rules->n_added > 0)
    qsort(rules->added, rules->n_added, sizeof *rules->added, by_first_byte);
  size_t i = 0;
  for (int byte = 0; byte <= 256; byte++) {
    while (i < rules->n_added && (uint8_t)rules->added[i].text.data[0] < byte)
      i++;
    rules->first_with[byte] = i;
  }
  return AL_OK;
}

static bool meta_is(const struct llama_model *model, const char *key, const char *value)
{
  char text[32];
  return llama_model_meta_val_str(model, key, text, sizeof text) > 0 && al_streq(text, value);
}

/* A key of ours that holds numbers; *room owns the text. "" when it is absent. */
static enum al_code numbers(const struct llama_model *model, const char *key, struct al_buf *room, const char **text,
                            struct al_err *err)
{
  char probe[1];
  int32_t size = llama_model_meta_val_str(model, key, probe, sizeof probe);
  *text = "";
  if (size <= 0)
    return AL_OK;
  char *value = al_buf_room(room, (size_t)size + 1);
  if (value == nullptr)
    return al_buf_check(room, err);
  (void)llama_model_meta_val_str(model, key, value, (size_t)size + 1);
  *text = value;
  return AL_OK;
}

static bool next_number(const char **at, int32_t *number)
{
  char *end = nullptr;
  long value = strtol(*at, &end, 10);
  if (end == *at)
    return false;
  *at = end;
  *number = (int32_t)value;
  return true;
}

static enum al_code read_ends(const struct llama_model *model, struct al_llama_text_rules *rules, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf room = {};
  const char *at;
  AL_TRY(numbers(model, "allm.tokenizer.eos_token_ids", &room, &at, err));
  while (rules->n_ends < MAX_ENDS && next_number(&at, &rules->ends[rules->n_ends]))
    rules->n_ends++;
  return AL_OK;
}

static enum al_code read_behind_bos(const struct llama_model *model, struct al_llama_text_rules *rules,
                                    struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf room = {};
  const char *at;
  int32_t id;
  AL_TRY(numbers(model, "allm.tokenizer.behind_bos_id", &room, &at, err));
  int32_t n_tokens = llama_vocab_n_tokens(llama_model_get_vocab(model));
  rules->behind_bos = next_number(&at, &id) && id >= 0 && id < n_tokens ? id : -1;
  return AL_OK;
}

/* eats: of each token, bits of enum eats. */
static enum al_code read_eating(const struct llama_model *model, const char *key, enum eats bit, uint8_t *eats,
                                struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf room = {};
  int32_t n_tokens = llama_vocab_n_tokens(llama_model_get_vocab(model));
  const char *at;
  int32_t id;
  AL_TRY(numbers(model, key, &room, &at, err));
  while (next_number(&at, &id))
    if (id >= 0 && id < n_tokens)
      eats[id] |= (uint8_t)bit;
  return AL_OK;
}

static enum al_code read_added(const struct llama_model *model, struct al_llama_text_rules *rules, struct al_err *err)
{
  const struct llama_vocab *vocab = llama_model_get_vocab(model);
  size_t n_tokens = (size_t)llama_vocab_n_tokens(vocab);
  AL_CLEANUP(al_free_p) uint8_t *eats = al_calloc(n_tokens, sizeof *eats);
  if (eats == nullptr)
    return al_fail_oom(err, n_tokens);
  AL_TRY(read_eating(model, "allm.tokenizer.lstrip_ids", EATS_LEFT, eats, err));
  AL_TRY(read_eating(model, "allm.tokenizer.rstrip_ids", EATS_RIGHT, eats, err));
  return collect_added(vocab, eats, rules, err);
}

enum al_code al_llama_text_rules_new(const struct llama_model *model, struct al_llama_text_rules **rules,
                                     struct al_err *err)
{
  AL_CLEANUP(al_llama_text_rules_free_p) struct al_llama_text_rules *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->nfc = meta_is(model, "tokenizer.ggml.normalizer.nfc", "true");
  if (meta_is(model, "allm.tokenizer.space_prefix", "first"))
    made->prefix = PREFIX_FIRST;
  else if (meta_is(model, "allm.tokenizer.space_prefix", "each"))
    made->prefix = PREFIX_EACH;
  AL_TRY(read_ends(model, made, err));
  AL_TRY(read_behind_bos(model, made, err));
  AL_TRY(read_added(model, made, err));
  *rules = nullptr;
  if (!made->nfc && made->prefix == PREFIX_NONE && made->n_ends == 0 && !made->any_eats && made->behind_bos < 0 &&
      !al_llama_tokenizer_wanted(model))
    return AL_OK;
  *rules = AL_TAKE(made);
  return AL_OK;
}

void al_llama_text_rules_free(struct al_llama_text_rules *rules)
{
  if (rules == nullptr)
    return;
  al_free(rules->added);
  al_free(rules);
}

bool al_llama_text_rules_end(const struct al_llama_text_rules *rules, int32_t token)
{
  for (size_t i = 0; rules != nullptr && i < rules->n_ends; i++)
    if (rules->ends[i] == token)
      return true;
  return false;
}

/* The longest added token at the start of the text, nullptr when there is none. */
static const struct added_token *added_at(const struct al_llama_text_rules *rules, struct al_str text,
                                          bool with_special)
{
  unsigned byte = (uint8_t)text.data[0];
  for (size_t i = rules->first_with[byte]; i < rules->first_with[byte + 1]; i++)
    if ((with_special || !rules->added[i].special) && al_str_starts(text, rules->added[i].text))
      return &rules->added[i];
  return nullptr;
}

int32_t al_llama_text_rules_behind_bos(const struct al_llama_text_rules *rules)
{
  return rules != nullptr ? rules->behind_bos : -1;
}

size_t al_llama_text_rules_added(const struct al_llama_text_rules *rules, struct al_str text, bool with_special,
                                 int32_t *token)
{
  const struct added_token *added = rules != nullptr ? added_at(rules, text, with_special) : nullptr;
  if (added == nullptr)
    return 0;
  *token = added->id;
  return added->text.size;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c)
{
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static size_t spaces_at_start(struct al_str text)
{
  size_t at = 0;
  while (at < text.size) {
    uint32_t c;
    size_t n = al_utf8_decode(al_str_n(text.data + at, text.size - at), &c);
    if (!is_space(c))
      break;
    at += n;
  }
  return at;
}

static size_t without_spaces_at_end(struct al_str text)
{
  size_t end = text.size;
  while (end > 0) {
    size_t start = end - 1;
    while (start > 0 && ((uint8_t)text.data[start] & 0xc0) == 0x80)
      start--;
    uint32_t c;
    if (al_utf8_decode(al_str_n(text.data + start, end - start), &c) != end - start || !is_space(c))
      break;
    end = start;
  }
  return end;
}

static bool starts_with_space(struct al_str text)
{
  return text.data[0] == ' ' || al_str_starts(text, al_str(META_SPACE));
}

static void add_stretch(const struct al_llama_text_rules *rules, struct al_str stretch, bool first, struct al_buf *room)
{
  if (stretch.size == 0)
    return;
  bool wanted = rules->prefix == PREFIX_EACH || (rules->prefix == PREFIX_FIRST && first);
  if (wanted && !starts_with_space(stretch))
    al_buf_char(room, ' ');
  size_t before = room->size;
  if (rules->nfc && al_utf8_nfc(stretch, room, nullptr) == AL_OK)
    return;
  if (!room->failed)
    room->size = before; /* no UTF-8: it stays as it is */
  al_buf_add(room, stretch.data, stretch.size);
}

static bool is_ascii(struct al_str text)
{
  for (size_t i = 0; i < text.size; i++)
    if ((uint8_t)text.data[i] >= 0x80)
      return false;
  return true;
}

enum al_code al_llama_text_rules_apply(const struct al_llama_text_rules *rules, struct al_str text, bool with_special,
                                       struct al_buf *room, struct al_str *out, struct al_err *err)
{
  *out = text;
  bool bare = rules == nullptr || (rules->prefix == PREFIX_NONE && !rules->any_eats && (!rules->nfc || is_ascii(text)));
  if (bare || text.size == 0)
    return AL_OK;
  size_t from = 0;
  for (size_t at = 0; at < text.size;) {
    const struct added_token *token = added_at(rules, al_str_n(text.data + at, text.size - at), with_special);
    if (token == nullptr) {
      at++;
      continue;
    }
    struct al_str stretch = al_str_n(text.data + from, at - from);
    if ((token->eats & EATS_LEFT) != 0)
      stretch.size = without_spaces_at_end(stretch);
    add_stretch(rules, stretch, from == 0, room);
    al_buf_add(room, token->text.data, token->text.size);
    at += token->text.size;
    if ((token->eats & EATS_RIGHT) != 0)
      at += spaces_at_start(al_str_n(text.data + at, text.size - at));
    from = at;
  }
  add_stretch(rules, al_str_n(text.data + from, text.size - from), from == 0, room);
  AL_TRY(al_buf_check(room, err));
  *out = al_buf_view(room);
  return AL_OK;
}
