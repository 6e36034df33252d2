/* Small whole files of libparakeet: real but for their width and their weights, which are zeros. */
#ifndef AL_TESTS_PARAKEET_KIT_H
#define AL_TESTS_PARAKEET_KIT_H

#include "base/buf.h"
#include "codec/parakeet_file.h"

#include <stdio.h>
#include <string.h>

static const struct al_parakeet_sizes parakeet_kit_sizes = {
  .n_vocab = 12,
  .n_audio_ctx = 800,
  .n_audio_state = 16,
  .n_audio_head = 2,
  .n_audio_layer = 2,
  .n_mels = 64,
  .ftype = 1,
  .n_fft = 512,
  .subsampling_factor = 8,
  .n_subsampling_channels = 4,
  .n_conv_kernel = 9,
  .n_pred_dim = 16,
  .n_pred_layers = 2,
  .n_tdt_durations = 5,
  .n_max_tokens = 10,
};
static const char *const parakeet_kit_tokens[] = { "<unk>",        "\u2581yes", "s", ".", "\u2581no", "t",
                                                   "\u2581\u00e4", "a",         "b", "?", ",",        "\u2581" };

static inline void parakeet_kit_i32(struct al_buf *out, int64_t value)
{
  int32_t number = (int32_t)value;
  al_buf_add(out, &number, sizeof number);
}

static inline char *parakeet_kit_zeros(struct al_buf *out, uint64_t size)
{
  char *room = al_buf_room(out, (size_t)size);
  if (room == nullptr)
    return nullptr;
  memset(room, 0, (size_t)size);
  al_buf_grew(out, (size_t)size);
  return room;
}

/* Returns the weights. */
static inline float *parakeet_kit_tensor(const struct al_parakeet_tensor *tensor, struct al_buf *out)
{
  int n_dims = tensor->is_count ? 0 : 4;
  parakeet_kit_i32(out, n_dims);
  parakeet_kit_i32(out, (int64_t)strlen(tensor->name));
  parakeet_kit_i32(out, tensor->type->type);
  for (int i = 0; i < n_dims; i++)
    parakeet_kit_i32(out, tensor->ne[i]);
  al_buf_str(out, tensor->name);
  return (float *)(void *)parakeet_kit_zeros(out, tensor->size_bytes);
}

/* Up to the weights. */
static inline void parakeet_kit_head(const struct al_parakeet_sizes *s, struct al_buf *out)
{
  parakeet_kit_i32(out, AL_GGML_MAGIC);
  al_buf_add(out, s, sizeof *s);
  parakeet_kit_i32(out, s->n_mels);
  parakeet_kit_i32(out, s->n_fft / 2 + 1);
  (void)parakeet_kit_zeros(out, (uint64_t)s->n_mels * (uint64_t)(s->n_fft / 2 + 1) * sizeof(float));
  parakeet_kit_i32(out, 400);
  (void)parakeet_kit_zeros(out, 400 * sizeof(float));
  for (int i = 0; i < s->n_tdt_durations; i++)
    parakeet_kit_i32(out, i);
  parakeet_kit_i32(out, s->n_vocab);
  for (int i = 0; i < s->n_vocab; i++) {
    parakeet_kit_i32(out, (int64_t)strlen(parakeet_kit_tokens[i]));
    al_buf_str(out, parakeet_kit_tokens[i]);
  }
}

/* Hears its second token ("yes") in every fourth frame, whatever there is: the biases of the last layer say so. */
static inline void parakeet_kit_write(const struct al_parakeet_sizes *s, struct al_buf *out)
{
  parakeet_kit_head(s, out);
  for (size_t i = 0; i < al_parakeet_n_tensors(s); i++) {
    struct al_parakeet_tensor tensor;
    al_parakeet_tensor_at(s, i, &tensor);
    char *weights = (char *)parakeet_kit_tensor(&tensor, out);
    const float one = 1;
    if (weights != nullptr && strcmp(tensor.name, "joint.joint_net.2.bias") == 0) {
      memcpy(weights + 1 * sizeof one, &one, sizeof one);
      memcpy(weights + (size_t)(s->n_vocab + 1 + 4) * sizeof one, &one, sizeof one);
    }
    for (int64_t k = 0; weights != nullptr && strstr(tensor.name, "running_var") != nullptr && k < tensor.ne[0]; k++)
      memcpy(weights + (size_t)k * sizeof one, &one, sizeof one);
  }
}

#endif
