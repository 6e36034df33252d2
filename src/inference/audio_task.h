/* What a transcription and a speech have in common: a task that becomes a job of the model's worker, and tells its
 * client by events. Owned like every task; its end frees it. */
#ifndef AL_INFERENCE_AUDIO_TASK_H
#define AL_INFERENCE_AUDIO_TASK_H

#include "inference/audio.h"
#include "inference/task.h"

struct al_audio_task {
  struct al_task task; /* first */
  struct al_worker_job job;
  al_audio_event_fn *on_event;
  void *user;
  void (*free)(struct al_audio_task *audio);
  /* made by the work */
  struct al_transcribe_result result; /* of a speech: the duration alone */
  bool is_truncated;                  /* likewise */
  double audio_s;                     /* for the pool's account */
};

/* What is the same in both requests. */
struct al_audio_client {
  struct al_cancel *cancel; /* nullptr: the task has one of its own */
  al_audio_event_fn *on_event;
  void *user;
};

/* Of a zeroed task whose `free` and job.run are set. al_task_fini also after an error. */
enum al_code al_audio_task_init(struct al_audio_task *audio, const struct al_task_ops *ops,
                                const struct al_audio_client *client, struct al_err *err);
/* Whether the model is of that kind at all; `verb`: "transcribes speech". */
enum al_code al_audio_task_check(const struct al_audio_task *audio, enum al_capability capability, const char *verb,
                                 struct al_err *err);
void al_audio_task_send(struct al_audio_task *audio, const struct al_audio_event *event);
/* STARTED, and into the queue of the model's worker; or the end. The task is not the caller's any more. */
void al_audio_task_submit(struct al_audio_task *audio, const struct al_audio_info *info);
/* DONE (err->code AL_OK) or FAILED; gives the lease back before and frees the task after. */
void al_audio_task_end(struct al_audio_task *audio, const struct al_err *err);
bool al_audio_task_goes_on(const struct al_audio_task *audio); /* nobody has given up */

#endif
