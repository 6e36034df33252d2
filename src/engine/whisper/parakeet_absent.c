/* In place of the engine where the build has no libparakeet. */
#include "engine/whisper/parakeet_engine.h"

static enum al_code supports(const struct al_model_descriptor *, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "this build has no libparakeet, which runs Parakeet models");
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *,
                             struct al_memory_estimate *, struct al_err *err)
{
  return supports(descriptor, err);
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *,
                         al_load_progress_fn *, void *, struct al_engine_model **, struct al_err *err)
{
  return supports(descriptor, err);
}

static void unload(struct al_engine_model *) {}

const struct al_engine al_engine_parakeet = {
  .runtime = "parakeet_cpp",
  .formats = 1U << AL_FORMAT_GGML,
  .capabilities = AL_CAN_TRANSCRIBE,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
};
