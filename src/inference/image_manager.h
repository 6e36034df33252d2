/* ImageManager: diffusion. It is not there yet: it says so clearly. */
#ifndef AL_INFERENCE_IMAGE_MANAGER_H
#define AL_INFERENCE_IMAGE_MANAGER_H

#include "store/descriptor.h"

/* Can models of this kind run here now? */
enum al_code al_image_manager_supports(const struct al_model_descriptor *descriptor, struct al_err *err);

#endif
