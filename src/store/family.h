/* What the architecture names of GGUF and of Hugging Face say about a model's type. Private to src/store. */
#ifndef AL_STORE_FAMILY_H
#define AL_STORE_FAMILY_H

#include "base/str.h"
#include "store/descriptor.h"

/* general.architecture of a GGUF. */
enum al_model_type al_family_of_gguf(struct al_str architecture);
bool al_family_is_projector(struct al_str architecture); /* part of another model */

/* What config.json says. */
struct al_family_hints {
  struct al_str architecture; /* architectures[0]: "Qwen3ForCausalLM" */
  struct al_str model_type;   /* "qwen3" */
  bool has_vision;            /* vision_config */
  bool is_sentence_model;     /* modules.json of sentence-transformers lies beside */
};
enum al_model_type al_family_of_config(const struct al_family_hints *hints);
bool al_family_reranks(struct al_str architecture);

unsigned al_family_capabilities(enum al_model_type type);
/* "" when no runtime fits. architecture: the descriptor's, "" when unknown. */
const char *al_family_runtime(enum al_model_format format, enum al_model_type type, const char *architecture);

#endif
