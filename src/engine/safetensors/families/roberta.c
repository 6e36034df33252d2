/* RoBERTa: BERT with positions that begin behind the padding token's number, and a head on the first token itself. */
#include "engine/safetensors/families/encoder.h"

static const char *const embedding_classes[] = { "RobertaModel", "RobertaForMaskedLM", nullptr };
static const char *const ranking_classes[] = { "RobertaForSequenceClassification", nullptr };
static const char *const roots[] = { "roberta.", "", nullptr };
static const char *const ignored[] = { "embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias", nullptr };
static const char *const ignored_parts[] = { "lm_head.", nullptr };

static const struct al_tensor_rule ranking_rules[] = {
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
  { "cls.weight", "classifier.dense.weight", { AL_SIZE_EMBD, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.bias", "classifier.dense.bias", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.output.weight", "classifier.out_proj.weight", { AL_SIZE_ONE, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "cls.output.bias", "classifier.out_proj.bias", { AL_SIZE_ONE }, AL_RULE_PLAIN },
};

static enum al_code read(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_read_bert(config, err));
  int64_t padding = 1;
  AL_TRY(al_hf_config_optional_int(config, "pad_token_id", 0, config->n_vocab - 1, &padding, err));
  if (padding + 1 >= config->n_ctx)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: pad_token_id leaves no positions");
  config->encoder.n_unused = padding + 1;
  config->encoder.n_positions = config->n_ctx - config->encoder.n_unused;
  config->n_ctx = config->encoder.n_positions;
  return AL_OK;
}

const struct al_hf_family al_hf_family_roberta = {
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
  .read = read,
  .prepare = al_hf_check_bert,
  .metadata = al_hf_meta_encoder,
};

/* Its pairs have one type of text alone. */
static enum al_code prepare_ranking(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_prepare_ranking(config, err));
  config->encoder.both_types = false;
  return AL_OK;
}

const struct al_hf_family al_hf_family_roberta_ranking = {
  .classes = ranking_classes,
  .architecture = "bert",
  .model_rules = ranking_rules,
  .n_model_rules = AL_COUNT(ranking_rules),
  .layer_rules = al_hf_bert_layer_rules,
  .n_layer_rules = AL_HF_N_BERT_LAYER_RULES,
  .layer_prefix = "model.encoder.layer",
  .ignored = ignored,
  .roots = roots,
  .read = read,
  .prepare = prepare_ranking,
  .metadata = al_hf_meta_ranking,
};
