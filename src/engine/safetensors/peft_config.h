/* adapter_config.json of a LoRA adapter as the peft library writes it: which kind it is, and how strongly it acts on a
 * module. What would need more than adding B x A to a matrix is AL_UNSUPPORTED by name. */
#ifndef AL_ENGINE_SAFETENSORS_PEFT_CONFIG_H
#define AL_ENGINE_SAFETENSORS_PEFT_CONFIG_H

#include "base/err.h"
#include "codec/json.h"

#include <stdint.h>

struct al_peft_config {
  struct al_json_doc *doc; /* owned */
  double alpha;
  bool rank_stabilised;                 /* alpha / sqrt(rank) instead of alpha / rank */
  const struct al_json *alpha_patterns; /* of doc; nullptr: none */
};

/* On failure *config is still to be passed to al_peft_config_done. */
enum al_code al_peft_config_load(const char *directory, struct al_peft_config *config, struct al_err *err);
void al_peft_config_done(struct al_peft_config *config); /* accepts a zeroed one */

/* What B x A of the module ("model.layers.0.self_attn.q_proj") is multiplied by. */
double al_peft_config_scale(const struct al_peft_config *config, struct al_str module, int64_t rank);

#endif
