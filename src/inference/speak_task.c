/* A speech: the model's worker makes samples, which go through an encoder to the client as they come. */
#include "base/alloc.h"
#include "inference/audio_manager.h"
#include "inference/audio_task.h"

constexpr double LEAST_SPEED = 0.25;
constexpr double MOST_SPEED = 4;

struct speech {
  struct al_audio_task audio;       /* first */
  struct al_speech_request request; /* strings in the arena */
  struct al_audio_writer *writer;
  int sample_rate; /* of the samples */
  uint64_t n_samples;
  struct al_err write_err; /* why the encoder took no more */
};

/* --- the work --------------------------------------------------------------------------------------------------- */

static bool on_bytes(void *user, struct al_str bytes)
{
  struct speech *speech = user;
  if (!al_worker_task_goes_on(&speech->audio.work))
    return false;
  al_audio_task_send(&speech->audio, &(struct al_audio_event){ .kind = AL_AUDIO_BYTES, .bytes = bytes });
  return true;
}

/* With the first samples: an encoder begins to write at once, and a text that is refused gives no bytes. */
static enum al_code open_writer(struct speech *speech, struct al_err *err)
{
  if (speech->writer != nullptr)
    return AL_OK;
  struct al_audio_out out = {
    .format = speech->request.format,
    .sample_rate = speech->sample_rate,
    .bytes = on_bytes,
    .user = speech,
  };
  return al_audio_writer_open(&out, speech->audio.work.job.cancel, &speech->writer, err);
}

static bool on_samples(void *user, const float *samples, size_t n)
{
  struct speech *speech = user;
  speech->n_samples += n;
  return al_worker_task_goes_on(&speech->audio.work) && open_writer(speech, &speech->write_err) == AL_OK &&
         al_audio_writer_write(speech->writer, samples, n, &speech->write_err) == AL_OK;
}

/* When there was nothing to hear: a file without a sample is one that players refuse, and some formats have none. */
static enum al_code be_silent(struct speech *speech, struct al_err *err)
{
  constexpr size_t N_SAMPLES = 2400;
  static const float silence[N_SAMPLES];
  AL_TRY(open_writer(speech, err));
  speech->audio.result.duration_s = (double)N_SAMPLES / speech->sample_rate;
  speech->audio.work.use.audio_s = speech->audio.result.duration_s;
  return al_audio_writer_write(speech->writer, silence, N_SAMPLES, err);
}

static enum al_code finish(struct speech *speech, struct al_err *err)
{
  if (speech->writer == nullptr)
    AL_TRY(be_silent(speech, err));
  return al_audio_writer_finish(speech->writer, err);
}

static enum al_code speak(struct speech *speech, struct al_engine_model *model, struct al_err *err)
{
  const struct al_speech_request *request = &speech->request;
  const struct al_speak_ops *ops = al_pool_loaded(speech->audio.work.task.lease)->engine->speak;
  struct al_cancel *stop = speech->audio.work.job.cancel;
  struct al_speak_info info;
  ops->info(model, &info);
  speech->sample_rate = info.sample_rate;
  enum al_code code = ops->speak(model, request->text, &request->options, on_samples, speech, stop, err);
  speech->audio.result.duration_s = (double)speech->n_samples / info.sample_rate;
  speech->audio.work.use.audio_s = speech->audio.result.duration_s;
  if (code == AL_OK)
    return finish(speech, err);
  if (speech->write_err.code == AL_OK)
    return code;
  *err = speech->write_err;
  return err->code;
}

static enum al_code run(struct al_worker_job *job, struct al_engine_model *model, struct al_err *err)
{
  struct speech *speech = job->user;
  al_task_started(&speech->audio.work.task);
  enum al_code code = speak(speech, model, err);
  al_audio_writer_close(AL_TAKE(speech->writer));
  return code;
}

static enum al_code check(const struct speech *speech, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(speech->audio.work.task.lease);
  const struct al_speak_ops *ops = loaded->engine->speak;
  AL_TRY(al_worker_task_check(&speech->audio.work, AL_CAN_SPEAK, ops, "speaks", err));
  return ops->check_voice(loaded->model, speech->request.options.voice, err);
}

static void prepare(struct al_task *task)
{
  struct speech *speech = (struct speech *)task;
  struct al_err err = {};
  enum al_code code = al_task_still_wanted(task, &err);
  if (code == AL_OK)
    code = check(speech, &err);
  if (code == AL_OK)
    al_worker_task_submit(&speech->audio.work);
  else
    al_worker_task_fail(task, &err);
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static void free_task(struct al_worker_task *work)
{
  al_task_fini(&work->task);
  al_free(work); /* the first member of the whole */
}

static void free_speech(struct speech *speech)
{
  if (speech != nullptr)
    free_task(&speech->audio.work);
}
AL_DEFINE_CLEANUP(struct speech, free_speech)

static enum al_code check_bounds(const struct al_speech_request *request, struct al_err *err)
{
  double speed = request->options.speed;
  if (!(speed >= LEAST_SPEED && speed <= MOST_SPEED))
    return al_fail_param(err, "speed", "the speed lies between 0.25 and 4");
  if ((unsigned)request->format >= AL_AUDIO_FORMAT_COUNT)
    return al_fail_param(err, "response_format", "there is no such format");
  if (request->text.size == 0)
    return al_fail_param(err, "input", "there is nothing to say");
  return AL_OK;
}

enum al_code al_speak_submit(struct al_audio_manager *manager, const struct al_speech_request *request,
                             struct al_err *err)
{
  static const struct al_worker_task_ops ops = {
    .task = { .prepare = prepare, .fail = al_worker_task_fail },
    .run = run,
    .tell_start = al_audio_task_tell_start,
    .tell_end = al_audio_task_tell_end,
    .free = free_task,
  };
  AL_TRY(check_bounds(request, err));
  AL_CLEANUP(free_speech_p) struct speech *speech = al_calloc(1, sizeof *speech);
  if (speech == nullptr)
    return al_fail_oom(err, sizeof *speech);
  speech->audio.on_event = request->on_event;
  speech->audio.user = request->user;
  speech->request = *request;
  AL_TRY(al_worker_task_init(&speech->audio.work, &ops, request->cancel, err));
  struct al_task *task = &speech->audio.work.task;
  AL_TRY(al_task_copy_name(task, &speech->request.model, err));
  AL_TRY(al_task_copy_name(task, &speech->request.options.voice, err));
  AL_TRY(al_task_copy_str(task, &speech->request.text, err));
  AL_TRY(al_task_start(al_audio_manager_speaking(manager), task, speech->request.model, err));
  speech = nullptr;
  return AL_OK;
}
