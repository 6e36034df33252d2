#include "inference/image_manager.h"

enum al_code al_image_manager_supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "'%s' is a model that draws; this version of aLLM runs text models only",
                 descriptor->id);
}
