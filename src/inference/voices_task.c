/* The voices of a model that speaks. They may be listed while it does, so its worker is not asked. */
#include "base/alloc.h"
#include "inference/audio_manager.h"
#include "inference/impl.h"
#include "inference/task.h"

struct voices {
  struct al_task task;              /* first */
  struct al_voices_request request; /* strings in the arena */
};

static void free_voices(struct voices *voices)
{
  if (voices == nullptr)
    return;
  al_task_fini(&voices->task);
  al_free(voices);
}
AL_DEFINE_CLEANUP(struct voices, free_voices)

static void finish(struct voices *voices, const struct al_err *err)
{
  struct al_task_runner *runner = voices->task.runner;
  al_task_release(&voices->task, &(struct al_pool_use){});
  voices->request.done(voices->request.user, err);
  free_voices(voices);
  al_task_done(runner);
}

static void fail(struct al_task *task, const struct al_err *err)
{
  finish((struct voices *)task, err);
}

static enum al_code list(struct voices *voices, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(voices->task.lease);
  const struct al_speak_ops *ops = loaded->engine->speak;
  AL_TRY(al_task_still_wanted(&voices->task, err));
  if (ops == nullptr || (loaded->descriptor->capabilities & AL_CAN_SPEAK) == 0)
    return al_inference_wrong_kind(loaded->descriptor, "speaks", err);
  struct al_voice voice;
  for (size_t i = 0; ops->voice(loaded->model, i, &voice); i++)
    voices->request.each(voices->request.user, &voice);
  return AL_OK;
}

static void prepare(struct al_task *task)
{
  struct voices *voices = (struct voices *)task;
  struct al_err err = {};
  al_task_started(task);
  err.code = list(voices, &err);
  finish(voices, &err);
}

enum al_code al_voices_submit(struct al_audio_manager *manager, const struct al_voices_request *request,
                              struct al_err *err)
{
  static const struct al_task_ops ops = { .prepare = prepare, .fail = fail };
  AL_CLEANUP(free_voices_p) struct voices *voices = al_calloc(1, sizeof *voices);
  if (voices == nullptr)
    return al_fail_oom(err, sizeof *voices);
  voices->request = *request;
  AL_TRY(al_task_init(&voices->task, &ops, request->cancel, err));
  AL_TRY(al_task_copy_name(&voices->task, &voices->request.model, err));
  AL_TRY(al_task_start(al_audio_manager_speaking(manager), &voices->task, voices->request.model, err));
  voices = nullptr;
  return AL_OK;
}
