#include "engine/llama/wordpiece.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "codec/unicode.h"
#include "codec/utf8.h"

constexpr char WORD_START[] = "\xe2\x96\x81"; /* U+2581: before the first piece of a word in libllama's vocabulary */
constexpr size_t MAX_WORD_CHARACTERS = 100;   /* a longer word is unknown */

struct special {
  struct al_str text; /* borrowed from the vocabulary */
  int32_t id;
};

struct al_wordpiece {
  struct al_map *id_of; /* piece -> &ids[id] */
  int32_t *ids;
  struct special *special;
  size_t n_special;
  size_t capacity;
  bool may_begin[256]; /* with this byte a special token may begin */
  size_t longest;      /* piece, in bytes */
  int32_t unknown;
  bool folds; /* case and accents go */
};

/* One text on its way. */
struct run {
  const struct al_wordpiece *wordpiece;
  struct al_token_sink *sink;
  struct al_buf word; /* owned; begins with WORD_START when it is not empty */
  size_t n_characters;
};

static bool meta_bool(const struct llama_model *model, const char *key, bool otherwise)
{
  char text[8];
  return llama_model_meta_val_str(model, key, text, sizeof text) > 0 ? al_streq(text, "true") : otherwise;
}

static enum al_code add_special(struct al_wordpiece *w, struct al_str text, int32_t id, struct al_err *err)
{
  void *array = w->special;
  AL_TRY(al_grow(&array, &w->capacity, w->n_special + 1, sizeof *w->special, err));
  w->special = array;
  w->special[w->n_special++] = (struct special){ text, id };
  w->may_begin[(uint8_t)text.data[0]] = true;
  return AL_OK;
}

static enum al_code take_vocabulary(struct al_wordpiece *w, const struct llama_vocab *vocab, struct al_err *err)
{
  int32_t n = llama_vocab_n_tokens(vocab);
  w->ids = al_calloc((size_t)n, sizeof *w->ids);
  w->id_of = al_map_new((size_t)n);
  if (w->ids == nullptr || w->id_of == nullptr)
    return al_fail_oom(err, (size_t)n * sizeof *w->ids);
  for (int32_t id = 0; id < n; id++) {
    struct al_str text = al_str(llama_vocab_get_text(vocab, id));
    unsigned attr = (unsigned)llama_vocab_get_attr(vocab, id);
    w->ids[id] = id;
    if (text.size == 0 || (attr & LLAMA_TOKEN_ATTR_UNUSED) != 0)
      continue;
    if ((attr & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0)
      AL_TRY(add_special(w, text, id, err));
    AL_TRY(al_map_set(w->id_of, text, &w->ids[id], err));
    w->longest = text.size > w->longest ? text.size : w->longest;
  }
  return AL_OK;
}

/* libllama, too, passes over an id that is no token's. */
static enum al_code take_unknown(struct al_wordpiece *w, const struct llama_model *model, struct al_err *err)
{
  constexpr long usual = 100; /* libllama's default */
  long n = llama_vocab_n_tokens(llama_model_get_vocab(model));
  char text[16];
  long id = llama_model_meta_val_str(model, "tokenizer.ggml.unknown_token_id", text, sizeof text) > 0
                ? strtol(text, nullptr, 10)
                : usual;
  if (id < 0 || id >= n)
    id = usual;
  if (id >= n)
    return al_fail(err, AL_MODEL_CORRUPT, "the vocabulary has no token for unknown words");
  w->unknown = (int32_t)id;
  return AL_OK;
}

enum al_code al_wordpiece_new(const struct llama_model *model, struct al_wordpiece **wordpiece, struct al_err *err)
{
  const struct llama_vocab *vocab = llama_model_get_vocab(model);
  *wordpiece = nullptr;
  if (llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_WPM)
    return AL_OK;
  AL_CLEANUP(al_wordpiece_free_p) struct al_wordpiece *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->folds = meta_bool(model, "tokenizer.ggml.normalizer.lowercase", true);
  if (meta_bool(model, "tokenizer.ggml.normalizer.strip_accents", made->folds) != made->folds)
    return AL_OK;
  AL_TRY(take_unknown(made, model, err));
  AL_TRY(take_vocabulary(made, vocab, err));
  *wordpiece = AL_TAKE(made);
  return AL_OK;
}

void al_wordpiece_free(struct al_wordpiece *wordpiece)
{
  if (wordpiece == nullptr)
    return;
  al_map_free(wordpiece->id_of);
  al_free(wordpiece->ids);
  al_free(wordpiece->special);
  al_free(wordpiece);
}

/* The longest piece at the start of the text, which is longer than `least`; *size 0: there is none. */
static int32_t longest_piece(const struct al_wordpiece *w, struct al_str text, size_t least, size_t *size)
{
  for (*size = al_min_size(text.size, w->longest); *size > least; (*size)--) {
    const int32_t *id = al_map_get(w->id_of, al_str_n(text.data, *size));
    if (id != nullptr)
      return *id;
  }
  *size = 0;
  return -1;
}

/* All pieces of the word or, when one is missing, the unknown token. */
static void end_word(struct run *run)
{
  const struct al_wordpiece *w = run->wordpiece;
  int32_t pieces[MAX_WORD_CHARACTERS + 1];
  size_t n = 0;
  if (run->n_characters == 0)
    return;
  bool known = run->n_characters <= MAX_WORD_CHARACTERS;
  for (size_t at = 0; known && at < run->word.size && n <= MAX_WORD_CHARACTERS;) {
    size_t size = 0;
    size_t least = at == 0 ? sizeof WORD_START - 1 : 0;
    struct al_str rest = al_str_n(run->word.data + at, run->word.size - at);
    /* The character itself within a word: what follows it would look like the beginning of another. */
    if (at > 0 && al_str_starts(rest, al_str(WORD_START)))
      rest.size = sizeof WORD_START - 1;
    pieces[n++] = longest_piece(w, rest, least, &size);
    known = size > 0;
    at += size;
  }
  for (size_t i = 0; known && i < n; i++)
    al_token_sink_add(run->sink, pieces[i]);
  if (!known)
    al_token_sink_add(run->sink, w->unknown);
  al_buf_clear(&run->word);
  run->n_characters = 0;
}

static void add_character(struct run *run, uint32_t c)
{
  char bytes[4];
  run->n_characters++;
  if (run->n_characters > MAX_WORD_CHARACTERS)
    return; /* unknown already */
  if (run->n_characters == 1)
    al_buf_str(&run->word, WORD_START);
  al_buf_add(&run->word, bytes, al_utf8_encode(c, bytes));
}

static bool is_sign(uint32_t c)
{
  bool ascii =
      (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) || (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
  return ascii || al_unicode_is_punctuation(c);
}

/* The blocks of ideographs of BERT's own code; later extensions are not among them. */
static bool is_ideograph(uint32_t c)
{
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* Signs are words of their own. */
static void add_normalised(struct run *run, uint32_t c)
{
  bool alone = is_sign(c);
  if (alone)
    end_word(run);
  add_character(run, c);
  if (alone)
    end_word(run);
}

static void add_folded(struct run *run, uint32_t c)
{
  uint32_t parts[AL_UNICODE_MAX_FOLD];
  int n = run->wordpiece->folds ? al_unicode_fold(c, parts) : 0;
  for (int i = 0; i < n; i++)
    add_normalised(run, parts[i]);
  if (!run->wordpiece->folds)
    add_normalised(run, c);
}

static void add_code_point(struct run *run, uint32_t c)
{
  bool breaks = c == '\t' || c == '\n' || c == '\r';
  if (c == 0 || c == AL_UTF8_REPLACEMENT || c == AL_UTF8_INVALID || (!breaks && al_unicode_is_control(c)))
    return;
  if (al_unicode_kind_of(c) == AL_UNICODE_SPACE) {
    end_word(run);
    return;
  }
  bool alone = is_ideograph(c);
  if (alone)
    end_word(run);
  add_folded(run, c);
  if (alone)
    end_word(run);
}

static const struct special *special_at(const struct al_wordpiece *w, struct al_str text)
{
  if (!w->may_begin[(uint8_t)text.data[0]])
    return nullptr;
  const struct special *best = nullptr;
  for (size_t i = 0; i < w->n_special; i++)
    if (al_str_starts(text, w->special[i].text) && (best == nullptr || best->text.size < w->special[i].text.size))
      best = &w->special[i];
  return best;
}

enum al_code al_wordpiece_run(const struct al_wordpiece *wordpiece, struct al_str text, bool with_special,
                              struct al_token_sink *sink, struct al_err *err)
{
  struct run run = { .wordpiece = wordpiece, .sink = sink };
  while (text.size > 0) {
    const struct special *special = with_special ? special_at(wordpiece, text) : nullptr;
    size_t size;
    if (special != nullptr) {
      end_word(&run);
      al_token_sink_add(sink, special->id);
      size = special->text.size;
    } else {
      uint32_t c;
      size = al_utf8_decode(text, &c);
      add_code_point(&run, c);
    }
    text = al_str_n(text.data + size, text.size - size);
  }
  end_word(&run);
  enum al_code code = al_buf_check(&run.word, err);
  al_buf_done(&run.word);
  return code;
}
