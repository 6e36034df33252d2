/* What BERT and its relatives share: their settings, and how their outputs are pooled. */
#include "engine/safetensors/families/encoder.h"

#include <llama.h>
#include <math.h>

constexpr int64_t MAX_WIDTH = 1 << 22;
constexpr int64_t MAX_HEADS = 1 << 14;
constexpr int64_t MAX_VOCAB = 1 << 23;
constexpr int64_t MAX_POSITIONS = 1 << 24;

enum al_code al_hf_read_encoder(const struct al_hf_encoder_keys *keys, struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_config_int(config, keys->layers, 1, AL_HF_MAX_LAYERS, &config->n_layers, err));
  AL_TRY(al_hf_config_int(config, keys->embd, 1, MAX_WIDTH, &config->n_embd, err));
  AL_TRY(al_hf_config_int(config, keys->ff, 1, MAX_WIDTH, &config->n_ff, err));
  AL_TRY(al_hf_config_int(config, keys->heads, 1, MAX_HEADS, &config->n_heads, err));
  AL_TRY(al_hf_config_int(config, keys->positions, 1, MAX_POSITIONS, &config->n_ctx, err));
  AL_TRY(al_hf_config_int(config, "vocab_size", 1, MAX_VOCAB, &config->n_vocab, err));
  config->encoder.n_types = 1;
  AL_TRY(al_hf_config_optional_int(config, "type_vocab_size", 1, 16, &config->encoder.n_types, err));
  config->n_kv_heads = config->n_heads;
  if (config->n_embd % config->n_heads != 0 || config->n_embd / config->n_heads % 2 != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: %s %lld makes no even heads of %s %lld", keys->heads,
                   (long long)config->n_heads, keys->embd, (long long)config->n_embd);
  config->head_dim = config->n_embd / config->n_heads;
  config->rms_epsilon = NAN;
  config->encoder.epsilon = al_json_real(al_json_get(config->root, keys->epsilon), keys->usual_epsilon);
  if (!(config->encoder.epsilon > 0.0 && config->encoder.epsilon < 1.0))
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: %s must be a number above 0 and below 1", keys->epsilon);
  config->encoder.n_positions = config->n_ctx;
  config->rope.theta = NAN;
  config->rope.partial_factor = 1.0;
  config->bos = -1;
  config->temperature = config->top_p = NAN;
  config->tied = AL_HF_TIED;
  if (config->pooling == AL_POOLING_NONE)
    config->pooling = AL_POOLING_MEAN;
  return AL_OK;
}

void al_hf_meta_encoder(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  al_hf_meta_f32(meta, "attention.layer_norm_epsilon", config->encoder.epsilon);
  al_hf_meta_bool(meta, "attention.causal", false);
  gguf_set_val_u32(meta->gguf, "tokenizer.ggml.token_type_count", (uint32_t)config->encoder.n_types);
  if (config->encoder.both_types)
    gguf_set_val_str(meta->gguf, "allm.tokenizer.second_segment", config->encoder.second_segment);
}
