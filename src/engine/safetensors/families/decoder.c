/* What stands once in every decoder with Llama's outer names; a family adds its layers. */
#include "engine/safetensors/family.h"

const struct al_tensor_rule al_hf_decoder_rules[AL_HF_N_DECODER_RULES] = {
  { "token_embd.weight", "model.embed_tokens.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output_norm.weight", "model.norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output.weight", "lm_head.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_HEAD },
};

/* Old checkpoints saved a buffer that is computed anyway. */
const char *const al_hf_decoder_ignored[] = { "rotary_emb.inv_freq", nullptr };
