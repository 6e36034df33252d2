/* The tensors of a Parakeet model (FastConformer with a TDT transducer) as libparakeet's files have them: their names,
 * shapes and types follow from fifteen numbers. No I/O. Format: ggml-org/whisper.cpp,
 * models/convert-parakeet-to-ggml.py. */
#ifndef AL_CODEC_PARAKEET_LAYOUT_H
#define AL_CODEC_PARAKEET_LAYOUT_H

#include "codec/whisper_layout.h"

/* As they stand in the file, in this order. */
struct al_parakeet_sizes {
  int32_t n_vocab;
  int32_t n_audio_ctx; /* frames of 10 ms that are heard at once */
  int32_t n_audio_state;
  int32_t n_audio_head;
  int32_t n_audio_layer;
  int32_t n_mels;
  int32_t ftype; /* as Whisper's */
  int32_t n_fft;
  int32_t subsampling_factor;
  int32_t n_subsampling_channels;
  int32_t n_conv_kernel;
  int32_t n_pred_dim;
  int32_t n_pred_layers;
  int32_t n_tdt_durations;
  int32_t n_max_tokens; /* in one frame */
};

/* The first generation knows English alone and has so many tokens; the next has 8192 and 25 languages. */
constexpr int32_t AL_PARAKEET_ENGLISH_VOCAB = 1024;

/* What libparakeet can run and would not abort on. AL_MODEL_CORRUPT for nonsense, AL_UNSUPPORTED for a model of another
 * make; the message says which number and why. */
enum al_code al_parakeet_sizes_check(const struct al_parakeet_sizes *sizes, struct al_err *err);

struct al_parakeet_tensor {
  char name[64]; /* "encoder.layers.0.norm_out.weight" */
  int64_t ne[4]; /* innermost first; 1 where there is nothing */
  const struct al_whisper_type *type;
  bool is_count; /* a single number that nobody reads, as an integer or a float */
  uint64_t size_bytes;
};
size_t al_parakeet_n_tensors(const struct al_parakeet_sizes *sizes);
/* Of checked sizes; index below al_parakeet_n_tensors. */
void al_parakeet_tensor_at(const struct al_parakeet_sizes *sizes, size_t index, struct al_parakeet_tensor *tensor);

uint64_t al_parakeet_n_parameters(const struct al_parakeet_sizes *sizes);
uint64_t al_parakeet_weights_bytes(const struct al_parakeet_sizes *sizes);

#endif
