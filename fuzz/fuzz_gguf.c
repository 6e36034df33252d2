/* The GGUF header reader on any bytes, whole and in pieces. */
#include "codec/gguf_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct al_gguf_header *header, uint64_t file_size)
{
  for (size_t i = 0; i < al_gguf_header_n_tensors(header); i++) {
    const struct al_gguf_tensor *t = al_gguf_header_tensor(header, i);
    if (t->size_bytes > file_size || t->offset_bytes > file_size - t->size_bytes)
      abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  /* The first byte chooses how much of the file is seen first; the file claims up to 4 KiB more than there is. */
  uint64_t have = (size - 1) * (data[0] & 15) / 15;
  uint64_t file_size = size - 1 + ((uint64_t)(data[0] >> 4) << 8);
  for (int round = 0; round < 1000; round++) {
    struct al_gguf_header *header = nullptr;
    uint64_t need = 0;
    struct al_err err = {};
    struct al_str bytes = al_str_n((const char *)data + 1, (size_t)have);
    if (al_gguf_header_parse(bytes, file_size, &header, &need, &err) != AL_OK)
      return 0;
    if (header != nullptr) {
      use(header, file_size);
      al_gguf_header_free(header);
      return 0;
    }
    if (need <= have || need > file_size)
      abort();
    if (need > size - 1)
      return 0;
    have = need;
  }
  return 0;
}
