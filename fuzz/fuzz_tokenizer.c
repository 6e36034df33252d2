/* A hostile tokenizer.json: refused, or keys of a GGUF from which our own tokenizer gives every byte of a text back.
 * The input is, with zero bytes between: the number of tokens in decimal, tokenizer.json, tokenizer_config.json, a
 * text. In tokenizer.json the bytes 1 and 2 stand for vocabularies without braces: the letters of all bytes, and
 * SentencePiece's tokens of all bytes. */
#include "directory.h"
#include "engine/llama/bpe.h"
#include "engine/safetensors/hf_tokenizer.h"
#include "letters.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  directory_make();
  return 0;
}

static void add_alphabet(struct al_buf *out)
{
  for (unsigned byte = 0; byte < N_BYTES; byte++) {
    char letter[4];
    size_t size = al_utf8_encode(letter_of(byte), letter);
    const char *escape = letter[0] == '"' || letter[0] == '\\' ? "\\" : "";
    al_buf_printf(out, "%s\"%s%.*s\":%u", byte > 0 ? "," : "", escape, (int)size, letter, byte);
  }
}

static void add_bytes(struct al_buf *out)
{
  for (unsigned byte = 0; byte < N_BYTES; byte++)
    al_buf_printf(out, "%s\"<0x%02X>\":%u", byte > 0 ? "," : "", byte, byte);
}

static void expand(struct al_str text, struct al_buf *out)
{
  for (size_t i = 0; i < text.size && out->size < 1 << 20; i++)
    if (text.data[i] == 1)
      add_alphabet(out);
    else if (text.data[i] == 2)
      add_bytes(out);
    else
      al_buf_char(out, text.data[i]);
}

/* The bytes of what the tokens are called must be those of the text. */
static void check_tokens(const struct al_hf_tokenizer *t, const struct al_token_sink *sink, struct al_str text)
{
  AL_CLEANUP(al_buf_done) struct al_buf want = {}, found = {};
  require(sink->count <= sink->capacity);
  add_letters(&want, text);
  for (size_t i = 0; i < sink->count; i++) {
    require(sink->tokens[i] >= 0 && (size_t)sink->tokens[i] < t->n_tokens);
    al_buf_add(&found, t->tokens[sink->tokens[i]], strlen(t->tokens[sink->tokens[i]]));
  }
  require(al_str_eq(al_buf_view(&want), al_buf_view(&found)));
}

static void merge(const struct al_hf_tokenizer *t, const struct gguf_context *gguf, struct al_str text)
{
  AL_CLEANUP(al_bpe_free_p) struct al_bpe *bpe = nullptr;
  AL_CLEANUP(al_bpe_room_done) struct al_bpe_room room = {};
  int32_t tokens[512];
  struct al_token_sink sink = { .tokens = tokens, .capacity = AL_COUNT(tokens) };
  require(al_bpe_new(gguf, t->ignore_merges, &bpe, nullptr) == AL_OK);
  text.size = al_min_size(text.size, AL_COUNT(tokens));
  if (bpe == nullptr || text.size == 0)
    return;
  require(al_bpe_add(bpe, text, &room, &sink, nullptr) == AL_OK);
  check_tokens(t, &sink, text);
}

static void check_ids(const struct al_hf_tokenizer *t)
{
  const int32_t ids[] = { t->bos, t->eos, t->unknown, t->padding, t->behind_bos };
  for (size_t i = 0; i < AL_COUNT(ids); i++)
    require(ids[i] >= -1 && ids[i] < (int32_t)t->n_tokens);
  for (size_t i = 0; i < t->n_tokens; i++)
    require(t->tokens[i] != nullptr && al_hf_tokenizer_id(t, al_str(t->tokens[i])) == (int32_t)i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct al_str input = al_str_n((const char *)data, size);
  struct al_str number = next_part(&input);
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  expand(next_part(&input), &json);
  directory_write("tokenizer.json", al_buf_view(&json), 0);
  directory_write("tokenizer_config.json", next_part(&input), 0);
  struct al_hf_config config = { .bos = -1 };
  for (size_t i = 0; i < number.size && config.n_vocab < 200; i++)
    config.n_vocab = 10 * config.n_vocab + (uint8_t)number.data[i] % 16 % 10;
  config.n_vocab += config.n_vocab == 0; /* al_hf_config_read makes sure of that */
  AL_CLEANUP(al_hf_tokenizer_done) struct al_hf_tokenizer tokenizer = {};
  struct al_err err = {};
  if (al_hf_tokenizer_load(directory, &config, &tokenizer, &err) != AL_OK) {
    require(err.message[0] != '\0' && err.code != AL_INTERNAL);
    return 0;
  }
  check_ids(&tokenizer);
  struct gguf_context *gguf = gguf_init_empty();
  al_hf_tokenizer_to_gguf(&tokenizer, gguf);
  merge(&tokenizer, gguf, input);
  gguf_free(gguf);
  return 0;
}
