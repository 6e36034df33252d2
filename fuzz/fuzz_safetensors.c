/* The safetensors header reader on any bytes, and the index reader on the same as text. */
#include "codec/safetensors_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_header(struct al_str file)
{
  struct al_st_header *header = nullptr;
  uint64_t need = 0;
  struct al_err err = {};
  if (al_st_header_parse(file, file.size, &header, &need, &err) != AL_OK)
    return;
  if (header == nullptr)
    abort();
  uint64_t sum = 0;
  for (size_t i = 0; i < al_st_header_n_tensors(header); i++) {
    const struct al_st_tensor *t = al_st_header_tensor(header, i);
    if (t->size_bytes > file.size || t->offset_bytes > file.size - t->size_bytes)
      abort();
    sum += t->size_bytes;
  }
  if (sum > file.size)
    abort();
  al_st_header_free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  fuzz_header(al_str_n((const char *)data, size));
  struct al_st_index *index = nullptr;
  struct al_err err = {};
  if (al_st_index_parse(al_str_n((const char *)data, size), &index, &err) == AL_OK) {
    size_t at = 0;
    size_t file;
    struct al_str tensor;
    while (al_st_index_next(index, &at, &tensor, &file))
      if (al_st_index_file(index, file) == nullptr)
        abort();
    al_st_index_free(index);
  }
  return 0;
}
