/* Writes the settings of a model as the metadata of a GGUF: what all decoders have, and the means for a family to add
 * its own. */
#ifndef AL_ENGINE_SAFETENSORS_HF_META_H
#define AL_ENGINE_SAFETENSORS_HF_META_H

#include "engine/safetensors/hf_config.h"

#include <gguf.h>

struct al_hf_family;

struct al_hf_meta {
  struct gguf_context *gguf; /* borrowed */
  const char *architecture;  /* borrowed; every key below stands behind it: "llama.block_count" */
};

void al_hf_meta_u32(const struct al_hf_meta *meta, const char *key, int64_t value);
void al_hf_meta_f32(const struct al_hf_meta *meta, const char *key, double value); /* NaN: nothing is set */
void al_hf_meta_bool(const struct al_hf_meta *meta, const char *key, bool value);
void al_hf_meta_str(const struct al_hf_meta *meta, const char *key, const char *value);
void al_hf_meta_bools(const struct al_hf_meta *meta, const char *key, const bool *values, size_t n);
void al_hf_meta_array(const struct al_hf_meta *meta, const char *key, const int32_t *values, size_t n);

/* Sizes, rotation, experts, what the family adds, and generation_config.json's recommendations. */
void al_hf_meta_model(const struct al_hf_family *family, const struct al_hf_config *config, struct gguf_context *gguf);
/* The tokens that end an answer besides `eos`. */
void al_hf_meta_ends(const struct al_hf_config *config, int32_t eos, struct gguf_context *gguf);

#endif
