/* What decoders with Llama's outer names have in common; a family adds its layers. */
#include "engine/safetensors/family.h"

const struct al_tensor_rule al_hf_decoder_rules[AL_HF_N_DECODER_RULES] = {
  { "token_embd.weight", "model.embed_tokens.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output_norm.weight", "model.norm.weight", { AL_SIZE_EMBD }, AL_RULE_PLAIN },
  { "output.weight", "lm_head.weight", { AL_SIZE_VOCAB, AL_SIZE_EMBD }, AL_RULE_HEAD },
};

const char *const al_hf_decoder_roots[] = { "model.", "", nullptr };

/* Old checkpoints saved a buffer that is computed anyway. */
const char *const al_hf_decoder_ignored[] = { "rotary_emb.inv_freq", nullptr };

enum al_code al_hf_check_silu(const struct al_hf_config *config, struct al_err *err)
{
  struct al_str activation = al_json_str(al_json_get(config->root, "hidden_act"));
  if (activation.size > 0 && !al_str_is(activation, "silu"))
    return al_fail(err, AL_UNSUPPORTED, "config.json: hidden_act \"%.*s\" is not supported with %s, only \"silu\"",
                   (int)al_min_size(activation.size, 32), activation.data, config->architecture);
  return AL_OK;
}

enum al_code al_hf_check_llama_like(struct al_hf_config *config, struct al_err *err)
{
  AL_TRY(al_hf_check_silu(config, err));
  if (config->rope.kind == AL_HF_ROPE_LONGROPE)
    return al_fail(err, AL_UNSUPPORTED, "config.json: the rope scaling \"longrope\" is not supported with %s",
                   config->architecture);
  if (config->rope.partial_factor != 1.0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: partial_rotary_factor is not supported with %s",
                   config->architecture);
  return AL_OK;
}

enum al_code al_hf_check_partial_rotation(const struct al_hf_config *config, struct al_err *err)
{
  double part = config->rope.partial_factor;
  if (!(part > 0.0 && part <= 1.0))
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: partial_rotary_factor must be above 0 and not above 1");
  int64_t n = (int64_t)((double)config->head_dim * part);
  if (n < 2 || n % 2 != 0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: partial_rotary_factor rotates %lld elements of a head, no pairs",
                   (long long)n);
  if (config->rope.kind != AL_HF_ROPE_PLAIN && part != 1.0)
    return al_fail(err, AL_UNSUPPORTED, "config.json: partial_rotary_factor with a rope scaling is not supported");
  return AL_OK;
}
