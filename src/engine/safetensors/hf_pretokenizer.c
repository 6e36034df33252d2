/* How text is normalised and cut before merging. libllama knows the rules of many models by name; the rule of a
 * tokenizer.json is found among them by its regular expression. */
#include "engine/safetensors/hf_tokenizer.h"

/* The regular expressions are those that the models' tokenizer.json state. */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS        "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SPACES       "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD         "[^\\r\\n\\p{L}\\p{N}]?"
#define PATH_SIGNS   " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define O200K                                                                                                          \
  LEAD UPPER "*" LOWER "+" CONTRACTIONS "?|" LEAD UPPER "+" LOWER "*" CONTRACTIONS "?|\\p{N}{1,3}|" PATH_SIGNS         \
             "|" SPACES
#define TEKKEN LEAD UPPER "*" LOWER "+|" LEAD UPPER "+" LOWER "*|\\p{N}|" PATH_SIGNS "|" SPACES

static const struct {
  const char *regex;
  bool ignore_merges; /* a piece that is a token as a whole is not merged; libllama ties this to the name */
  const char *pre;
} splits[] = {
  { CONTRACTIONS "|" WORDS "|\\p{N}|" SIGNS "|" SPACES, false, "qwen2" },
  { CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" SIGNS "|" SPACES, true, "llama-bpe" },
  { CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" SIGNS "|" SPACES, false, "glm4" },
  /* Our own tokenizer takes these, with ignore_merges or without (engine/llama/tokenizer.h). */
  { O200K, false, "gpt-4o" },
  { O200K, true, "gpt-4o" },
  { TEKKEN, false, "tekken" },
  { TEKKEN, true, "tekken" },
  { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", false, "gpt-2" },
};

constexpr char META_SPACE[] = "\xe2\x96\x81"; /* U+2581 */

static struct al_str type_of(const struct al_json *value)
{
  return al_json_str(al_json_get(value, "type"));
}

static enum al_code unsupported(const char *what, struct al_str type, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: %s \"%.*s\" is not supported here", what,
                 (int)al_min_size(type.size, 64), type.size > 0 ? type.data : "");
}

static enum al_code find_split(struct al_str regex, bool ignore_merges, struct al_hf_tokenizer *tokenizer,
                               struct al_err *err)
{
  for (size_t i = 0; i < AL_COUNT(splits); i++)
    if (al_str_is(regex, splits[i].regex) && splits[i].ignore_merges == ignore_merges) {
      tokenizer->pre = splits[i].pre;
      tokenizer->ignore_merges = ignore_merges;
      return AL_OK;
    }
  return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: text is split by a rule that is not known here%s: %.*s",
                 ignore_merges ? " (with ignore_merges)" : "", (int)al_min_size(regex.size, 350),
                 regex.size > 0 ? regex.data : "");
}

static enum al_code check_byte_level(const struct al_json *step, struct al_err *err)
{
  if (al_json_bool(al_json_get(step, "add_prefix_space"), true))
    return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: ByteLevel with add_prefix_space is not supported here");
  return AL_OK;
}

/* Split by a regular expression, then ByteLevel without its own. */
static enum al_code read_split(const struct al_json *split, const struct al_json *bytes, bool ignore_merges,
                               struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  /* The rule matches all of the text: to cut at the matches, or to drop what is between them, is the same. */
  bool inverted = al_json_bool(al_json_get(split, "invert"), false);
  bool isolated = al_str_is(al_json_str(al_json_get(split, "behavior")), inverted ? "Removed" : "Isolated");
  if (!isolated || al_json_bool(al_json_get(bytes, "use_regex"), true))
    return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: the pre_tokenizer splits in a way that is not known here");
  AL_TRY(check_byte_level(bytes, err));
  struct al_str regex = al_json_str(al_json_get(al_json_get(split, "pattern"), "Regex"));
  return find_split(regex, ignore_merges, tokenizer, err);
}

static enum al_code read_byte_level(const struct al_json *pre, bool ignore_merges, struct al_hf_tokenizer *tokenizer,
                                    struct al_err *err)
{
  tokenizer->model = "gpt2";
  if (al_str_is(type_of(pre), "ByteLevel")) {
    AL_TRY(check_byte_level(pre, err));
    if (!al_json_bool(al_json_get(pre, "use_regex"), true) || ignore_merges)
      return unsupported("the pre_tokenizer", al_str("ByteLevel without a rule"), err);
    tokenizer->pre = "gpt-2";
    return AL_OK;
  }
  const struct al_json *steps = al_json_get(pre, "pretokenizers");
  if (!al_str_is(type_of(pre), "Sequence") || al_json_count(steps) != 2)
    return unsupported("the pre_tokenizer", type_of(pre), err);
  const struct al_json *first = al_json_at(steps, 0);
  const struct al_json *second = al_json_at(steps, 1);
  if (!al_str_is(type_of(second), "ByteLevel"))
    return unsupported("the pre_tokenizer", type_of(second), err);
  if (al_str_is(type_of(first), "Split"))
    return read_split(first, second, ignore_merges, tokenizer, err);
  bool digits = al_str_is(type_of(first), "Digits") && al_json_bool(al_json_get(first, "individual_digits"), false) &&
                al_json_bool(al_json_get(second, "use_regex"), true) && !ignore_merges;
  if (!digits)
    return unsupported("the pre_tokenizer", type_of(first), err);
  tokenizer->pre = "smollm";
  return check_byte_level(second, err);
}

/* Metaspace: spaces become U+2581, and one may be put before. Splitting at spaces changes nothing unless a token has a
 * space inside; U+2581 stands at the start of tokens only. */
static enum al_code read_metaspace(const struct al_json *pre, struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  if (!al_str_is(type_of(pre), "Metaspace") || !al_str_is(al_json_str(al_json_get(pre, "replacement")), META_SPACE) ||
      al_json_bool(al_json_get(pre, "split"), true))
    return unsupported("the pre_tokenizer", type_of(pre), err);
  struct al_str scheme = al_json_str(al_json_get(pre, "prepend_scheme"));
  if (al_str_is(scheme, "never"))
    tokenizer->space_prefix = AL_SPACE_PREFIX_NEVER;
  else if (al_str_is(scheme, "first"))
    tokenizer->space_prefix = AL_SPACE_PREFIX_FIRST;
  else
    tokenizer->space_prefix = AL_SPACE_PREFIX_EACH;
  return AL_OK;
}

/* Gemma's: cut at spaces, of which the normalizer has left none. */
static bool is_idle_split(const struct al_json *pre)
{
  return al_str_is(type_of(pre), "Split") &&
         al_str_is(al_json_str(al_json_get(al_json_get(pre, "pattern"), "String")), " ");
}

static enum al_code read_normalizer(const struct al_json *step, struct al_hf_tokenizer *tokenizer, bool *replaces,
                                    struct al_err *err)
{
  if (al_json_kind(step) != AL_JSON_OBJECT)
    return AL_OK;
  struct al_str type = type_of(step);
  bool spm = al_streq(tokenizer->model, "llama");
  if (al_str_is(type, "Sequence")) {
    struct al_json_iter it = al_json_iter(al_json_get(step, "normalizers"));
    while (al_json_next(&it)) {
      if (al_str_is(type_of(it.value), "Sequence"))
        return unsupported("the normalizer", type, err);
      AL_TRY(read_normalizer(it.value, tokenizer, replaces, err));
    }
    return AL_OK;
  }
  if (al_str_is(type, "NFC")) {
    tokenizer->nfc = true;
    return AL_OK;
  }
  if (spm && al_str_is(type, "Prepend") && al_str_is(al_json_str(al_json_get(step, "prepend")), META_SPACE)) {
    tokenizer->space_prefix = AL_SPACE_PREFIX_ADDED;
    return AL_OK;
  }
  const struct al_json *pattern = al_json_get(step, "pattern");
  *replaces = spm && al_str_is(type, "Replace") && al_str_is(al_json_str(al_json_get(pattern, "String")), " ") &&
              al_str_is(al_json_str(al_json_get(step, "content")), META_SPACE);
  return *replaces ? AL_OK : unsupported("the normalizer", type, err);
}

enum al_code al_hf_pretokenizer_read(const struct al_json *root, struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  const struct al_json *model = al_json_get(root, "model");
  const struct al_json *pre = al_json_get(root, "pre_tokenizer");
  bool ignore_merges = al_json_bool(al_json_get(model, "ignore_merges"), false);
  bool replaces = false;
  if (!al_json_bool(al_json_get(model, "byte_fallback"), false)) {
    AL_TRY(read_byte_level(pre, ignore_merges, tokenizer, err));
    return read_normalizer(al_json_get(root, "normalizer"), tokenizer, &replaces, err);
  }
  tokenizer->model = "llama";
  tokenizer->pre = "default";
  if (ignore_merges)
    return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: byte_fallback with ignore_merges is not supported here");
  AL_TRY(read_normalizer(al_json_get(root, "normalizer"), tokenizer, &replaces, err));
  if (al_json_kind(pre) == AL_JSON_OBJECT && !(replaces && is_idle_split(pre)))
    return read_metaspace(pre, tokenizer, err);
  return replaces ? AL_OK : unsupported("the normalizer", al_str("without Replace"), err);
}
