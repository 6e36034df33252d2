/* What BERT and its relatives share. Private to families/. */
#ifndef AL_ENGINE_SAFETENSORS_FAMILIES_ENCODER_H
#define AL_ENGINE_SAFETENSORS_FAMILIES_ENCODER_H

#include "engine/safetensors/family.h"

/* For `read` of encoders: the keys of config.json that say how large they are. Sets n_positions to the context. */
struct al_hf_encoder_keys {
  const char *layers, *embd, *ff, *heads, *positions, *epsilon;
  double usual_epsilon; /* where the key is absent */
};
enum al_code al_hf_read_encoder(const struct al_hf_encoder_keys *keys, struct al_hf_config *config, struct al_err *err);
void al_hf_meta_encoder(const struct al_hf_config *config, const struct al_hf_meta *meta);

/* RoBERTa is BERT but for its positions, its tokenizer and its head. */
constexpr size_t AL_HF_N_BERT_MODEL_RULES = 5;
constexpr size_t AL_HF_N_BERT_LAYER_RULES = 16;
extern const struct al_tensor_rule al_hf_bert_model_rules[AL_HF_N_BERT_MODEL_RULES];
extern const struct al_tensor_rule al_hf_bert_layer_rules[AL_HF_N_BERT_LAYER_RULES];
enum al_code al_hf_read_bert(struct al_hf_config *config, struct al_err *err);
enum al_code al_hf_check_bert(struct al_hf_config *config, struct al_err *err);
/* For `prepare` of rerankers: one label. */
enum al_code al_hf_prepare_ranking(struct al_hf_config *config, struct al_err *err);
void al_hf_meta_ranking(const struct al_hf_config *config, const struct al_hf_meta *meta);

#endif
