/* One rule of a family applied to the files: finds and checks the tensors it names and plans the one it asks for.
 * Internal to tensor_plan.c. */
#ifndef AL_ENGINE_SAFETENSORS_TENSOR_RULE_H
#define AL_ENGINE_SAFETENSORS_TENSOR_RULE_H

#include "base/map.h"
#include "engine/safetensors/tensor_plan.h"
#include "engine/safetensors/weight_types.h"

/* What all rules of a plan share. */
struct al_rule_scope {
  const struct al_hf_family *family;
  const struct al_hf_config *config;
  const struct al_hf_weights *weights;
  struct al_map *used; /* names of tensors that a rule asked for */
  struct al_weight_wish wish;
  bool tied;        /* the embeddings serve as output matrix too */
  const char *root; /* what the files have for the "model." of the rules; nullptr: that. Static */
};

/* source: the rule's, with its prefix. tensor->n_dims stays 0 when the files have no such tensor and need not, or
 * when it is of no use; otherwise all is set but the target's name, and al_plan_tensor_done is to be called. */
enum al_code al_tensor_from_rule(const struct al_rule_scope *scope, const struct al_tensor_rule *rule,
                                 const char *source, struct al_plan_tensor *tensor, struct al_err *err);
void al_plan_tensor_done(struct al_plan_tensor *tensor); /* accepts a zeroed one */

#endif
