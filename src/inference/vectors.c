#include "inference/inference.h"

enum al_code al_inference_embed(struct al_inference *, const struct al_embed_request *, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "this version of aLLM does not embed texts");
}

enum al_code al_inference_tokens(struct al_inference *, const struct al_token_request *, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "this version of aLLM does not give out tokens");
}
