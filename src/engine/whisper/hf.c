/* From config.json, the tokenizer and the headers of the weights to the plan of the file they would be. */
#include "engine/whisper/hf_vocabulary.h"
#include "engine/whisper/mel.h"
#include "engine/whisper/stream.h"

#include "base/alloc.h"
#include "engine/safetensors/hf_config.h"
#include "engine/safetensors/weight_types.h"

#include <stdckdint.h>
#include <stdio.h>

constexpr size_t MAX_HEAD_BYTES = (size_t)64 << 20;
constexpr int64_t MAX_NUMBER = 1 << 24;

static enum al_code take(const struct al_hf_config *config, const char *key, int32_t *out, struct al_err *err)
{
  int64_t value = 0;
  AL_TRY(al_hf_config_int(config, key, 1, MAX_NUMBER, &value, err));
  *out = (int32_t)value;
  return AL_OK;
}

static enum al_code take_ffn(const struct al_hf_config *config, const char *key, int32_t state, struct al_err *err)
{
  int32_t width = 0;
  AL_TRY(take(config, key, &width, err));
  if (width != 4 * state)
    return al_fail(err, AL_UNSUPPORTED,
                   "config.json: %s is %d, not four times d_model, which libwhisper takes for "
                   "granted",
                   key, width);
  return AL_OK;
}

static enum al_code take_sizes(const struct al_hf_config *config, struct al_whisper_sizes *s, struct al_err *err)
{
  AL_TRY(take(config, "vocab_size", &s->n_vocab, err));
  AL_TRY(take(config, "max_source_positions", &s->n_audio_ctx, err));
  AL_TRY(take(config, "d_model", &s->n_audio_state, err));
  AL_TRY(take(config, "encoder_attention_heads", &s->n_audio_head, err));
  AL_TRY(take(config, "encoder_layers", &s->n_audio_layer, err));
  AL_TRY(take(config, "max_target_positions", &s->n_text_ctx, err));
  s->n_text_state = s->n_audio_state;
  AL_TRY(take(config, "decoder_attention_heads", &s->n_text_head, err));
  AL_TRY(take(config, "decoder_layers", &s->n_text_layer, err));
  AL_TRY(take(config, "num_mel_bins", &s->n_mels, err));
  AL_TRY(take_ffn(config, "encoder_ffn_dim", s->n_audio_state, err));
  return take_ffn(config, "decoder_ffn_dim", s->n_audio_state, err);
}

/* What libwhisper does in one way alone. */
static enum al_code check_config(const struct al_hf_config *config, struct al_err *err)
{
  if (!al_streq(config->architecture, "WhisperForConditionalGeneration"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: a %.90s is no Whisper model that transcribes",
                   config->architecture);
  const struct al_json *quantised = al_json_get(config->root, "quantization_config");
  if (al_json_kind(quantised) == AL_JSON_OBJECT)
    return al_fail(err, AL_UNSUPPORTED, "config.json: quantised weights are not supported for Whisper");
  struct al_str activation = al_json_str(al_json_get(config->root, "activation_function"));
  if (activation.size > 0 && !al_str_is(activation, "gelu"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: the activation \"%.*s\" is not Whisper's \"gelu\"",
                   (int)al_min_size(activation.size, 60), activation.data);
  if (al_json_bool(al_json_get(config->root, "scale_embedding"), false))
    return al_fail(err, AL_UNSUPPORTED, "config.json: scaled embeddings are not supported");
  return AL_OK;
}

/* quant: "" is what whisper.cpp's own converter makes, F16. */
static enum al_code take_type(const char *quant, struct al_whisper_sizes *sizes, struct al_err *err)
{
  struct al_weight_wish wish;
  AL_TRY(al_weight_wish(quant[0] != '\0' ? quant : "f16", &wish, err));
  for (int32_t ftype = 0; ftype < AL_WHISPER_QUANT_FACTOR; ftype++) {
    const struct al_whisper_type *type = al_whisper_type_of_ftype(ftype);
    if (type == nullptr || type->type != (int32_t)wish.type)
      continue;
    sizes->ftype = ftype + (ggml_is_quantized(wish.type) ? AL_WHISPER_QUANT_VERSION * AL_WHISPER_QUANT_FACTOR : 0);
    return AL_OK;
  }
  return al_fail_param(err, "quant", "whisper.cpp has no files with weights of type \"%s\"", quant);
}

/* The model's tensors stand behind "model." in what transformers saves. */
static struct al_hf_source find(const struct al_hf_weights *weights, const char *name)
{
  char path[96];
  (void)snprintf(path, sizeof path, "model.%s", name);
  struct al_hf_source source = al_hf_weights_find(weights, path);
  return source.tensor != nullptr ? source : al_hf_weights_find(weights, name);
}

/* Hugging Face writes the outermost extent first, and a convolution's bias without whisper.cpp's extent of one. */
static bool same_shape(const struct al_st_tensor *source, const struct al_whisper_tensor *due)
{
  int first = due->n_dims > 1 && due->ne[0] == 1 ? 1 : 0;
  if (source->n_dims != due->n_dims - first)
    return false;
  for (int i = 0; i < source->n_dims; i++)
    if (source->shape[source->n_dims - 1 - i] != (uint64_t)due->ne[first + i])
      return false;
  return true;
}

static enum al_code check_source(struct al_hf_source source, const struct al_whisper_tensor *due, enum ggml_type *type,
                                 struct al_err *err)
{
  if (source.tensor == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "the weights lack %s", due->hf_name);
  if (!same_shape(source.tensor, due))
    return al_fail(err, AL_MODEL_CORRUPT, "%s is not of the shape that config.json gives it", due->hf_name);
  enum al_st_dtype dtype = source.tensor->dtype;
  if (dtype != AL_ST_F32 && dtype != AL_ST_F16 && dtype != AL_ST_BF16)
    return al_fail(err, AL_UNSUPPORTED, "%s holds %s; F32, F16 and BF16 can be read", due->hf_name,
                   al_st_dtype_name(dtype));
  return al_weight_type_of(dtype, type) ? AL_OK : al_fail(err, AL_UNSUPPORTED, "%s", due->hf_name);
}

/* Rows of any length will do: a kernel's are put together to those of one output channel. */
static void plan_tensor(const struct al_whisper_tensor *due, enum ggml_type source_type, struct al_plan_part *part,
                        struct al_plan_tensor *out)
{
  *out = (struct al_plan_tensor){
    .type = (enum ggml_type)due->type->type,
    .n_dims = due->n_dims,
    .n_cols = due->n_dims == 3 || due->ne[0] == 1 ? due->ne[0] * due->ne[1] : due->ne[0],
    .n_slabs = 1,
    .size_bytes = due->size_bytes,
    .source_type = source_type,
    .parts = part,
    .n_parts = 1,
    .row_step = 1,
  };
  (void)snprintf(out->name, sizeof out->name, "%s", due->name);
  memcpy(out->ne, due->ne, sizeof due->ne);
  out->n_rows = (int64_t)due->n_elements / out->n_cols;
  out->row_bytes = ggml_row_size(out->type, out->n_cols);
}

static uint64_t head_bytes(const struct al_plan_tensor *tensor)
{
  return (3 + (uint64_t)tensor->n_dims) * sizeof(int32_t) + strlen(tensor->name);
}

static enum al_code make_plan(struct al_whisper_stream *stream, struct al_err *err)
{
  size_t n = al_whisper_n_tensors(&stream->sizes);
  stream->tensors = al_calloc(n, sizeof *stream->tensors);
  stream->parts = al_calloc(n, sizeof *stream->parts);
  if (stream->tensors == nullptr || stream->parts == nullptr)
    return al_fail_oom(err, n * sizeof *stream->tensors);
  for (size_t i = 0; i < n; i++) {
    struct al_whisper_tensor due;
    enum ggml_type type = GGML_TYPE_F32;
    al_whisper_tensor_at(&stream->sizes, i, &due);
    stream->parts[i].data = find(stream->weights, due.hf_name);
    AL_TRY(check_source(stream->parts[i].data, &due, &type, err));
    plan_tensor(&due, type, &stream->parts[i], &stream->tensors[i]);
    stream->size_bytes += head_bytes(&stream->tensors[i]) + due.size_bytes;
    stream->n_tensors++;
  }
  return AL_OK;
}

/* The head of the output is the embedding of the tokens; a model that has another would come out wrong. */
static enum al_code check_tied(const struct al_hf_config *config, const struct al_hf_weights *weights,
                               struct al_err *err)
{
  if (config->tied == AL_HF_UNTIED && al_hf_weights_find(weights, "proj_out.weight").tensor != nullptr)
    return al_fail(err, AL_UNSUPPORTED,
                   "config.json: an output matrix of its own (tie_word_embeddings false) is not "
                   "supported");
  return AL_OK;
}

static void add_u32(struct al_buf *out, uint32_t value)
{
  const uint8_t bytes[] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24) };
  al_buf_add(out, bytes, sizeof bytes);
}

static void write_sizes(const struct al_whisper_sizes *s, struct al_buf *out)
{
  const int32_t sizes[] = { s->n_vocab,       s->n_audio_ctx, s->n_audio_state, s->n_audio_head,
                            s->n_audio_layer, s->n_text_ctx,  s->n_text_state,  s->n_text_head,
                            s->n_text_layer,  s->n_mels,      s->ftype };
  add_u32(out, AL_GGML_MAGIC);
  for (size_t i = 0; i < AL_COUNT(sizes); i++)
    add_u32(out, (uint32_t)sizes[i]);
}

static enum al_code write_filters(const struct al_whisper_sizes *s, struct al_buf *out, struct al_err *err)
{
  size_t n = (size_t)s->n_mels * AL_WHISPER_N_BINS;
  AL_CLEANUP(al_free_p) float *filters = al_calloc(n, sizeof *filters);
  if (filters == nullptr)
    return al_fail_oom(err, n * sizeof *filters);
  al_whisper_mel_filters(s->n_mels, filters);
  add_u32(out, (uint32_t)s->n_mels);
  add_u32(out, (uint32_t)AL_WHISPER_N_BINS);
  al_buf_add(out, filters, n * sizeof *filters);
  return AL_OK;
}

static enum al_code write_head(const char *directory, struct al_whisper_stream *stream, struct al_err *err)
{
  int32_t n_tokens = al_whisper_end_token(&stream->sizes);
  al_buf_init(&stream->head, MAX_HEAD_BYTES);
  write_sizes(&stream->sizes, &stream->head);
  AL_TRY(write_filters(&stream->sizes, &stream->head, err));
  add_u32(&stream->head, (uint32_t)n_tokens);
  AL_TRY(al_whisper_vocabulary_write(directory, n_tokens, &stream->head, &stream->has_space_token, err));
  stream->size_bytes += stream->head.size;
  return al_buf_check(&stream->head, err);
}

enum al_code al_whisper_hf_open(const char *directory, const char *quant, struct al_whisper_stream *stream,
                                struct al_err *err)
{
  AL_CLEANUP(al_hf_config_done) struct al_hf_config config = {};
  AL_TRY(al_hf_config_load(directory, &config, err));
  AL_TRY(check_config(&config, err));
  AL_TRY(take_sizes(&config, &stream->sizes, err));
  AL_TRY(take_type(quant, &stream->sizes, err));
  if (al_whisper_sizes_check(&stream->sizes, err) != AL_OK)
    return al_wrap(err, "config.json");
  AL_TRY(al_hf_weights_open(directory, &stream->weights, err));
  AL_TRY(check_tied(&config, stream->weights, err));
  AL_TRY(make_plan(stream, err));
  return write_head(directory, stream, err);
}
