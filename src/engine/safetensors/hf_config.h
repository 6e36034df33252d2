/* config.json and generation_config.json of a Hugging Face model directory: what every decoder family has in common,
 * checked for range and for sense, and the documents themselves for what a family alone knows. */
#ifndef AL_ENGINE_SAFETENSORS_HF_CONFIG_H
#define AL_ENGINE_SAFETENSORS_HF_CONFIG_H

#include "base/err.h"
#include "codec/json.h"
#include "engine/engine.h"
#include "engine/safetensors/hf_quantisation.h"

#include <stdint.h>

enum al_hf_rope_kind {
  AL_HF_ROPE_PLAIN,
  AL_HF_ROPE_LINEAR,
  AL_HF_ROPE_LLAMA3,
  AL_HF_ROPE_YARN,
  AL_HF_ROPE_LONGROPE,
};

/* Names as in transformers' rope_parameters (rope_scaling in older files). */
struct al_hf_rope {
  enum al_hf_rope_kind kind;
  double theta;
  double factor;
  double low_freq_factor;              /* llama3 */
  double high_freq_factor;             /* llama3 */
  double beta_fast;                    /* yarn; NaN where the file is silent */
  double beta_slow;                    /* yarn; likewise */
  double attention_factor;             /* yarn, longrope; likewise */
  const struct al_json *short_factors; /* longrope: what each frequency is divided by, up to original_context */
  const struct al_json *long_factors;  /* longrope: beyond it */
  bool exact;                          /* yarn; the bounds of what is scaled are not rounded */
  int64_t original_context;
  double partial_factor; /* the part of a head that is rotated; 1 where the file is silent */
};

/* Of Mamba 2 layers. */
struct al_hf_ssm {
  int64_t heads;
  int64_t inner; /* heads x head dimension */
  int64_t groups;
  int64_t state;
  int64_t kernel; /* of the convolution */
};

/* Of an encoder. */
struct al_hf_encoder {
  int64_t n_positions; /* rows of learnt positions */
  int64_t n_unused;    /* rows before them that no token has */
  int64_t n_types;     /* of texts: the first, the second of a pair */
  bool both_types;     /* the second of a pair has its own: the vocabulary is doubled for it (engine/llama/runner.h) */
  char second_segment[24];
  double epsilon; /* of layer norms */
};

enum al_hf_tied { AL_HF_TIED_UNSTATED, AL_HF_TIED, AL_HF_UNTIED };

constexpr size_t AL_HF_MAX_EOS = 16;
constexpr size_t AL_HF_MAX_LAYERS = 512; /* libllama's own */

struct al_hf_config {
  struct al_json_doc *doc;        /* owned; config.json */
  struct al_json_doc *generation; /* owned; generation_config.json, nullptr when there is none */
  const struct al_json *root;     /* of doc */
  char architecture[96];          /* architectures[0] */
  int64_t n_layers;
  int64_t n_embd;
  int64_t n_ff;
  int64_t n_heads;
  int64_t n_kv_heads;
  int64_t head_dim;
  int64_t n_vocab;
  int64_t n_ctx;
  int64_t window;                /* of sliding-window attention; 0: none stated */
  int64_t n_experts;             /* 0 for a dense model; set by the family, as the next three */
  int64_t n_experts_used;        /* by each token */
  int64_t n_ff_exp;              /* feed-forward length of one expert */
  int64_t n_ff_shared;           /* of the experts that every token uses, together; 0: there are none */
  int64_t n_extra_layers;        /* behind the last layer, for other uses than generating: skipped */
  int64_t n_latent;              /* width in which experts work; 0: n_embd */
  struct al_hf_ssm ssm;          /* set by the family, as the next */
  char layers[AL_HF_MAX_LAYERS]; /* the kind of each layer, in the family's own letters */
  double rms_epsilon;
  struct al_hf_rope rope;
  enum al_hf_tied tied;
  struct al_hf_quantisation quantisation;
  struct al_hf_encoder encoder; /* set by the family */
  enum al_pooling pooling;      /* NONE: nothing is stated, the model generates */
  int32_t bos;                  /* -1 when not stated */
  int32_t eos[AL_HF_MAX_EOS];
  size_t n_eos;
  float temperature; /* NaN when not stated */
  float top_p;       /* likewise */
  int top_k;         /* 0 when not stated */
};

/* Reads both files of the directory and what is common to all models: class, ties. Errors name the file and the key. On
 * failure *config is still to be passed to al_hf_config_done. */
enum al_code al_hf_config_load(const char *directory, struct al_hf_config *config, struct al_err *err);
/* After loading: what all decoders with Llama's key names have. */
enum al_code al_hf_config_read(struct al_hf_config *config, struct al_err *err);
void al_hf_config_done(struct al_hf_config *config); /* accepts a zeroed one */

/* For what a family alone has: AL_MODEL_CORRUPT naming the key when it is absent or out of range. */
enum al_code al_hf_config_int(const struct al_hf_config *config, const char *key, int64_t least, int64_t most,
                              int64_t *out, struct al_err *err);
/* As al_hf_config_int, but an absent or null key leaves *out alone. */
enum al_code al_hf_config_optional_int(const struct al_hf_config *config, const char *key, int64_t least, int64_t most,
                                       int64_t *out, struct al_err *err);

/* Reads "name" of the directory as JSON; *doc stays nullptr when the file is absent. */
enum al_code al_hf_read_json(const char *directory, const char *name, size_t max_bytes, struct al_json_doc **doc,
                             struct al_err *err);

#endif
