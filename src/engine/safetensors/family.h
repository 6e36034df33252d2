/* A model family: how the tensors and settings of one Hugging Face architecture become those of one of libllama's.
 * A family is one file in families/ with one const descriptor, and one line in families/list.c. */
#ifndef AL_ENGINE_SAFETENSORS_FAMILY_H
#define AL_ENGINE_SAFETENSORS_FAMILY_H

#include "engine/safetensors/hf_config.h"

#include <gguf.h>

/* What happens to the elements between the file and the virtual GGUF. Families to come add to it: stacked experts,
 * transposes, -exp, MXFP4 blocks. */
enum al_transform {
  AL_TRANSFORM_NONE,
  /* Hugging Face keeps the two halves of a rotated head one after the other, libllama's "llama" architecture wants the
   * pairs side by side: row 2j+p of a head is row p*dim/2+j of the file. */
  AL_TRANSFORM_PAIR_ROWS,
  AL_TRANSFORM_COMPUTED, /* not from a file: the plan holds the values */
};

/* Sizes that a rule can ask for; the plan resolves them from the config. */
enum al_size {
  AL_SIZE_NONE, /* no such dimension */
  AL_SIZE_EMBD,
  AL_SIZE_FF,
  AL_SIZE_VOCAB,
  AL_SIZE_Q,    /* heads x head dimension */
  AL_SIZE_KV,   /* key-value heads x head dimension */
  AL_SIZE_HEAD, /* head dimension */
};

/* Rules are told apart by what is done to the elements, and by a flag. */
enum al_rule {
  AL_RULE_PLAIN = 0,
  AL_RULE_PAIR_ROWS = 1 << 0, /* AL_TRANSFORM_PAIR_ROWS */
  AL_RULE_OPTIONAL = 1 << 1,  /* may be absent */
  AL_RULE_HEAD = 1 << 2,      /* the output matrix: may be tied to the embeddings */
};

struct al_tensor_rule {
  const char *target;    /* libllama's name, "attn_q.weight" */
  const char *source;    /* the file's name, "self_attn.q_proj.weight" */
  enum al_size shape[2]; /* as in the file, outermost first; AL_SIZE_NONE second for a vector */
  unsigned flags;        /* of enum al_rule */
};

struct al_hf_family {
  const char *const *classes;               /* values of config.json's architectures[0]; ends with nullptr */
  const char *architecture;                 /* libllama's name: general.architecture */
  const struct al_tensor_rule *model_rules; /* tensors that stand once */
  size_t n_model_rules;
  const struct al_tensor_rule *layer_rules; /* of each layer: targets below "blk.N.", sources below layer_prefix */
  size_t n_layer_rules;
  const char *layer_prefix; /* "model.layers": "N." follows */
  /* Source tensors that carry nothing (buffers saved by mistake): suffixes, ends with nullptr; nullptr: none. */
  const char *const *ignored;

  /* Refuses what libllama would silently do differently. */
  enum al_code (*check)(const struct al_hf_config *config, struct al_err *err);
  /* Adds keys beyond those that all decoders have. nullptr: none. */
  void (*metadata)(const struct al_hf_config *config, struct gguf_context *gguf);
};

/* By the class name of config.json; AL_UNSUPPORTED names it. */
enum al_code al_hf_family_find(const char *class_name, const struct al_hf_family **family, struct al_err *err);

/* For `check`: the activation is SiLU and the whole head is rotated, as all of Llama's relatives have it. */
enum al_code al_hf_check_llama_like(const struct al_hf_config *config, struct al_err *err);

/* For decoders whose embeddings, last norm and head have Llama's names: model_rules and ignored. */
constexpr size_t AL_HF_N_DECODER_RULES = 3;
extern const struct al_tensor_rule al_hf_decoder_rules[AL_HF_N_DECODER_RULES];
extern const char *const al_hf_decoder_ignored[];

extern const struct al_hf_family al_hf_family_llama;
extern const struct al_hf_family al_hf_family_qwen2;
extern const struct al_hf_family al_hf_family_qwen3;

#endif
