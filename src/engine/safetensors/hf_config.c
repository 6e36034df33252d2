#include "engine/safetensors/hf_config.h"

#include "base/buf.h"
#include "codec/json_python.h"
#include "engine/llama/yarn.h"
#include "os/file.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

constexpr size_t MAX_CONFIG_BYTES = (size_t)4 << 20;
constexpr int64_t MAX_LAYERS = (int64_t)AL_HF_MAX_LAYERS;
constexpr int64_t MAX_WIDTH = 1 << 22;
constexpr int64_t MAX_HEADS = 1 << 14;
constexpr int64_t MAX_HEAD_DIM = 1 << 14;
constexpr int64_t MAX_VOCAB = 1 << 24;
constexpr int64_t MAX_CONTEXT = 1 << 28;

enum al_code al_hf_read_json(const char *directory, const char *name, size_t max_bytes, struct al_json_doc **doc,
                             struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, name, err));
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_init(&text, max_bytes + 1);
  struct al_err cause = {};
  enum al_code code = al_file_read(path, max_bytes, &text, &cause);
  if (code == AL_NOT_FOUND)
    return AL_OK;
  if (code == AL_INVALID_REQUEST)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is larger than %zu bytes", name, max_bytes);
  if (code != AL_OK)
    return al_fail(err, code, "%s", cause.message);
  code = al_json_parse_python(&text, doc, &cause);
  if (code == AL_OK)
    return AL_OK;
  return al_fail(err, code == AL_INVALID_REQUEST ? AL_MODEL_CORRUPT : code, "%s: %s", name, cause.message);
}

enum al_code al_hf_config_int(const struct al_hf_config *config, const char *key, int64_t least, int64_t most,
                              int64_t *out, struct al_err *err)
{
  const struct al_json *value = al_json_get(config->root, key);
  if (value == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: %s is missing", key);
  int64_t number = al_json_int(value, INT64_MIN);
  if (number < least || number > most)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: %s must be a whole number from %lld to %lld", key,
                   (long long)least, (long long)most);
  *out = number;
  return AL_OK;
}

enum al_code al_hf_config_optional_int(const struct al_hf_config *config, const char *key, int64_t least, int64_t most,
                                       int64_t *out, struct al_err *err)
{
  enum al_json_kind kind = al_json_kind(al_json_get(config->root, key));
  return kind == AL_JSON_ABSENT || kind == AL_JSON_NULL ? AL_OK : al_hf_config_int(config, key, least, most, out, err);
}

/* As al_hf_config_int, but an absent key leaves alone what the family has put there. */
static enum al_code size_int(const struct al_hf_config *config, const char *key, int64_t most, int64_t *out,
                             struct al_err *err)
{
  return *out > 0 ? al_hf_config_optional_int(config, key, 1, most, out, err)
                  : al_hf_config_int(config, key, 1, most, out, err);
}

static enum al_code read_architecture(struct al_hf_config *config, struct al_err *err)
{
  struct al_str name = al_json_str(al_json_at(al_json_get(config->root, "architectures"), 0));
  if (name.size == 0 || name.size >= sizeof config->architecture)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: architectures does not name the model's class");
  (void)snprintf(config->architecture, sizeof config->architecture, "%.*s", (int)name.size, name.data);
  return AL_OK;
}

static enum al_code read_sizes(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(size_int(config, "num_hidden_layers", MAX_LAYERS, &config->n_layers, err));
  AL_TRY(size_int(config, "hidden_size", MAX_WIDTH, &config->n_embd, err));
  AL_TRY(size_int(config, "intermediate_size", MAX_WIDTH, &config->n_ff, err));
  AL_TRY(size_int(config, "num_attention_heads", MAX_HEADS, &config->n_heads, err));
  AL_TRY(size_int(config, "vocab_size", MAX_VOCAB, &config->n_vocab, err));
  AL_TRY(size_int(config, "max_position_embeddings", MAX_CONTEXT, &config->n_ctx, err));
  if (config->n_kv_heads == 0)
    config->n_kv_heads = config->n_heads;
  AL_TRY(al_hf_config_optional_int(config, "num_key_value_heads", 1, MAX_HEADS, &config->n_kv_heads, err));
  if (config->n_heads % config->n_kv_heads != 0)
    return al_fail(err, AL_MODEL_CORRUPT,
                   "config.json: num_attention_heads %lld is no multiple of num_key_value_heads %lld",
                   (long long)config->n_heads, (long long)config->n_kv_heads);
  AL_TRY(al_hf_config_optional_int(config, "head_dim", 1, MAX_HEAD_DIM, &config->head_dim, err));
  if (config->head_dim == 0 && config->n_embd % config->n_heads != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: hidden_size %lld is no multiple of num_attention_heads %lld",
                   (long long)config->n_embd, (long long)config->n_heads);
  if (config->head_dim == 0)
    config->head_dim = config->n_embd / config->n_heads;
  if (config->head_dim % 2 != 0)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: the head dimension %lld is odd, rotation needs pairs",
                   (long long)config->head_dim);
  return AL_OK;
}

static enum al_code read_epsilon(struct al_hf_config *config, struct al_err *err)
{
  const char *key = al_json_get(config->root, "layer_norm_epsilon") != nullptr ? "layer_norm_epsilon" : "rms_norm_eps";
  const struct al_json *value = al_json_get(config->root, key);
  double epsilon = value == nullptr && config->rms_epsilon > 0.0 ? config->rms_epsilon : al_json_real(value, NAN);
  if (!(epsilon > 0.0 && epsilon < 1.0))
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: %s must be a number above 0 and below 1", key);
  config->rms_epsilon = epsilon;
  return AL_OK;
}

static enum al_code read_window(struct al_hf_config *config, struct al_err *err)
{
  const struct al_json *use = al_json_get(config->root, "use_sliding_window");
  if (al_json_kind(use) == AL_JSON_BOOL && !al_json_bool(use, false))
    return AL_OK;
  return al_hf_config_optional_int(config, "sliding_window", 1, MAX_CONTEXT, &config->window, err);
}

static enum al_code positive(const struct al_json *rope, const char *key, double *out, struct al_err *err)
{
  double value = al_json_real(al_json_get(rope, key), NAN);
  if (!(value > 0.0) || !isfinite(value))
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: the rope scaling's %s must be a number above 0", key);
  *out = value;
  return AL_OK;
}

static enum al_code read_llama3(const struct al_json *rope, struct al_hf_config *config, struct al_err *err)
{
  config->rope.kind = AL_HF_ROPE_LLAMA3;
  AL_TRY(positive(rope, "factor", &config->rope.factor, err));
  AL_TRY(positive(rope, "low_freq_factor", &config->rope.low_freq_factor, err));
  AL_TRY(positive(rope, "high_freq_factor", &config->rope.high_freq_factor, err));
  if (config->rope.high_freq_factor <= config->rope.low_freq_factor)
    return al_fail(err, AL_MODEL_CORRUPT,
                   "config.json: the rope scaling's high_freq_factor is not above its "
                   "low_freq_factor");
  return AL_OK;
}

static enum al_code read_yarn(const struct al_json *rope, struct al_hf_config *config, struct al_err *err)
{
  config->rope.kind = AL_HF_ROPE_YARN;
  AL_TRY(positive(rope, "factor", &config->rope.factor, err));
  config->rope.beta_fast = al_json_real(al_json_get(rope, "beta_fast"), NAN);
  config->rope.beta_slow = al_json_real(al_json_get(rope, "beta_slow"), NAN);
  config->rope.exact = !al_json_bool(al_json_get(rope, "truncate"), true);
  if (config->rope.exact && !al_yarn_is_asked())
    return al_fail(err, AL_UNSUPPORTED, "config.json: the rope scaling's truncate false is not supported here");
  config->rope.attention_factor = al_json_real(al_json_get(rope, "attention_factor"), NAN);
  return AL_OK;
}

/* transformers: modeling_rope_utils.py. */
static enum al_code read_longrope(const struct al_json *rope, struct al_hf_config *config, struct al_err *err)
{
  struct al_hf_rope *r = &config->rope;
  r->kind = AL_HF_ROPE_LONGROPE;
  AL_TRY(
      al_hf_config_optional_int(config, "original_max_position_embeddings", 1, MAX_CONTEXT, &r->original_context, err));
  r->short_factors = al_json_get(rope, "short_factor");
  r->long_factors = al_json_get(rope, "long_factor");
  double original = (double)r->original_context;
  r->factor = al_json_real(al_json_get(rope, "factor"), (double)config->n_ctx / original);
  double factor = r->factor > 1.0 && original > 1.0 ? sqrt(1.0 + log(r->factor) / log(original)) : 1.0;
  r->attention_factor = al_json_real(al_json_get(rope, "attention_factor"), factor);
  return AL_OK;
}

static enum al_code read_scaling(const struct al_json *rope, struct al_hf_config *config, struct al_err *err)
{
  struct al_str kind = al_json_str(al_json_get(rope, "rope_type"));
  if (kind.size == 0)
    kind = al_json_str(al_json_get(rope, "type"));
  config->rope.kind = AL_HF_ROPE_PLAIN;
  if (kind.size == 0 || al_str_is(kind, "default"))
    return AL_OK;
  config->rope.original_context = al_json_int(al_json_get(rope, "original_max_position_embeddings"), config->n_ctx);
  if (config->rope.original_context < 1 || config->rope.original_context > MAX_CONTEXT)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: the rope scaling's original_max_position_embeddings is absurd");
  if (al_str_is(kind, "llama3"))
    return read_llama3(rope, config, err);
  if (al_str_is(kind, "yarn"))
    return read_yarn(rope, config, err);
  if (al_str_is(kind, "longrope") || al_str_is(kind, "su"))
    return read_longrope(rope, config, err);
  if (!al_str_is(kind, "linear"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: the rope scaling \"%.*s\" is not supported",
                   (int)al_min_size(kind.size, 32), kind.data);
  config->rope.kind = AL_HF_ROPE_LINEAR;
  return positive(rope, "factor", &config->rope.factor, err);
}

/* transformers 5 writes rope_parameters, by kind of layer where they differ; before, rope_theta stood beside
 * rope_scaling. */
static enum al_code read_rope(struct al_hf_config *config, struct al_err *err)
{
  const struct al_json *rope = al_json_get(config->root, "rope_parameters");
  if (al_json_kind(rope) != AL_JSON_OBJECT)
    rope = al_json_get(config->root, "rope_scaling");
  if (al_json_kind(al_json_get(rope, "full_attention")) == AL_JSON_OBJECT)
    rope = al_json_get(rope, "full_attention");
  double usual = config->rope.theta > 0.0 ? config->rope.theta : 10000.0;
  double outer = al_json_real(al_json_get(config->root, "rope_theta"), usual);
  config->rope.theta = al_json_real(al_json_get(rope, "rope_theta"), outer);
  if (!(config->rope.theta > 0.0) || !isfinite(config->rope.theta))
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: rope_theta must be a number above 0");
  double partial = al_json_real(al_json_get(config->root, "partial_rotary_factor"), 1.0);
  config->rope.partial_factor = al_json_real(al_json_get(rope, "partial_rotary_factor"), partial);
  return read_scaling(rope, config, err);
}

static enum al_code add_eos(struct al_hf_config *config, const struct al_json *value, struct al_err *err)
{
  int64_t id = al_json_int(value, -1);
  if (id < 0 || id >= config->n_vocab)
    return al_fail(err, AL_MODEL_CORRUPT, "an eos_token_id is not a token of this model");
  for (size_t i = 0; i < config->n_eos; i++)
    if (config->eos[i] == (int32_t)id)
      return AL_OK;
  if (config->n_eos == AL_HF_MAX_EOS)
    return al_fail(err, AL_UNSUPPORTED, "more than %zu eos_token_id", AL_HF_MAX_EOS);
  config->eos[config->n_eos++] = (int32_t)id;
  return AL_OK;
}

static enum al_code read_eos(struct al_hf_config *config, const struct al_json *object, struct al_err *err)
{
  const struct al_json *eos = al_json_get(object, "eos_token_id");
  enum al_json_kind kind = al_json_kind(eos);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  if (kind != AL_JSON_ARRAY)
    return add_eos(config, eos, err);
  struct al_json_iter it = al_json_iter(eos);
  while (al_json_next(&it))
    AL_TRY(add_eos(config, it.value, err));
  return AL_OK;
}

static enum al_code read_generation(struct al_hf_config *config, struct al_err *err)
{
  const struct al_json *generation = config->generation != nullptr ? al_json_root(config->generation) : nullptr;
  AL_TRY(read_eos(config, generation, err));
  AL_TRY(read_eos(config, config->root, err));
  AL_TRY(read_eos(config, al_json_root(config->doc), err)); /* where the root is a part of it */
  int64_t bos = al_json_int(al_json_get(config->root, "bos_token_id"), -1);
  config->bos = bos >= 0 && bos < config->n_vocab ? (int32_t)bos : -1;
  config->temperature = (float)al_json_real(al_json_get(generation, "temperature"), NAN);
  config->top_p = (float)al_json_real(al_json_get(generation, "top_p"), NAN);
  int64_t top_k = al_json_int(al_json_get(generation, "top_k"), 0);
  config->top_k = top_k > 0 && top_k <= config->n_vocab ? (int)top_k : 0;
  const struct al_json *sample = al_json_get(generation, "do_sample");
  if (al_json_kind(sample) == AL_JSON_BOOL && !al_json_bool(sample, true))
    config->temperature = 0.0F;
  return AL_OK;
}

enum al_code al_hf_config_read(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(read_sizes(config, err));
  AL_TRY(read_epsilon(config, err));
  AL_TRY(read_rope(config, err));
  AL_TRY(read_window(config, err));
  return read_generation(config, err);
}

enum al_code al_hf_config_load(const char *directory, struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_read_json(directory, "config.json", MAX_CONFIG_BYTES, &config->doc, err));
  if (config->doc == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json is missing");
  AL_TRY(al_hf_read_json(directory, "generation_config.json", MAX_CONFIG_BYTES, &config->generation, err));
  config->root = al_json_root(config->doc);
  AL_TRY(read_architecture(config, err));
  AL_TRY(al_hf_quantisation_read(config->root, &config->quantisation, err));
  const struct al_json *tied = al_json_get(config->root, "tie_word_embeddings");
  if (al_json_kind(tied) == AL_JSON_BOOL)
    config->tied = al_json_bool(tied, false) ? AL_HF_TIED : AL_HF_UNTIED;
  return AL_OK;
}

void al_hf_config_done(struct al_hf_config *config)
{
  al_json_doc_free(config->doc);
  al_json_doc_free(config->generation);
  *config = (struct al_hf_config){};
}
