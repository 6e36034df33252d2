/* A model family: how the tensors and settings of one Hugging Face architecture become those of one of libllama's.
 * A family is one file in families/ with one const descriptor, and one line in families/list.c. */
#ifndef AL_ENGINE_SAFETENSORS_FAMILY_H
#define AL_ENGINE_SAFETENSORS_FAMILY_H

#include "engine/safetensors/hf_config.h"
#include "engine/safetensors/hf_meta.h"

/* Sizes that a rule can ask for; the plan resolves them from the config. */
enum al_size {
  AL_SIZE_NONE, /* no such dimension */
  AL_SIZE_EMBD,
  AL_SIZE_FF,
  AL_SIZE_FF_2, /* twice the feed-forward length: gate and up in one */
  AL_SIZE_VOCAB,
  AL_SIZE_Q,         /* heads x head dimension */
  AL_SIZE_KV,        /* key-value heads x head dimension */
  AL_SIZE_HEAD,      /* head dimension */
  AL_SIZE_HEADS,     /* heads */
  AL_SIZE_EXPERTS,   /* as first of several: the tensor holds all experts, one behind the other */
  AL_SIZE_FF_EXP,    /* an expert's feed-forward length */
  AL_SIZE_FF_EXP_2,  /* twice that */
  AL_SIZE_FF_SHARED, /* of the experts that every token uses, together */
  AL_SIZE_LATENT,    /* width in which experts work: the embedding's where config->n_latent is 0 */
  AL_SIZE_ONE,
  AL_SIZE_POSITIONS,       /* of learnt positions */
  AL_SIZE_TYPES,           /* of texts: the first, the second of a pair */
  AL_SIZE_QKV,             /* Q and two of KV: all three in one */
  AL_SIZE_SSM_HEADS,       /* of a Mamba 2 layer */
  AL_SIZE_SSM_INNER,       /* heads x head dimension */
  AL_SIZE_SSM_GROUPS,      /* of heads, normalised together */
  AL_SIZE_SSM_GROUP_WIDTH, /* inner / groups */
  AL_SIZE_SSM_CONV,        /* inner + 2 x groups x state: what is convolved */
  AL_SIZE_SSM_KERNEL,
  AL_SIZE_SSM_IN, /* inner + conv + heads: gate, what is convolved, time steps */
};

/* Layers of one model may be of several kinds; a rule that names kinds is for those layers alone. */
enum al_rule {
  AL_RULE_PLAIN = 0,
  AL_RULE_OPTIONAL = 1 << 0, /* may be absent */
  AL_RULE_HEAD = 1 << 1,     /* the output matrix: may be tied to the embeddings */
  AL_RULE_F32 = 1 << 2,      /* stays F32 however the model is quantised, as libllama wants it; vectors do anyway */

  /* Hugging Face keeps the two halves of a rotated head one after the other, libllama's "llama" architecture wants the
   * pairs side by side: row 2j+p of a head is row p*dim/2+j of the file. */
  AL_RULE_PAIR_ROWS = 1 << 3,
  /* Two matrices in one, row by row in turn: this is the first, the second. `shape` is the file's. */
  AL_RULE_EVEN_ROWS = 1 << 4,
  AL_RULE_ODD_ROWS = 1 << 5,
  /* The file has columns for rows: its last two dimensions are those of `shape` swapped. */
  AL_RULE_TRANSPOSED = 1 << 6,
  /* Where the file has "<source>_blocks" and "<source>_scales", they are the tensor in MXFP4 (OCP Microscaling 1.0),
   * never transposed. */
  AL_RULE_MXFP4 = 1 << 7,
  AL_RULE_ADD_ONE = 1 << 8,   /* to every element */
  AL_RULE_NEG_EXP = 1 << 9,   /* x becomes -exp(x) */
  AL_RULE_RESHAPED = 1 << 10, /* the file has the elements in the same order, but as a vector or with more ones */
  /* The file has several matrices one behind the other, and this is one of them: q, k and v, gate and up. */
  AL_RULE_Q_OF_QKV = 1 << 11,
  AL_RULE_K_OF_QKV = 1 << 12,
  AL_RULE_V_OF_QKV = 1 << 13,
  AL_RULE_GATE_OF_BOTH = 1 << 14,
  AL_RULE_UP_OF_BOTH = 1 << 15,

  AL_RULE_DENSE_LAYERS = 1 << 16,
  AL_RULE_EXPERT_LAYERS = 1 << 17,
  AL_RULE_MAMBA_LAYERS = 1 << 18,
  AL_RULE_ATTENTION_LAYERS = 1 << 19,

  /* Not in the files (source is ""): attention sinks so low that they draw nothing. */
  AL_RULE_NO_SINKS = 1 << 20,
  /* Token embeddings, and once more for the second text of a pair where config->encoder.both_types: each with the
   * difference of the two rows of "...token_type_embeddings.weight" added, as libllama adds the first to all. */
  AL_RULE_BOTH_TYPES = 1 << 21,
  AL_RULE_POSITIONS = 1 << 22, /* behind config->encoder.n_unused other rows */
};
constexpr unsigned AL_RULE_ANY_LAYERS =
    AL_RULE_DENSE_LAYERS | AL_RULE_EXPERT_LAYERS | AL_RULE_MAMBA_LAYERS | AL_RULE_ATTENTION_LAYERS;

struct al_tensor_rule {
  const char *target; /* libllama's name, "attn_q.weight" */
  /* The file's name, "self_attn.q_proj.weight". With "{e}" in it there is one such tensor for each expert, of `shape`;
   * the target holds them one behind the other. */
  const char *source;
  enum al_size shape[3]; /* as in the file, outermost first; ends with AL_SIZE_NONE */
  unsigned flags;        /* of enum al_rule */
};

struct al_hf_family {
  const char *const *classes; /* values of config.json's architectures[0]; ends with nullptr */
  const char *architecture;   /* libllama's name: general.architecture */
  const struct al_tensor_rule
      *model_rules; /* tensors that stand once; of rules for one target the first found counts */
  size_t n_model_rules;
  const struct al_tensor_rule *layer_rules; /* of each layer: targets below "blk.N.", sources below layer_prefix */
  size_t n_layer_rules;
  const char *layer_prefix; /* "model.layers": "N." follows */
  /* Source tensors that carry nothing (buffers saved by mistake): suffixes, ends with nullptr; nullptr: none. */
  const char *const *ignored;
  const char *const *ignored_parts; /* likewise: beginnings ("vision_tower."), whole parts that are left out */
  /* What may stand for the "model." at the start of a source; ends with nullptr. nullptr: nothing else. */
  const char *const *roots;

  bool has_window; /* libllama keeps to config->window; otherwise the context ends there */

  /* Reads the sizes from config.json. nullptr: al_hf_config_read. */
  enum al_code (*read)(struct al_hf_config *config, struct al_err *err);
  /* After that: reads what this family alone has into *config; refuses what libllama would silently do differently. */
  enum al_code (*prepare)(struct al_hf_config *config, struct al_err *err);
  /* After `prepare`: the family that this very model is built as (its `read`, `prepare` and `variant` are not used).
   * nullptr: this one. */
  const struct al_hf_family *(*variant)(const struct al_hf_config *config);
  /* The kinds of a layer (of AL_RULE_ANY_LAYERS). nullptr: AL_RULE_DENSE_LAYERS. */
  unsigned (*layer_kinds)(const struct al_hf_config *config, int64_t layer);
  /* Adds keys beyond those that all decoders have. nullptr: none. */
  void (*metadata)(const struct al_hf_config *config, const struct al_hf_meta *meta);
};

/* By the class name of config.json; AL_UNSUPPORTED names it. */
enum al_code al_hf_family_find(const char *class_name, const struct al_hf_family **family, struct al_err *err);

/* For `prepare`: the activation is SiLU. */
enum al_code al_hf_check_silu(const struct al_hf_config *config, struct al_err *err);
/* For `prepare`: the activation is SiLU and the whole head is rotated, as all of Llama's relatives have it. */
enum al_code al_hf_check_llama_like(struct al_hf_config *config, struct al_err *err);

/* For `prepare`: the rotated part of a head makes sense. */
enum al_code al_hf_check_partial_rotation(const struct al_hf_config *config, struct al_err *err);
/* GLM's: the activation, and half a head is rotated where config.json does not say how much. */
enum al_code al_hf_check_glm_like(struct al_hf_config *config, struct al_err *err);

/* sentence-transformers saves decoders without their head and the "model." before it: `roots` of those. */
extern const char *const al_hf_decoder_roots[];

/* For decoders whose embeddings, last norm and head have Llama's names: model_rules and ignored. */
constexpr size_t AL_HF_N_DECODER_RULES = 3;
extern const struct al_tensor_rule al_hf_decoder_rules[AL_HF_N_DECODER_RULES];
extern const char *const al_hf_decoder_ignored[];

/* For `prepare` of families with experts: n_experts from the key, num_experts_per_tok, the expert's length from the
 * key. AL_MODEL_CORRUPT when they make no sense or are more than libllama holds. */
enum al_code al_hf_read_experts(struct al_hf_config *config, const char *count_key, const char *length_key,
                                struct al_err *err);
/* For scores chosen by group, normalised and scaled (n_group, topk_group, norm_topk_prob, routed_scaling_factor). */
enum al_code al_hf_check_routing(const struct al_hf_config *config, struct al_err *err);
void al_hf_meta_routing(const struct al_hf_config *config, const struct al_hf_meta *meta);

extern const struct al_hf_family al_hf_family_bert;
extern const struct al_hf_family al_hf_family_bert_ranking;
extern const struct al_hf_family al_hf_family_modernbert;
extern const struct al_hf_family al_hf_family_nomic;
extern const struct al_hf_family al_hf_family_roberta;
extern const struct al_hf_family al_hf_family_roberta_ranking;
extern const struct al_hf_family al_hf_family_glm4;
extern const struct al_hf_family al_hf_family_glm4moe;
extern const struct al_hf_family al_hf_family_gpt_oss;
/* What Gemma's `prepare` has in common; then the embeddings serve as output matrix. */
enum al_code al_hf_check_gemma_like(struct al_hf_config *config, int64_t n_layers_of_27b, struct al_err *err);
constexpr size_t AL_HF_N_GEMMA_RULES = 3;
extern const struct al_tensor_rule al_hf_gemma_rules[AL_HF_N_GEMMA_RULES];

/* Values of config->layers. */
enum al_hf_window_layer { AL_HF_LAYER_SEES_ALL = 'a', AL_HF_LAYER_WINDOW = 'w' };
/* Fills config->layers from layer_types; where the file is silent, every usual_period-th layer sees all. */
enum al_code al_hf_read_window_layers(struct al_hf_config *config, int64_t usual_period, struct al_err *err);
/* p where the last of every p layers sees all and the others do not; 0 when there is no such p. */
int64_t al_hf_window_period(const struct al_hf_config *config);
/* Whether the window is shorter than the context. */
bool al_hf_window_matters(const struct al_hf_config *config);
/* Makes libllama's Granite with windows (granite_swa) a Llama with windows in all layers. */
void al_hf_meta_granite_window(const struct al_hf_config *config, const struct al_hf_meta *meta);

extern const struct al_hf_family al_hf_family_gemma2;
extern const struct al_hf_family al_hf_family_gemma3;
extern const struct al_hf_family al_hf_family_gemma3_seeing;
extern const struct al_hf_family al_hf_family_mistral;
extern const struct al_hf_family al_hf_family_mistral_windowed; /* what that is built as where the window matters */
extern const struct al_hf_family al_hf_family_nemotron_h;
extern const struct al_hf_family al_hf_family_nemotron_h_moe;
extern const struct al_hf_family al_hf_family_phi3;
extern const struct al_hf_family al_hf_family_llama;
extern const struct al_hf_family al_hf_family_qwen2;
extern const struct al_hf_family al_hf_family_qwen3;
extern const struct al_hf_family al_hf_family_qwen3moe;

#endif
