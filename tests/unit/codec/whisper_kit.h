/* Small whole files of whisper.cpp: real but for their width and their weights, which are zeros. */
#ifndef AL_TESTS_WHISPER_KIT_H
#define AL_TESTS_WHISPER_KIT_H

#include "base/buf.h"
#include "codec/whisper_file.h"

static const struct al_whisper_sizes whisper_kit_sizes = {
  .n_vocab = 51864,
  .n_audio_ctx = 1500,
  .n_audio_state = 8,
  .n_audio_head = 1,
  .n_audio_layer = 1,
  .n_text_ctx = 448,
  .n_text_state = 8,
  .n_text_head = 1,
  .n_text_layer = 1,
  .n_mels = 80,
  .ftype = 1,
};
constexpr int32_t WHISPER_KIT_TOKENS = 256; /* the bytes */

static inline void whisper_kit_i32(struct al_buf *out, int64_t value)
{
  int32_t number = (int32_t)value;
  al_buf_add(out, &number, sizeof number);
}

static inline void whisper_kit_zeros(struct al_buf *out, uint64_t size)
{
  char *room = al_buf_room(out, (size_t)size);
  if (room == nullptr)
    return;
  memset(room, 0, (size_t)size);
  al_buf_grew(out, (size_t)size);
}

static inline void whisper_kit_tensor(const struct al_whisper_tensor *tensor, struct al_buf *out)
{
  whisper_kit_i32(out, tensor->n_dims);
  whisper_kit_i32(out, (int64_t)strlen(tensor->name));
  whisper_kit_i32(out, tensor->type->type);
  for (int i = 0; i < tensor->n_dims; i++)
    whisper_kit_i32(out, tensor->ne[i]);
  al_buf_str(out, tensor->name);
  whisper_kit_zeros(out, tensor->size_bytes);
}

/* Up to the weights. */
static inline void whisper_kit_head(const struct al_whisper_sizes *s, struct al_buf *out)
{
  const int32_t sizes[] = { s->n_vocab,       s->n_audio_ctx, s->n_audio_state, s->n_audio_head,
                            s->n_audio_layer, s->n_text_ctx,  s->n_text_state,  s->n_text_head,
                            s->n_text_layer,  s->n_mels,      s->ftype };
  whisper_kit_i32(out, AL_GGML_MAGIC);
  al_buf_add(out, sizes, sizeof sizes);
  whisper_kit_i32(out, s->n_mels);
  whisper_kit_i32(out, AL_WHISPER_N_BINS);
  whisper_kit_zeros(out, (uint64_t)s->n_mels * AL_WHISPER_N_BINS * sizeof(float));
  whisper_kit_i32(out, WHISPER_KIT_TOKENS);
  for (int i = 0; i < WHISPER_KIT_TOKENS; i++) {
    whisper_kit_i32(out, 1);
    al_buf_char(out, (char)i);
  }
}

static inline void whisper_kit_write(const struct al_whisper_sizes *sizes, struct al_buf *out)
{
  whisper_kit_head(sizes, out);
  for (size_t i = 0; i < al_whisper_n_tensors(sizes); i++) {
    struct al_whisper_tensor tensor;
    al_whisper_tensor_at(sizes, i, &tensor);
    whisper_kit_tensor(&tensor, out);
  }
}

#endif
