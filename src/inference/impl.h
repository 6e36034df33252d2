/* Inside InferenceEngine, shared by inference.c (requests, life) and status.c (what runs, what could). */
#ifndef AL_INFERENCE_IMPL_H
#define AL_INFERENCE_IMPL_H

#include "inference/audio_manager.h"
#include "inference/image_manager.h"
#include "inference/inference.h"
#include "inference/text_manager.h"
#include "sched/pool.h"

#include <stdatomic.h>

struct al_inference {
  struct al_inference_options options;
  char **quarantined; /* own copy, n_quarantined of them */
  size_t n_quarantined;
  struct al_pool *pool;
  struct al_text_manager *text;
  struct al_audio_manager *audio;
  struct al_image_manager *image;
  atomic_bool draining;
};

/* AL_UNSUPPORTED with reason "model_quarantined" for a model that crashed the worker too often. */
enum al_code al_inference_check_quarantine(const struct al_inference *inference, const char *id, struct al_err *err);
/* Whether a model of this type can run here at all, by its manager. */
enum al_code al_inference_check_type(const struct al_model_descriptor *descriptor, struct al_err *err);
/* "'espeak' is a model that speaks, not one that chats": what: "chats". */
enum al_code al_inference_wrong_kind(const struct al_model_descriptor *descriptor, const char *what,
                                     struct al_err *err);

#endif
