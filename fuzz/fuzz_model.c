/* A hostile Hugging Face directory: config.json and the tensors of its files against what the family wants. Refused, or
 * a virtual GGUF that can be read to its end. The input is, with zero bytes between: config.json,
 * generation_config.json, the type to quantise to, and the tensors, one a line: "F32 8 4 model.norm.weight". All
 * weights are zero, the tokenizer is a small one. */
#include "base/buf.h"
#include "base/log.h"
#include "codec/json.h"
#include "codec/safetensors_header.h"
#include "directory.h"
#include "engine/safetensors/vgguf.h"

#include <stdckdint.h>

constexpr uint64_t MOST_BYTES = 1 << 19;
constexpr char TOKENIZER[] =
    "{\"model\":{\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"type\":\"WordPiece\","
    "\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2},\"unk_token\":\"[UNK]\"},"
    "\"added_tokens\":[{\"id\":0,\"content\":\"[UNK]\",\"special\":true},{\"id\":1,\"content\":\"[CLS]\",\"special\":"
    "true},{\"id\":2,\"content\":\"[SEP]\",\"special\":true}],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_"
    "text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":"
    "\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
    "\"[CLS]\"}},{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"[SEP]\"}}]}}";

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  al_log_setup(AL_LOG_ERROR, false);
  directory_make();
  directory_write("tokenizer.json", al_str(TOKENIZER), 0);
  return 0;
}

static struct al_str next_word(struct al_str *line)
{
  const char *end = line->size > 0 ? memchr(line->data, ' ', line->size) : nullptr;
  size_t size = end != nullptr ? (size_t)(end - line->data) : line->size;
  struct al_str word = al_str_n(line->data, size);
  size_t skipped = end != nullptr ? size + 1 : size;
  *line = al_str_n(line->data + skipped, line->size - skipped);
  return word;
}

static uint64_t type_bytes(struct al_str type)
{
  for (int i = 0; i < AL_ST_DTYPE_COUNT; i++)
    if (al_str_is(type, al_st_dtype_name((enum al_st_dtype)i)))
      return al_st_dtype_size_bytes((enum al_st_dtype)i);
  return 1;
}

static bool is_number(struct al_str word)
{
  for (size_t i = 0; i < word.size; i++)
    if (word.data[i] < '0' || word.data[i] > '9')
      return false;
  return word.size > 0 && word.size < 8;
}

/* Gives the end of the tensor's data, which begins at `offset`. */
static uint64_t write_tensor(struct al_json_writer *w, struct al_str line, uint64_t offset)
{
  struct al_str type = next_word(&line), word = next_word(&line);
  uint64_t shape[AL_ST_MAX_DIMS], size = type_bytes(type);
  size_t n_dims = 0;
  for (; is_number(word) && n_dims < AL_COUNT(shape); word = next_word(&line)) {
    shape[n_dims] = 0;
    for (size_t i = 0; i < word.size; i++)
      shape[n_dims] = 10 * shape[n_dims] + (uint64_t)(word.data[i] - '0');
    if (ckd_mul(&size, size, shape[n_dims++]) || size > INT64_MAX / 2)
      size = 0;
  }
  al_jw_key_n(w, word);
  al_jw_object(w);
  al_jw_kv_str_n(w, "dtype", type);
  al_jw_key(w, "shape");
  al_jw_array(w);
  for (size_t i = 0; i < n_dims; i++)
    al_jw_int(w, (int64_t)shape[i]);
  al_jw_end(w);
  al_jw_key(w, "data_offsets");
  al_jw_array(w);
  al_jw_int(w, (int64_t)offset);
  al_jw_int(w, (int64_t)(offset + size));
  al_jw_end(w);
  al_jw_end(w);
  return offset + size;
}

static void write_weights(struct al_str lines)
{
  AL_CLEANUP(al_buf_done) struct al_buf header = {}, file = {};
  struct al_json_writer w = al_json_writer(&header);
  uint64_t end = 0;
  al_jw_object(&w);
  while (lines.size > 0 && end < MOST_BYTES) {
    const char *newline = memchr(lines.data, '\n', lines.size);
    size_t size = newline != nullptr ? (size_t)(newline - lines.data) : lines.size;
    end = write_tensor(&w, al_str_n(lines.data, size), end);
    size += newline != nullptr;
    lines = al_str_n(lines.data + size, lines.size - size);
  }
  al_jw_end(&w);
  uint64_t size = header.size;
  al_buf_add(&file, &size, sizeof size);
  al_buf_add(&file, header.data, header.size);
  directory_write("model.safetensors", al_buf_view(&file), file.size + (end < MOST_BYTES ? end : MOST_BYTES));
}

static void read_all(const struct al_vgguf *vgguf)
{
  uint8_t bytes[4001]; /* cuts rows in two */
  struct al_err err = {};
  uint64_t size_bytes = al_vgguf_size_bytes(vgguf);
  for (uint64_t at = 0; at < size_bytes;) {
    size_t n = 0;
    require(al_vgguf_made_until(vgguf, at) <= size_bytes);
    if (al_vgguf_read(vgguf, at, bytes, sizeof bytes, &n, &err) != AL_OK)
      return;
    require(n == sizeof bytes || at + n == size_bytes);
    at += n;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct al_str input = al_str_n((const char *)data, size);
  directory_write("config.json", next_part(&input), 0);
  directory_write("generation_config.json", next_part(&input), 0);
  struct al_str type = next_part(&input);
  write_weights(input);
  char quant[16];
  (void)snprintf(quant, sizeof quant, "%.*s", (int)al_min_size(type.size, sizeof quant - 1), type.data);
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
  struct al_err err = {};
  if (al_vgguf_open(directory, quant, 1, &vgguf, &err) == AL_OK)
    read_all(vgguf);
  else
    require(err.message[0] != '\0' && err.code != AL_INTERNAL);
  return 0;
}
