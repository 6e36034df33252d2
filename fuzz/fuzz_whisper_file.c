/* Files of whisper.cpp: any bytes, and bytes behind a sound head, so that the tensors are reached. */
#include "base/buf.h"
#include "codec/whisper_file.h"

#include "../tests/unit/codec/whisper_kit.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
  const uint8_t *bytes;
  uint64_t size_bytes;
};

static enum al_code read_file(void *user, uint64_t offset, void *bytes, size_t size, struct al_err *)
{
  const struct file *file = user;
  if (offset > file->size_bytes || size > file->size_bytes - offset)
    abort();
  memcpy(bytes, file->bytes + offset, size);
  return AL_OK;
}

/* What passes is what libwhisper may see. */
static void check(const uint8_t *bytes, size_t size)
{
  struct file file = { bytes, size };
  const struct al_ggml_reader reader = { read_file, &file, size };
  struct al_whisper_file out = {};
  struct al_err err = {};
  enum al_code code = al_whisper_file_check(&reader, &out, &err);
  if (code != AL_OK && err.message[0] == '\0')
    abort();
  if (code == AL_OK && (out.tensors_at > size || al_whisper_weights_bytes(&out.sizes) > size - out.tensors_at))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char head[AL_GGML_HEAD_BYTES];
  memcpy(head, data, size < sizeof head ? size : sizeof head);
  (void)al_ggml_kind_of(al_str_n(head, size < sizeof head ? size : sizeof head));
  check(data, size);
  if (size == 0)
    return 0;
  struct al_buf file = {};
  whisper_kit_head(&whisper_kit_sizes, &file);
  /* The first byte says how many whole tensors stand before the input. */
  for (size_t i = 0; i < data[0] % 8U; i++) {
    struct al_whisper_tensor tensor;
    al_whisper_tensor_at(&whisper_kit_sizes, 1 + i, &tensor);
    whisper_kit_tensor(&tensor, &file);
  }
  al_buf_add(&file, data + 1, size - 1);
  if (al_buf_check(&file, nullptr) == AL_OK)
    check((const uint8_t *)file.data, file.size);
  al_buf_done(&file);
  return 0;
}
