#include "inference/audio_task.h"

#include "inference/impl.h"

static void on_done(struct al_worker_job *job, const struct al_err *err)
{
  al_audio_task_end(job->user, err);
}

enum al_code al_audio_task_init(struct al_audio_task *audio, const struct al_task_ops *ops,
                                const struct al_audio_client *client, struct al_err *err)
{
  struct al_cancel *cancel = client->cancel != nullptr ? al_cancel_ref(client->cancel) : al_cancel_new();
  if (cancel == nullptr)
    return al_fail_oom(err, sizeof *audio);
  audio->on_event = client->on_event;
  audio->user = client->user;
  audio->job.done = on_done;
  audio->job.user = audio;
  audio->job.cancel = cancel; /* the task keeps the reference */
  enum al_code code = al_task_init(&audio->task, ops, cancel, err);
  al_cancel_unref(cancel);
  return code;
}

enum al_code al_audio_task_check(const struct al_audio_task *audio, enum al_capability capability, const char *verb,
                                 struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(audio->task.lease);
  const struct al_engine *engine = loaded->engine;
  bool has_ops = capability == AL_CAN_SPEAK ? engine->speak != nullptr : engine->transcribe != nullptr;
  if (loaded->worker != nullptr && has_ops && (loaded->descriptor->capabilities & (unsigned)capability) != 0)
    return AL_OK;
  return al_inference_wrong_kind(loaded->descriptor, verb, err);
}

void al_audio_task_send(struct al_audio_task *audio, const struct al_audio_event *event)
{
  audio->on_event(audio->user, event);
}

void al_audio_task_submit(struct al_audio_task *audio, const struct al_audio_info *info)
{
  struct al_err err = {};
  struct al_worker *worker = al_pool_loaded(audio->task.lease)->worker;
  al_audio_task_send(audio, &(struct al_audio_event){ .kind = AL_AUDIO_STARTED, .info = info });
  if (al_worker_submit(worker, &audio->job, &err) != AL_OK)
    al_audio_task_end(audio, &err);
}

/* Whatever else went wrong once the request was given up or the server stopped is a consequence of that. */
void al_audio_task_end(struct al_audio_task *audio, const struct al_err *err)
{
  struct al_err why = *err;
  struct al_task_runner *runner = audio->task.runner;
  bool failed = err->code != AL_OK;
  if (failed && !al_streq(err->reason, "shutting_down"))
    (void)!al_task_still_wanted(&audio->task, &why);
  struct al_pool_use use = { .n_completion = audio->result.n_tokens, .audio_s = audio->audio_s };
  al_task_release(&audio->task, &use);
  al_audio_task_send(audio, &(struct al_audio_event){ .kind = failed ? AL_AUDIO_FAILED : AL_AUDIO_DONE,
                                                      .err = failed ? &why : nullptr,
                                                      .result = failed ? nullptr : &audio->result,
                                                      .is_truncated = audio->is_truncated });
  audio->free(audio);
  al_task_done(runner);
}

bool al_audio_task_goes_on(const struct al_audio_task *audio)
{
  return !al_cancelled(audio->job.cancel);
}
