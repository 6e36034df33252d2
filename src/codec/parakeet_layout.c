#include "codec/parakeet_layout.h"

#include "base/macros.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

constexpr int32_t SUBSAMPLING = 8; /* three convolutions, each of which halves */
constexpr int32_t LEAST_AUDIO_CTX = 400;

static enum al_code check_range(const char *what, int32_t value, int32_t least, int32_t most, struct al_err *err)
{
  if (value >= least && value <= most)
    return AL_OK;
  return al_fail(err, AL_MODEL_CORRUPT, "%s is %d, which is not within %d and %d", what, value, least, most);
}

/* libparakeet's own limits (src/parakeet-arch.h). */
static enum al_code check_ranges(const struct al_parakeet_sizes *s, struct al_err *err)
{
  const struct {
    const char *what;
    int32_t value, least, most;
  } ranges[] = {
    { "the vocabulary", s->n_vocab, 2, 8192 },
    { "the audio context", s->n_audio_ctx, LEAST_AUDIO_CTX, 5000 },
    { "the encoder's width", s->n_audio_state, 8, 1024 },
    { "the number of heads", s->n_audio_head, 1, 8 },
    { "the number of the encoder's layers", s->n_audio_layer, 1, 24 },
    { "the number of mel bands", s->n_mels, SUBSAMPLING, 128 },
    { "the length of the Fourier transform", s->n_fft, 64, 512 },
    { "the subsampling", s->subsampling_factor, 1, SUBSAMPLING },
    { "the number of subsampling channels", s->n_subsampling_channels, 1, 256 },
    { "the convolution's width", s->n_conv_kernel, 3, 9 },
    { "the predictor's width", s->n_pred_dim, 1, 640 },
    { "the number of the predictor's layers", s->n_pred_layers, 1, 2 },
    { "the number of durations", s->n_tdt_durations, 1, 5 },
    { "the number of tokens in a frame", s->n_max_tokens, 1, 10 },
  };
  for (size_t i = 0; i < AL_COUNT(ranges); i++)
    AL_TRY(check_range(ranges[i].what, ranges[i].value, ranges[i].least, ranges[i].most, err));
  return AL_OK;
}

static int32_t features(const struct al_parakeet_sizes *s)
{
  return s->n_mels / SUBSAMPLING * s->n_subsampling_channels;
}

static enum al_code check_type(const struct al_parakeet_sizes *s, struct al_err *err)
{
  const struct al_whisper_type *type = al_whisper_type_of_ftype(s->ftype);
  if (type == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "weights of type number %d are not known", s->ftype);
  if (s->n_audio_state % type->block_elements != 0 || features(s) % type->block_elements != 0)
    return al_fail(err, AL_UNSUPPORTED, "rows of %d and %d weights cannot be of type %s, which takes %d at a time",
                   s->n_audio_state, features(s), type->name, type->block_elements);
  return AL_OK;
}

enum al_code al_parakeet_sizes_check(const struct al_parakeet_sizes *s, struct al_err *err)
{
  AL_TRY(check_ranges(s, err));
  if (s->subsampling_factor != SUBSAMPLING)
    return al_fail(err, AL_UNSUPPORTED, "subsampling by %d; libparakeet's graph has %d", s->subsampling_factor,
                   SUBSAMPLING);
  if (s->n_mels % SUBSAMPLING != 0)
    return al_fail(err, AL_UNSUPPORTED, "%d mel bands cannot be divided by %d", s->n_mels, SUBSAMPLING);
  if ((s->n_fft & (s->n_fft - 1)) != 0)
    return al_fail(err, AL_UNSUPPORTED, "a Fourier transform of length %d, which is no power of two", s->n_fft);
  if (s->n_conv_kernel % 2 == 0)
    return al_fail(err, AL_UNSUPPORTED, "a convolution of even width (%d)", s->n_conv_kernel);
  if (s->n_audio_state % (2 * s->n_audio_head) != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "a width of %d cannot be divided among %d heads", s->n_audio_state,
                   s->n_audio_head);
  return check_type(s, err);
}

/* What a shape is made of. */
enum extent {
  ONE,
  STATE,
  STATE2,
  STATE4,
  HEAD,
  HEADS,
  KERNEL,
  CHANNELS,
  FEATURES,
  PRED,
  PRED4,
  EMBEDDED,
  JOINT,
  THREE
};
/* A small matrix stays F32 where its rows are no whole number of blocks. */
enum role { F32, MATRIX, SMALL, COUNTER };

struct row {
  const char *name;
  enum role role;
  enum extent ne[4];
};

static const struct row front_rows[] = {
  { "pre_encode.out.weight", MATRIX, { FEATURES, STATE } },
  { "pre_encode.out.bias", F32, { STATE } },
  { "pre_encode.conv.0.weight", F32, { THREE, THREE, ONE, CHANNELS } },
  { "pre_encode.conv.0.bias", F32, { ONE, ONE, CHANNELS } },
  { "pre_encode.conv.2.weight", F32, { THREE, THREE, ONE, CHANNELS } },
  { "pre_encode.conv.2.bias", F32, { ONE, ONE, CHANNELS } },
  { "pre_encode.conv.3.weight", F32, { ONE, ONE, CHANNELS, CHANNELS } },
  { "pre_encode.conv.3.bias", F32, { ONE, ONE, CHANNELS } },
  { "pre_encode.conv.5.weight", F32, { THREE, THREE, ONE, CHANNELS } },
  { "pre_encode.conv.5.bias", F32, { ONE, ONE, CHANNELS } },
  { "pre_encode.conv.6.weight", F32, { ONE, ONE, CHANNELS, CHANNELS } },
  { "pre_encode.conv.6.bias", F32, { ONE, ONE, CHANNELS } },
};

static const struct row layer_rows[] = {
  { "norm_feed_forward1.weight", F32, { STATE } },
  { "norm_feed_forward1.bias", F32, { STATE } },
  { "feed_forward1.linear1.weight", MATRIX, { STATE, STATE4 } },
  { "feed_forward1.linear2.weight", MATRIX, { STATE4, STATE } },
  { "norm_conv.weight", F32, { STATE } },
  { "norm_conv.bias", F32, { STATE } },
  { "conv.pointwise_conv1.weight", MATRIX, { STATE, STATE2 } },
  { "conv.depthwise_conv.weight", F32, { KERNEL, STATE } },
  { "conv.batch_norm.weight", F32, { STATE } },
  { "conv.batch_norm.bias", F32, { STATE } },
  { "conv.batch_norm.running_mean", F32, { STATE } },
  { "conv.batch_norm.running_var", F32, { STATE } },
  { "conv.batch_norm.num_batches_tracked", COUNTER, {} },
  { "conv.pointwise_conv2.weight", MATRIX, { STATE, STATE } },
  { "norm_self_att.weight", F32, { STATE } },
  { "norm_self_att.bias", F32, { STATE } },
  { "self_attn.pos_bias_u", F32, { HEAD, HEADS } },
  { "self_attn.pos_bias_v", F32, { HEAD, HEADS } },
  { "self_attn.linear_q.weight", MATRIX, { STATE, STATE } },
  { "self_attn.linear_k.weight", MATRIX, { STATE, STATE } },
  { "self_attn.linear_v.weight", MATRIX, { STATE, STATE } },
  { "self_attn.linear_out.weight", MATRIX, { STATE, STATE } },
  { "self_attn.linear_pos.weight", MATRIX, { STATE, STATE } },
  { "norm_feed_forward2.weight", F32, { STATE } },
  { "norm_feed_forward2.bias", F32, { STATE } },
  { "feed_forward2.linear1.weight", MATRIX, { STATE, STATE4 } },
  { "feed_forward2.linear2.weight", MATRIX, { STATE4, STATE } },
  { "norm_out.weight", F32, { STATE } },
  { "norm_out.bias", F32, { STATE } },
};

static const struct row lstm_rows[] = {
  { "weight_ih_l", SMALL, { PRED, PRED4 } },
  { "weight_hh_l", SMALL, { PRED, PRED4 } },
  { "bias_h_l", F32, { PRED4 } },
};

static const struct row back_rows[] = {
  { "decoder.prediction.embed.weight", SMALL, { PRED, EMBEDDED } },
  { "joint.pred.weight", SMALL, { PRED, PRED } },
  { "joint.pred.bias", F32, { PRED } },
  { "joint.enc.weight", MATRIX, { STATE, PRED } },
  { "joint.enc.bias", F32, { PRED } },
  { "joint.joint_net.2.weight", SMALL, { PRED, JOINT } },
  { "joint.joint_net.2.bias", F32, { JOINT } },
};

size_t al_parakeet_n_tensors(const struct al_parakeet_sizes *s)
{
  return AL_COUNT(front_rows) + AL_COUNT(layer_rows) * (size_t)s->n_audio_layer +
         AL_COUNT(lstm_rows) * (size_t)s->n_pred_layers + AL_COUNT(back_rows);
}

static int64_t extent(const struct al_parakeet_sizes *s, enum extent which)
{
  switch (which) {
  case ONE: return 1;
  case STATE: return s->n_audio_state;
  case STATE2: return 2LL * s->n_audio_state;
  case STATE4: return 4LL * s->n_audio_state;
  case HEAD: return s->n_audio_state / s->n_audio_head;
  case HEADS: return s->n_audio_head;
  case KERNEL: return s->n_conv_kernel;
  case CHANNELS: return s->n_subsampling_channels;
  case FEATURES: return features(s);
  case PRED: return s->n_pred_dim;
  case PRED4: return 4LL * s->n_pred_dim;
  case EMBEDDED: return s->n_vocab + 1LL;
  case JOINT: return s->n_vocab + 1LL + s->n_tdt_durations;
  case THREE: return 3;
  }
  return 1;
}

static const struct al_whisper_type *type_of(const struct al_parakeet_sizes *s, enum role role)
{
  const struct al_whisper_type *type = al_whisper_type_of_ftype(s->ftype);
  bool is_plain = role == F32 || role == COUNTER || (role == SMALL && s->n_pred_dim % type->block_elements != 0);
  return is_plain ? al_whisper_type_f32() : type;
}

/* The row of a tensor; its name is written. */
static const struct row *row_at(const struct al_parakeet_sizes *s, size_t index, char *name, size_t name_size)
{
  if (index < AL_COUNT(front_rows)) {
    (void)snprintf(name, name_size, "encoder.%s", front_rows[index].name);
    return &front_rows[index];
  }
  index -= AL_COUNT(front_rows);
  if (index < AL_COUNT(layer_rows) * (size_t)s->n_audio_layer) {
    const struct row *row = &layer_rows[index % AL_COUNT(layer_rows)];
    (void)snprintf(name, name_size, "encoder.layers.%zu.%s", index / AL_COUNT(layer_rows), row->name);
    return row;
  }
  index -= AL_COUNT(layer_rows) * (size_t)s->n_audio_layer;
  if (index < AL_COUNT(lstm_rows) * (size_t)s->n_pred_layers) {
    const struct row *row = &lstm_rows[index % AL_COUNT(lstm_rows)];
    (void)snprintf(name, name_size, "decoder.prediction.dec_rnn.lstm.%s%zu", row->name, index / AL_COUNT(lstm_rows));
    return row;
  }
  index -= AL_COUNT(lstm_rows) * (size_t)s->n_pred_layers;
  assert(index < AL_COUNT(back_rows));
  (void)snprintf(name, name_size, "%s", back_rows[index].name);
  return &back_rows[index];
}

static uint64_t n_elements(const struct al_parakeet_tensor *tensor)
{
  return (uint64_t)(tensor->ne[0] * tensor->ne[1] * tensor->ne[2] * tensor->ne[3]);
}

void al_parakeet_tensor_at(const struct al_parakeet_sizes *s, size_t index, struct al_parakeet_tensor *tensor)
{
  const struct row *row = row_at(s, index, tensor->name, sizeof tensor->name);
  for (size_t i = 0; i < AL_COUNT(row->ne); i++)
    tensor->ne[i] = extent(s, row->ne[i]);
  tensor->type = type_of(s, row->role);
  tensor->is_count = row->role == COUNTER;
  tensor->size_bytes =
      n_elements(tensor) / (uint64_t)tensor->type->block_elements * (uint64_t)tensor->type->block_bytes;
}

uint64_t al_parakeet_n_parameters(const struct al_parakeet_sizes *s)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < al_parakeet_n_tensors(s); i++) {
    struct al_parakeet_tensor tensor;
    al_parakeet_tensor_at(s, i, &tensor);
    sum += n_elements(&tensor);
  }
  return sum;
}

uint64_t al_parakeet_weights_bytes(const struct al_parakeet_sizes *s)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < al_parakeet_n_tensors(s); i++) {
    struct al_parakeet_tensor tensor;
    al_parakeet_tensor_at(s, i, &tensor);
    sum += tensor.size_bytes;
  }
  return sum;
}
