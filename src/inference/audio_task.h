/* What a transcription and a speech have in common: a task of the model's worker that tells its client by events. */
#ifndef AL_INFERENCE_AUDIO_TASK_H
#define AL_INFERENCE_AUDIO_TASK_H

#include "inference/audio.h"
#include "inference/worker_task.h"

struct al_audio_task {
  struct al_worker_task work; /* first */
  al_audio_event_fn *on_event;
  void *user;
  const struct al_audio_info *info; /* for STARTED; nullptr: none */
  /* made by the work */
  struct al_transcribe_result result; /* of a speech: the duration alone */
  bool is_truncated;
};

void al_audio_task_send(struct al_audio_task *audio, const struct al_audio_event *event);
/* Slots of struct al_worker_task_ops. */
void al_audio_task_tell_start(struct al_worker_task *work);
void al_audio_task_tell_end(struct al_worker_task *work, const struct al_err *err);

#endif
