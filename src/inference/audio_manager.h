/* AudioManager: speech to text and text to speech. Neither is there yet: it says so clearly. */
#ifndef AL_INFERENCE_AUDIO_MANAGER_H
#define AL_INFERENCE_AUDIO_MANAGER_H

#include "store/descriptor.h"

/* Can models of this kind run here now? */
enum al_code al_audio_manager_supports(const struct al_model_descriptor *descriptor, struct al_err *err);

#endif
