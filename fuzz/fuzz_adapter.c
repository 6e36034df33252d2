/* A hostile PEFT directory: refused, or a stream that can be read to its end, with every number finite. The model is a
 * stand-in. The input is, with a zero byte between: adapter_config.json, a decimal number of bytes of
 * data, and adapter_model.safetensors, whose header's
 * size is written before it; a first byte that is no "{" in the second part lets it stand as it is. */
#include "base/buf.h"
#include "directory.h"
#include "engine/safetensors/family.h"
#include "engine/safetensors/peft.h"

constexpr uint64_t MOST_BYTES = 1 << 16;

int32_t llama_model_meta_val_str(const struct llama_model *model, const char *key, char *out, size_t size)
{
  (void)model;
  bool known = strcmp(key, "general.architecture") == 0;
  return known ? snprintf(out, size, "llama") : -1;
}

int32_t llama_model_n_head(const struct llama_model *model)
{
  (void)model;
  return 2;
}

int32_t llama_model_n_embd(const struct llama_model *model)
{
  (void)model;
  return 8;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  directory_make();
  return 0;
}

static void write_weights(struct al_str part, uint64_t data_bytes)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  uint64_t size = part.size;
  if (al_str_starts(part, al_str("{")))
    al_buf_add(&file, &size, sizeof size);
  al_buf_add(&file, part.data, part.size);
  directory_write("adapter_model.safetensors", al_buf_view(&file), file.size + data_bytes);
}

static void read_all(struct al_llama_adapter_stream *stream)
{
  char bytes[1000];
  uint64_t n = 0;
  for (size_t got; (got = fread(bytes, 1, sizeof bytes, stream->file)) > 0;)
    n += got;
  require(ferror(stream->file) == 0 || stream->failure->code != AL_OK);
  require(n < 8 * MOST_BYTES + (1 << 20));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct al_str input = al_str_n((const char *)data, size);
  directory_write("adapter_config.json", next_part(&input), 0);
  struct al_str number = next_part(&input); /* of bytes of data */
  uint64_t data_bytes = 0;
  for (size_t i = 0; i < number.size && data_bytes < MOST_BYTES / 10; i++)
    data_bytes = 10 * data_bytes + (uint8_t)number.data[i] % 16 % 10;
  write_weights(input, data_bytes);
  struct al_llama_adapter_stream stream = {};
  struct al_err err = {};
  if (al_peft_open(nullptr, &al_hf_family_llama, directory, &stream, &err) != AL_OK) {
    require(err.message[0] != '\0' && err.code != AL_INTERNAL);
    return 0;
  }
  read_all(&stream);
  stream.done(&stream);
  return 0;
}
