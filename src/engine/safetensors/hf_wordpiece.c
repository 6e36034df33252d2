/* WordPiece, BERT's tokenizer: libllama's "bert". Its vocabulary marks the beginnings of words (with U+2581) where that
 * of tokenizer.json marks what follows in a word (with "##"). */
#include "engine/safetensors/hf_tokenizer.h"

constexpr char WORD_START[] = "\xe2\x96\x81"; /* U+2581 */
constexpr size_t MAX_ADDED = 1 << 16;

static enum al_code unsupported(const char *what, struct al_str type, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: %s \"%.*s\" is not supported with WordPiece", what,
                 (int)al_min_size(type.size, 64), type.size > 0 ? type.data : "");
}

/* strip_accents null: as lowercase. */
static enum al_code read_normalizer(const struct al_json *normalizer, struct al_hf_tokenizer *t, struct al_err *err)
{
  struct al_str type = al_json_str(al_json_get(normalizer, "type"));
  if (!al_str_is(type, "BertNormalizer"))
    return unsupported("the normalizer", type, err);
  t->lowercase = al_json_bool(al_json_get(normalizer, "lowercase"), true);
  bool strips = al_json_bool(al_json_get(normalizer, "strip_accents"), t->lowercase);
  if (strips != t->lowercase)
    return unsupported("the normalizer", al_str("lowercase without strip_accents, or the other way round"), err);
  if (!al_json_bool(al_json_get(normalizer, "clean_text"), true) ||
      !al_json_bool(al_json_get(normalizer, "handle_chinese_chars"), true))
    return unsupported("the normalizer", al_str("without clean_text or handle_chinese_chars"), err);
  return AL_OK;
}

static enum al_code check_model(const struct al_json *root, struct al_err *err)
{
  const struct al_json *model = al_json_get(root, "model");
  struct al_str pre = al_json_str(al_json_get(al_json_get(root, "pre_tokenizer"), "type"));
  struct al_str prefix = al_json_str(al_json_get(model, "continuing_subword_prefix"));
  if (!al_str_is(pre, "BertPreTokenizer"))
    return unsupported("the pre_tokenizer", pre, err);
  if (!al_str_is(prefix, "##"))
    return unsupported("continuing_subword_prefix", prefix, err);
  if (al_json_int(al_json_get(model, "max_input_chars_per_word"), 100) != 100)
    return unsupported("max_input_chars_per_word", al_str("other than 100"), err);
  return AL_OK;
}

static enum al_code read_token(struct al_hf_tokenizer *t, const struct al_map *added, struct al_str text, int64_t id,
                               struct al_err *err)
{
  if (al_map_has(added, text))
    return al_hf_tokenizer_set(t, text, id, AL_TOKEN_NORMAL, err);
  if (al_str_starts(text, al_str("##")) && text.size > 2)
    return al_hf_tokenizer_set(t, al_str_n(text.data + 2, text.size - 2), id, AL_TOKEN_NORMAL, err);
  size_t size = sizeof WORD_START - 1 + text.size;
  char *marked = al_arena_alloc(t->arena, size + 1);
  if (marked == nullptr)
    return al_fail_oom(err, size + 1);
  memcpy(marked, WORD_START, sizeof WORD_START - 1);
  memcpy(marked + sizeof WORD_START - 1, text.data, text.size);
  return al_hf_tokenizer_set(t, al_str_n(marked, size), id, AL_TOKEN_NORMAL, err);
}

enum al_code al_hf_wordpiece_read(const struct al_json *root, struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  AL_TRY(check_model(root, err));
  AL_TRY(read_normalizer(al_json_get(root, "normalizer"), tokenizer, err));
  tokenizer->model = "bert";
  tokenizer->pre = "default";
  AL_CLEANUP(al_map_free_p) struct al_map *added = al_map_new(MAX_ADDED);
  if (added == nullptr)
    return al_fail_oom(err, 0);
  struct al_json_iter it = al_json_iter(al_json_get(root, "added_tokens"));
  while (al_json_next(&it))
    AL_TRY(al_map_set(added, al_json_str(al_json_get(it.value, "content")), added, err));
  const struct al_json *vocab = al_json_get(al_json_get(root, "model"), "vocab");
  if (al_json_kind(vocab) != AL_JSON_OBJECT || al_json_count(vocab) == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: model.vocab is missing or empty");
  it = al_json_iter(vocab);
  while (al_json_next(&it))
    AL_TRY(read_token(tokenizer, added, it.key, al_json_int(it.value, -1), err));
  return AL_OK;
}

/* What stands before and behind every text is needed: libllama aborts without. */
enum al_code al_hf_wordpiece_ends(struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  if (tokenizer->bos < 0 || tokenizer->eos < 0 || !tokenizer->add_bos || !tokenizer->add_eos || tokenizer->unknown < 0)
    return al_fail(err, AL_UNSUPPORTED,
                   "tokenizer.json: WordPiece without a token before and one behind every text is not supported");
  return AL_OK;
}

void al_hf_wordpiece_to_gguf(const struct al_hf_tokenizer *t, struct gguf_context *gguf)
{
  gguf_set_val_u32(gguf, "tokenizer.ggml.cls_token_id", (uint32_t)t->bos);
  gguf_set_val_u32(gguf, "tokenizer.ggml.seperator_token_id", (uint32_t)t->eos); /* spelt so */
  gguf_set_val_bool(gguf, "tokenizer.ggml.add_sep_token", true);
  gguf_set_val_bool(gguf, "tokenizer.ggml.normalizer.lowercase", t->lowercase);
  gguf_set_val_bool(gguf, "tokenizer.ggml.normalizer.strip_accents", t->lowercase);
}
