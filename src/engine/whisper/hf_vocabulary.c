#include "engine/whisper/hf_vocabulary.h"

#include "base/alloc.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "engine/safetensors/hf_config.h"

constexpr size_t MAX_TOKENIZER_BYTES = (size_t)64 << 20;
constexpr size_t MAX_TOKEN_BYTES = 4096; /* codec/whisper_file.c's own */

struct vocabulary {
  const char *file;      /* for messages */
  struct al_str *tokens; /* [n_tokens], as the file writes them; data nullptr: none */
  int32_t n_tokens;
};

/* GPT-2 writes each byte as a character that can be seen: those of Latin-1 that can stand for themselves, the others
 * follow from U+0100 in the order of their bytes. */
static bool stands_for_itself(uint32_t c)
{
  return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

static int byte_of(uint32_t c)
{
  if (stands_for_itself(c))
    return (int)c;
  uint32_t number = 256;
  for (uint32_t byte = 0; byte < 256; byte++)
    if (!stands_for_itself(byte) && number++ == c)
      return (int)byte;
  return -1;
}

static enum al_code take_tokens(struct vocabulary *v, const struct al_json *object, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it)) {
    int64_t id = al_json_int(it.value, -1);
    if (id < 0)
      return al_fail(err, AL_MODEL_CORRUPT, "%s: the token \"%.*s\" has no id", v->file,
                     (int)al_min_size(it.key.size, 100), it.key.data);
    if (id >= v->n_tokens) /* a special one */
      continue;
    if (v->tokens[id].data != nullptr)
      return al_fail(err, AL_MODEL_CORRUPT, "%s: two tokens have the id %lld", v->file, (long long)id);
    v->tokens[id] = it.key;
  }
  return AL_OK;
}

/* Appends the bytes; whatever is not written in GPT-2's way keeps its own ("<|unused_7|>" has only such). */
static enum al_code write_token(const struct vocabulary *v, int32_t id, struct al_buf *out, bool *is_space,
                                struct al_err *err)
{
  char bytes[MAX_TOKEN_BYTES];
  uint32_t size = 0;
  struct al_str text = v->tokens[id];
  while (text.size > 0) {
    uint32_t c = 0;
    size_t n = al_utf8_decode(text, &c);
    int byte = c == AL_UTF8_INVALID ? -1 : byte_of(c);
    if (byte < 0)
      return al_fail(err, AL_MODEL_CORRUPT, "%s: token %d is not written in bytes", v->file, id);
    if (size == MAX_TOKEN_BYTES)
      return al_fail(err, AL_MODEL_CORRUPT, "%s: token %d is longer than %zu bytes", v->file, id, MAX_TOKEN_BYTES);
    bytes[size++] = (char)byte;
    text = al_str_n(text.data + n, text.size - n);
  }
  *is_space = size == 1 && bytes[0] == ' ';
  const uint8_t head[] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24) };
  al_buf_add(out, head, sizeof head);
  al_buf_add(out, bytes, size);
  return AL_OK;
}

static enum al_code write_all(const struct vocabulary *v, struct al_buf *out, bool *has_space, struct al_err *err)
{
  *has_space = false;
  for (int32_t id = 0; id < v->n_tokens; id++) {
    bool is_space = false;
    AL_TRY(write_token(v, id, out, &is_space, err));
    *has_space = *has_space || is_space;
  }
  return al_buf_check(out, err);
}

/* *found stays nullptr without the file. */
static enum al_code find_vocabulary(const char *directory, struct al_json_doc **doc, const char **file,
                                    const struct al_json **found, struct al_err *err)
{
  *file = "tokenizer.json";
  AL_TRY(al_hf_read_json(directory, *file, MAX_TOKENIZER_BYTES, doc, err));
  if (*doc != nullptr) {
    const struct al_json *model = al_json_get(al_json_root(*doc), "model");
    struct al_str kind = al_json_str(al_json_get(model, "type"));
    if (kind.size > 0 && !al_str_is(kind, "BPE"))
      return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: a tokenizer of type %.*s is none of Whisper's",
                     (int)al_min_size(kind.size, 100), kind.data);
    *found = al_json_get(model, "vocab");
    return AL_OK;
  }
  *file = "vocab.json";
  AL_TRY(al_hf_read_json(directory, *file, MAX_TOKENIZER_BYTES, doc, err));
  *found = *doc != nullptr ? al_json_root(*doc) : nullptr;
  return AL_OK;
}

enum al_code al_whisper_vocabulary_write(const char *directory, int32_t n_tokens, struct al_buf *out, bool *has_space,
                                         struct al_err *err)
{
  struct vocabulary v = { .n_tokens = n_tokens };
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  const struct al_json *found = nullptr;
  AL_TRY(find_vocabulary(directory, &doc, &v.file, &found, err));
  if (doc == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "the model's directory has neither tokenizer.json nor vocab.json");
  if (al_json_kind(found) != AL_JSON_OBJECT || al_json_count(found) == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: there is no vocabulary", v.file);
  AL_CLEANUP(al_free_p) struct al_str *tokens = al_calloc((size_t)n_tokens, sizeof *tokens);
  if (tokens == nullptr)
    return al_fail_oom(err, (size_t)n_tokens * sizeof *tokens);
  v.tokens = tokens;
  AL_TRY(take_tokens(&v, found, err));
  return write_all(&v, out, has_space, err);
}
