/* BERT: for embeddings, and with a head of one score as a reranker. */
#include "engine/safetensors/families/encoder.h"

#include "base/str.h"

#include <stdio.h>

static const char *const embedding_classes[] = { "BertModel", "BertForMaskedLM", nullptr };
static const char *const ranking_classes[] = { "BertForSequenceClassification", nullptr };
static const char *const roots[] = { "bert.", "", nullptr };
static const char *const ignored[] = { "embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias", nullptr };
static const char *const ignored_parts[] = { "cls.", nullptr };
static const char *const ranking_ignored[] = { "embeddings.position_ids", nullptr };

const struct al_tensor_rule al_hf_bert_model_rules[AL_HF_N_BERT_MODEL_RULES] = {
  { "token_embd.weight", "model.embeddings.word_embeddings.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "token_types.weight",
    "model.embeddings.token_type_embeddings.weight",
    { AL_SIZE_TYPES, AL_SIZE_EMBD },
    AL_RULE_F32 },
  { "position_embd.weight",
    "model.embeddings.position_embeddings.weight",
    { AL_SIZE_POSITIONS, AL_SIZE_EMBD },
    AL_RULE_F32 | AL_RULE_POSITIONS },
  { "token_embd_norm.weight", "model.embeddings.LayerNorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "token_embd_norm.bias", "model.embeddings.LayerNorm.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

static const struct al_tensor_rule ranking_rules[] = {
  { "token_embd.weight",
    "model.embeddings.word_embeddings.weight",
    { AL_SIZE_VOCAB, AL_SIZE_EMBD },
    AL_RULE_BOTH_TYPES },
  { "token_types.weight",
    "model.embeddings.token_type_embeddings.weight",
    { AL_SIZE_TYPES, AL_SIZE_EMBD },
    AL_RULE_F32 },
  { "position_embd.weight",
    "model.embeddings.position_embeddings.weight",
    { AL_SIZE_POSITIONS, AL_SIZE_EMBD },
    AL_RULE_F32 | AL_RULE_POSITIONS },
  { "token_embd_norm.weight", "model.embeddings.LayerNorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "token_embd_norm.bias", "model.embeddings.LayerNorm.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.weight", "model.pooler.dense.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.bias", "model.pooler.dense.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.output.weight", "classifier.weight", { AL_SIZE_ONE, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.output.bias", "classifier.bias", { AL_SIZE_ONE }, AL_RULE_PLAIN },
};

const struct al_tensor_rule al_hf_bert_layer_rules[AL_HF_N_BERT_LAYER_RULES] = {
  { "attn_q.weight", "attention.self.query.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_q.bias", "attention.self.query.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.weight", "attention.self.key.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_k.bias", "attention.self.key.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.weight", "attention.self.value.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_v.bias", "attention.self.value.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.weight", "attention.output.dense.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output.bias", "attention.output.dense.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output_norm.weight", "attention.output.LayerNorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "attn_output_norm.bias", "attention.output.LayerNorm.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.weight", "intermediate.dense.weight", { AL_SIZE_FF, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "ffn_up.bias", "intermediate.dense.bias", { AL_SIZE_FF }, AL_RULE_PLAIN },
  { "ffn_down.weight", "output.dense.weight", { AL_SIZE_EMBD, AL_SIZE_FF }, AL_RULE_PLAIN },
  { "ffn_down.bias", "output.dense.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "layer_output_norm.weight", "output.LayerNorm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "layer_output_norm.bias", "output.LayerNorm.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
};

enum al_code al_hf_read_bert(struct al_hf_config *config, struct al_err *err)
{
  static const struct al_hf_encoder_keys keys = {
    .layers = "num_hidden_layers",
    .embd = "hidden_size",
    .ff = "intermediate_size",
    .heads = "num_attention_heads",
    .positions = "max_position_embeddings",
    .epsilon = "layer_norm_eps",
    .usual_epsilon = 1e-12,
  };
  return al_hf_read_encoder(&keys, config, err);
}

enum al_code al_hf_check_bert(struct al_hf_config *config, struct al_err *err)
{
  struct al_str activation = al_json_str(al_json_get(config->root, "hidden_act"));
  struct al_str positions = al_json_str(al_json_get(config->root, "position_embedding_type"));
  if (activation.size > 0 && !al_str_is(activation, "gelu") && !al_str_is(activation, "gelu_new"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: hidden_act \"%.*s\" is not supported with %s, only \"gelu\"",
                   (int)al_min_size(activation.size, 32), activation.data, config->architecture);
  if (positions.size > 0 && !al_str_is(positions, "absolute"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: position_embedding_type \"%.*s\" is not supported",
                   (int)al_min_size(positions.size, 32), positions.data);
  if (al_json_bool(al_json_get(config->root, "is_decoder"), false))
    return al_fail(err, AL_UNSUPPORTED, "config.json: a %s as decoder is not supported", config->architecture);
  return AL_OK;
}

/* transformers keeps num_labels as the number of names in id2label, two where nothing is said. */
enum al_code al_hf_prepare_ranking(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_check_bert(config, err));
  const struct al_json *labels = al_json_get(config->root, "id2label");
  int64_t n =
      labels != nullptr ? (int64_t)al_json_count(labels) : al_json_int(al_json_get(config->root, "num_labels"), 2);
  if (n != 1)
    return al_fail(err, AL_UNSUPPORTED, "config.json: a classifier of %lld labels is no reranker, which has one score",
                   (long long)n);
  config->pooling = AL_POOLING_RANK;
  config->encoder.both_types = config->encoder.n_types > 1;
  (void)snprintf(config->encoder.second_segment, sizeof config->encoder.second_segment, "%lld",
                 (long long)config->n_vocab);
  return AL_OK;
}

void al_hf_meta_ranking(const struct al_hf_config *config, const struct al_hf_meta *meta)
{
  static const char *labels[] = { "score" };
  al_hf_meta_encoder(config, meta);
  char key[64];
  (void)snprintf(key, sizeof key, "%s.classifier.output_labels", meta->architecture);
  gguf_set_arr_str(meta->gguf, key, labels, 1);
}

const struct al_hf_family al_hf_family_bert = {
  .classes = embedding_classes,
  .architecture = "bert",
  .model_rules = al_hf_bert_model_rules,
  .n_model_rules = AL_HF_N_BERT_MODEL_RULES,
  .layer_rules = al_hf_bert_layer_rules,
  .n_layer_rules = AL_HF_N_BERT_LAYER_RULES,
  .layer_prefix = "model.encoder.layer",
  .ignored = ignored,
  .ignored_parts = ignored_parts,
  .roots = roots,
  .read = al_hf_read_bert,
  .prepare = al_hf_check_bert,
  .metadata = al_hf_meta_encoder,
};

const struct al_hf_family al_hf_family_bert_ranking = {
  .classes = ranking_classes,
  .architecture = "bert",
  .model_rules = ranking_rules,
  .n_model_rules = AL_COUNT(ranking_rules),
  .layer_rules = al_hf_bert_layer_rules,
  .n_layer_rules = AL_HF_N_BERT_LAYER_RULES,
  .layer_prefix = "model.encoder.layer",
  .ignored = ranking_ignored,
  .roots = roots,
  .read = al_hf_read_bert,
  .prepare = al_hf_prepare_ranking,
  .metadata = al_hf_meta_ranking,
};
