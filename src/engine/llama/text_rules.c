#include "engine/llama/text_rules.h"

#include "base/alloc.h"
#include "codec/utf8.h"

#include <stdlib.h>

constexpr char META_SPACE[] = "\xe2\x96\x81"; /* U+2581, what SentencePiece writes for a space */
constexpr size_t MAX_ENDS = 64;

enum prefix { PREFIX_NONE, PREFIX_FIRST, PREFIX_EACH };

struct added_token {
  struct al_str text; /* borrowed from the vocabulary */
  bool special;
};

struct al_llama_text_rules {
  bool nfc;
  enum prefix prefix;
  int32_t ends[MAX_ENDS];
  size_t n_ends;
  struct added_token *added; /* sorted by first byte, longest first */
  size_t n_added;
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

static enum al_code collect_added(const struct llama_vocab *vocab, struct al_llama_text_rules *rules,
                                  struct al_err *err)
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
    rules->added[rules->n_added++] = (struct added_token){ text, special };
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

static void read_ends(const struct llama_model *model, struct al_llama_text_rules *rules)
{
  char text[1024];
  if (llama_model_meta_val_str(model, "allm.tokenizer.eos_token_ids", text, sizeof text) <= 0)
    return;
  const char *at = text;
  while (rules->n_ends < MAX_ENDS) {
    char *end = nullptr;
    long id = strtol(at, &end, 10);
    if (end == at)
      return;
    rules->ends[rules->n_ends++] = (int32_t)id;
    at = end;
  }
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
  read_ends(model, made);
  *rules = nullptr;
  if (!made->nfc && made->prefix == PREFIX_NONE && made->n_ends == 0)
    return AL_OK;
  AL_TRY(collect_added(llama_model_get_vocab(model), made, err));
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

/* The size of the longest added token at the start of the text, 0 when there is none. */
static size_t added_at(const struct al_llama_text_rules *rules, struct al_str text, bool with_special)
{
  unsigned byte = (uint8_t)text.data[0];
  for (size_t i = rules->first_with[byte]; i < rules->first_with[byte + 1]; i++)
    if ((with_special || !rules->added[i].special) && al_str_starts(text, rules->added[i].text))
      return rules->added[i].text.size;
  return 0;
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
  if (rules == nullptr || text.size == 0 || (rules->prefix == PREFIX_NONE && (!rules->nfc || is_ascii(text))))
    return AL_OK;
  size_t from = 0;
  for (size_t at = 0; at < text.size;) {
    size_t size = added_at(rules, al_str_n(text.data + at, text.size - at), with_special);
    if (size > 0) {
      add_stretch(rules, al_str_n(text.data + from, at - from), from == 0, room);
      al_buf_add(room, text.data + at, size);
      from = at + size;
    }
    at += size > 0 ? size : 1;
  }
  add_stretch(rules, al_str_n(text.data + from, text.size - from), from == 0, room);
  AL_TRY(al_buf_check(room, err));
  *out = al_buf_view(room);
  return AL_OK;
}
