#include "inference/audio_task.h"

void al_audio_task_send(struct al_audio_task *audio, const struct al_audio_event *event)
{
  audio->on_event(audio->user, event);
}

void al_audio_task_tell_start(struct al_worker_task *work)
{
  struct al_audio_task *audio = (struct al_audio_task *)work;
  al_audio_task_send(audio, &(struct al_audio_event){ .kind = AL_AUDIO_STARTED, .info = audio->info });
}

void al_audio_task_tell_end(struct al_worker_task *work, const struct al_err *err)
{
  struct al_audio_task *audio = (struct al_audio_task *)work;
  bool failed = err != nullptr;
  al_audio_task_send(audio, &(struct al_audio_event){ .kind = failed ? AL_AUDIO_FAILED : AL_AUDIO_DONE,
                                                      .err = err,
                                                      .result = failed ? nullptr : &audio->result,
                                                      .is_truncated = audio->is_truncated });
}
