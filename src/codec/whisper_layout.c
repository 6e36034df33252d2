#include "codec/whisper_layout.h"

#include "base/macros.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

constexpr int32_t MAX_LAYERS = 64;
constexpr int32_t MAX_STATE = 8192;
constexpr int32_t MAX_TEXT_CTX = 4096;
constexpr int32_t WINDOW_POSITIONS = 1500;
constexpr int32_t HEAD_MULTIPLE = 4; /* what flash attention's kernels take without remainder */

/* ggml.h: enum ggml_type, enum ggml_ftype. */
static const struct al_whisper_type types[] = {
  { "F32", 0, 0, 1, 4 },        { "F16", 1, 1, 1, 2 },        { "Q4_0", 2, 2, 32, 18 },
  { "Q4_1", 3, 3, 32, 20 },     { "Q8_0", 7, 8, 32, 34 },     { "Q5_0", 8, 6, 32, 22 },
  { "Q5_1", 9, 7, 32, 24 },     { "Q2_K", 10, 10, 256, 84 },  { "Q3_K", 11, 11, 256, 110 },
  { "Q4_K", 12, 12, 256, 144 }, { "Q5_K", 13, 13, 256, 176 }, { "Q6_K", 14, 14, 256, 210 },
};

const struct al_whisper_type *al_whisper_type_of_ftype(int32_t ftype)
{
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (ftype >= 0 && types[i].ftype == ftype % AL_WHISPER_QUANT_FACTOR)
      return &types[i];
  return nullptr;
}

const struct al_whisper_type *al_whisper_type_f32(void)
{
  return &types[0];
}

const struct al_whisper_type *al_whisper_type_f16(void)
{
  return &types[1];
}

static enum al_code check_range(const char *what, int32_t value, int32_t least, int32_t most, struct al_err *err)
{
  if (value >= least && value <= most)
    return AL_OK;
  return al_fail(err, AL_MODEL_CORRUPT, "%s is %d, which is not within %d and %d", what, value, least, most);
}

static enum al_code check_heads(const char *what, int32_t state, int32_t heads, struct al_err *err)
{
  if (heads <= 0 || state % heads != 0 || state / heads % HEAD_MULTIPLE != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "a width of %d cannot be divided among %d %s heads", state, heads, what);
  return AL_OK;
}

/* whisper.cpp derives every special token from the size of the vocabulary. */
static enum al_code check_vocabulary(const struct al_whisper_sizes *s, struct al_err *err)
{
  AL_TRY(check_range("the vocabulary", s->n_vocab, 1, 1 << 24, err));
  if (s->n_vocab < AL_WHISPER_ENGLISH_VOCAB || s->n_vocab > AL_WHISPER_LARGEST_VOCAB)
    return al_fail(err, AL_UNSUPPORTED, "a vocabulary of %d tokens is none of Whisper's (%d to %d)", s->n_vocab,
                   AL_WHISPER_ENGLISH_VOCAB, AL_WHISPER_LARGEST_VOCAB);
  return AL_OK;
}

static enum al_code check_type(const struct al_whisper_sizes *s, struct al_err *err)
{
  const struct al_whisper_type *type = al_whisper_type_of_ftype(s->ftype);
  if (type == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "weights of type number %d are not known", s->ftype);
  if (s->n_audio_state % type->block_elements != 0)
    return al_fail(err, AL_UNSUPPORTED, "rows of %d weights cannot be of type %s, which takes %d at a time",
                   s->n_audio_state, type->name, type->block_elements);
  return AL_OK;
}

enum al_code al_whisper_sizes_check(const struct al_whisper_sizes *s, struct al_err *err)
{
  AL_TRY(check_range("the encoder's width", s->n_audio_state, 8, MAX_STATE, err));
  AL_TRY(check_range("the number of the encoder's layers", s->n_audio_layer, 1, MAX_LAYERS, err));
  AL_TRY(check_range("the number of the decoder's layers", s->n_text_layer, 1, MAX_LAYERS, err));
  AL_TRY(check_range("the text context", s->n_text_ctx, 32, MAX_TEXT_CTX, err));
  AL_TRY(check_range("the audio context", s->n_audio_ctx, 1, 1 << 16, err));
  AL_TRY(check_range("the number of mel bands", s->n_mels, 1, 1024, err));
  if (s->n_audio_ctx != WINDOW_POSITIONS)
    return al_fail(err, AL_UNSUPPORTED, "an audio context of %d is not Whisper's %d", s->n_audio_ctx, WINDOW_POSITIONS);
  if (s->n_mels != 80 && s->n_mels != 128)
    return al_fail(err, AL_UNSUPPORTED, "%d mel bands are neither 80 nor 128", s->n_mels);
  if (s->n_text_state != s->n_audio_state)
    return al_fail(err, AL_UNSUPPORTED, "encoder and decoder differ in width (%d and %d)", s->n_audio_state,
                   s->n_text_state);
  AL_TRY(check_heads("encoder", s->n_audio_state, s->n_audio_head, err));
  AL_TRY(check_heads("decoder", s->n_text_state, s->n_text_head, err));
  AL_TRY(check_vocabulary(s, err));
  return check_type(s, err);
}

/* What a shape is made of. */
enum extent { ONE, STATE, STATE4, MELS, AUDIO_CTX, TEXT_CTX, VOCAB, THREE };
enum role { F32, MATRIX, KERNEL }; /* a kernel of a convolution is never quantised */

struct row {
  const char *name;
  const char *hf_name;
  enum role role;
  int n_dims;
  enum extent ne[3];
};

static const struct row encoder_rows[] = {
  { "positional_embedding", "embed_positions.weight", F32, 2, { STATE, AUDIO_CTX } },
  { "conv1.weight", "conv1.weight", KERNEL, 3, { THREE, MELS, STATE } },
  { "conv1.bias", "conv1.bias", F32, 2, { ONE, STATE } },
  { "conv2.weight", "conv2.weight", KERNEL, 3, { THREE, STATE, STATE } },
  { "conv2.bias", "conv2.bias", F32, 2, { ONE, STATE } },
  { "ln_post.weight", "layer_norm.weight", F32, 1, { STATE } },
  { "ln_post.bias", "layer_norm.bias", F32, 1, { STATE } },
};

static const struct row decoder_rows[] = {
  { "positional_embedding", "embed_positions.weight", F32, 2, { STATE, TEXT_CTX } },
  { "token_embedding.weight", "embed_tokens.weight", MATRIX, 2, { STATE, VOCAB } },
  { "ln.weight", "layer_norm.weight", F32, 1, { STATE } },
  { "ln.bias", "layer_norm.bias", F32, 1, { STATE } },
};

/* Of a layer; those of the encoder are the first N_ENCODER_LAYER_ROWS. */
static const struct row layer_rows[] = {
  { "attn_ln.weight", "self_attn_layer_norm.weight", F32, 1, { STATE } },
  { "attn_ln.bias", "self_attn_layer_norm.bias", F32, 1, { STATE } },
  { "attn.query.weight", "self_attn.q_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "attn.query.bias", "self_attn.q_proj.bias", F32, 1, { STATE } },
  { "attn.key.weight", "self_attn.k_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "attn.value.weight", "self_attn.v_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "attn.value.bias", "self_attn.v_proj.bias", F32, 1, { STATE } },
  { "attn.out.weight", "self_attn.out_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "attn.out.bias", "self_attn.out_proj.bias", F32, 1, { STATE } },
  { "mlp_ln.weight", "final_layer_norm.weight", F32, 1, { STATE } },
  { "mlp_ln.bias", "final_layer_norm.bias", F32, 1, { STATE } },
  { "mlp.0.weight", "fc1.weight", MATRIX, 2, { STATE, STATE4 } },
  { "mlp.0.bias", "fc1.bias", F32, 1, { STATE4 } },
  { "mlp.2.weight", "fc2.weight", MATRIX, 2, { STATE4, STATE } },
  { "mlp.2.bias", "fc2.bias", F32, 1, { STATE } },
  { "cross_attn_ln.weight", "encoder_attn_layer_norm.weight", F32, 1, { STATE } },
  { "cross_attn_ln.bias", "encoder_attn_layer_norm.bias", F32, 1, { STATE } },
  { "cross_attn.query.weight", "encoder_attn.q_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "cross_attn.query.bias", "encoder_attn.q_proj.bias", F32, 1, { STATE } },
  { "cross_attn.key.weight", "encoder_attn.k_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "cross_attn.value.weight", "encoder_attn.v_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "cross_attn.value.bias", "encoder_attn.v_proj.bias", F32, 1, { STATE } },
  { "cross_attn.out.weight", "encoder_attn.out_proj.weight", MATRIX, 2, { STATE, STATE } },
  { "cross_attn.out.bias", "encoder_attn.out_proj.bias", F32, 1, { STATE } },
};
constexpr size_t N_ENCODER_LAYER_ROWS = 15;

static int64_t extent_of(const struct al_whisper_sizes *s, enum extent extent)
{
  switch (extent) {
  case ONE: return 1;
  case THREE: return 3;
  case STATE: return s->n_audio_state;
  case STATE4: return 4 * (int64_t)s->n_audio_state;
  case MELS: return s->n_mels;
  case AUDIO_CTX: return s->n_audio_ctx;
  case TEXT_CTX: return s->n_text_ctx;
  case VOCAB: return s->n_vocab;
  }
  return 0;
}

static const struct al_whisper_type *type_of(const struct al_whisper_sizes *s, enum role role)
{
  const struct al_whisper_type *type = al_whisper_type_of_ftype(s->ftype);
  assert(type != nullptr);
  if (role == F32 || type == al_whisper_type_f32())
    return al_whisper_type_f32();
  return role == MATRIX ? type : al_whisper_type_f16();
}

static void fill(const struct al_whisper_sizes *s, const struct row *row, struct al_whisper_tensor *out)
{
  out->n_dims = row->n_dims;
  out->type = type_of(s, row->role);
  out->n_elements = 1;
  for (int i = 0; i < 3; i++) {
    out->ne[i] = i < row->n_dims ? extent_of(s, row->ne[i]) : 1;
    out->n_elements *= (uint64_t)out->ne[i];
  }
  out->size_bytes = out->n_elements / (uint64_t)out->type->block_elements * (uint64_t)out->type->block_bytes;
}

static void fill_top(const struct al_whisper_sizes *s, const char *part, const struct row *row,
                     struct al_whisper_tensor *out)
{
  (void)snprintf(out->name, sizeof out->name, "%s.%s", part, row->name);
  (void)snprintf(out->hf_name, sizeof out->hf_name, "%s.%s", part, row->hf_name);
  fill(s, row, out);
}

static void fill_layer(const struct al_whisper_sizes *s, const char *part, size_t layer, const struct row *row,
                       struct al_whisper_tensor *out)
{
  (void)snprintf(out->name, sizeof out->name, "%s.blocks.%zu.%s", part, layer, row->name);
  (void)snprintf(out->hf_name, sizeof out->hf_name, "%s.layers.%zu.%s", part, layer, row->hf_name);
  fill(s, row, out);
}

size_t al_whisper_n_tensors(const struct al_whisper_sizes *s)
{
  return AL_COUNT(encoder_rows) + AL_COUNT(decoder_rows) + N_ENCODER_LAYER_ROWS * (size_t)s->n_audio_layer +
         AL_COUNT(layer_rows) * (size_t)s->n_text_layer;
}

void al_whisper_tensor_at(const struct al_whisper_sizes *s, size_t index, struct al_whisper_tensor *out)
{
  size_t n_encoder = AL_COUNT(encoder_rows) + N_ENCODER_LAYER_ROWS * (size_t)s->n_audio_layer;
  *out = (struct al_whisper_tensor){};
  if (index < AL_COUNT(encoder_rows)) {
    fill_top(s, "encoder", &encoder_rows[index], out);
  } else if (index < n_encoder) {
    index -= AL_COUNT(encoder_rows);
    fill_layer(s, "encoder", index / N_ENCODER_LAYER_ROWS, &layer_rows[index % N_ENCODER_LAYER_ROWS], out);
  } else if (index < n_encoder + AL_COUNT(decoder_rows)) {
    fill_top(s, "decoder", &decoder_rows[index - n_encoder], out);
  } else {
    index -= n_encoder + AL_COUNT(decoder_rows);
    fill_layer(s, "decoder", index / AL_COUNT(layer_rows), &layer_rows[index % AL_COUNT(layer_rows)], out);
  }
}

uint64_t al_whisper_n_parameters(const struct al_whisper_sizes *s)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < al_whisper_n_tensors(s); i++) {
    struct al_whisper_tensor tensor;
    al_whisper_tensor_at(s, i, &tensor);
    sum += tensor.n_elements;
  }
  return sum;
}

uint64_t al_whisper_weights_bytes(const struct al_whisper_sizes *s)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < al_whisper_n_tensors(s); i++) {
    struct al_whisper_tensor tensor;
    al_whisper_tensor_at(s, i, &tensor);
    sum += tensor.size_bytes;
  }
  return sum;
}
