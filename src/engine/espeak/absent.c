/* The engine of a build without eSpeak NG: it is there to say so. */
#include "engine/espeak/espeak_engine.h"

static enum al_code absent(struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "this program was built without eSpeak NG: build it with -Despeak=enabled");
}

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  (void)descriptor;
  return absent(err);
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *result, struct al_err *err)
{
  (void)descriptor, (void)options, (void)result;
  return absent(err);
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **model, struct al_err *err)
{
  (void)descriptor, (void)options, (void)progress, (void)user, (void)model;
  return absent(err);
}

static void unload(struct al_engine_model *model)
{
  (void)model;
}

const struct al_engine al_engine_espeak = {
  .runtime = "espeak_ng",
  .formats = 1U << AL_FORMAT_NONE,
  .capabilities = AL_CAN_SPEAK,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
};
