#include "inference/audio_manager.h"

enum al_code al_audio_manager_supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  const char *what = descriptor->type == AL_TYPE_STT ? "transcribes speech" : "speaks";
  return al_fail(err, AL_UNSUPPORTED, "'%s' is a model that %s; this version of aLLM runs text models only",
                 descriptor->id, what);
}
