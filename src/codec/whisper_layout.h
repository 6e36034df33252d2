/* The tensors of a Whisper model: their names in whisper.cpp's files and in Hugging Face's, their shapes and types, all
 * of which follow from eleven numbers. No I/O. Format: ggml-org/whisper.cpp, models/convert-pt-to-ggml.py. */
#ifndef AL_CODEC_WHISPER_LAYOUT_H
#define AL_CODEC_WHISPER_LAYOUT_H

#include "base/err.h"

#include <stdint.h>

/* As they stand in the file, in this order. */
struct al_whisper_sizes {
  int32_t n_vocab;
  int32_t n_audio_ctx; /* positions of 30 s */
  int32_t n_audio_state;
  int32_t n_audio_head;
  int32_t n_audio_layer;
  int32_t n_text_ctx;
  int32_t n_text_state;
  int32_t n_text_head;
  int32_t n_text_layer;
  int32_t n_mels;
  int32_t ftype; /* ggml_ftype, plus 1000 times the version of the quantisation */
};

constexpr int32_t AL_WHISPER_N_BINS = 201;          /* of a mel filter: 1 + 400 / 2 */
constexpr int32_t AL_WHISPER_ENGLISH_VOCAB = 51864; /* the model knows English alone; larger: many languages */
constexpr int32_t AL_WHISPER_LARGEST_VOCAB = 51866; /* a hundred languages (large-v3) */
constexpr int32_t AL_WHISPER_QUANT_VERSION = 2;     /* ggml's */
constexpr int32_t AL_WHISPER_QUANT_FACTOR = 1000;

static inline bool al_whisper_is_multilingual(const struct al_whisper_sizes *sizes)
{
  return sizes->n_vocab > AL_WHISPER_ENGLISH_VOCAB;
}
/* The id of the token that ends a text: below it are the ordinary tokens. */
static inline int32_t al_whisper_end_token(const struct al_whisper_sizes *sizes)
{
  return al_whisper_is_multilingual(sizes) ? 50257 : 50256;
}

/* What libwhisper can run and would not abort on. AL_MODEL_CORRUPT for nonsense, AL_UNSUPPORTED for a model of another
 * make; the message says which number and why. */
enum al_code al_whisper_sizes_check(const struct al_whisper_sizes *sizes, struct al_err *err);

/* An element type: ggml's number for it, elements and bytes of a block. */
struct al_whisper_type {
  const char *name; /* "Q5_0" */
  int32_t ftype;    /* of a file whose matrices are of it */
  int32_t type;     /* enum ggml_type */
  int32_t block_elements;
  int32_t block_bytes;
};
/* By the file's ftype (with or without the version), nullptr: none that is known. */
const struct al_whisper_type *al_whisper_type_of_ftype(int32_t ftype);
const struct al_whisper_type *al_whisper_type_f32(void);
const struct al_whisper_type *al_whisper_type_f16(void);

struct al_whisper_tensor {
  char name[64];    /* "encoder.blocks.0.attn.query.weight" */
  char hf_name[80]; /* "encoder.layers.0.self_attn.q_proj.weight" */
  int n_dims;
  int64_t ne[3]; /* innermost first; 1 beyond n_dims */
  const struct al_whisper_type *type;
  uint64_t n_elements;
  uint64_t size_bytes;
};
size_t al_whisper_n_tensors(const struct al_whisper_sizes *sizes);
/* Of checked sizes; index below al_whisper_n_tensors. */
void al_whisper_tensor_at(const struct al_whisper_sizes *sizes, size_t index, struct al_whisper_tensor *tensor);

uint64_t al_whisper_n_parameters(const struct al_whisper_sizes *sizes);
uint64_t al_whisper_weights_bytes(const struct al_whisper_sizes *sizes);

#endif
