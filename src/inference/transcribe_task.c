/* A transcription: the file is opened by an "al-listen" thread and told to be audio, the model is asked for, and the
 * model's worker reads samples as the engine wants them. The decoder's process is kept open while the request waits if
 * not too many are, and started again when its turn comes otherwise. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "inference/audio_manager.h"
#include "inference/audio_task.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

constexpr int USUAL_SAMPLE_RATE = 16000; /* what every engine so far asks for; another one reopens the file */
constexpr int64_t PROBE_STALL_MS = 10'000;
constexpr int64_t PROGRESS_EVERY_NS = 100 * AL_NS_PER_MS;

struct transcription {
  struct al_audio_task audio; /* first */
  struct al_audio_manager *manager;
  struct al_transcription_request request; /* strings in the arena; its descriptor is our own */
  struct al_audio_reader *reader;
  int sample_rate; /* the reader's */
  bool parked;
  struct al_audio_info info;
  struct al_err read_err; /* why the file could not be read on */
  int64_t told_ns;        /* when progress was last told */
};

/* --- the file --------------------------------------------------------------------------------------------------- */

static void close_reader(struct transcription *t)
{
  al_audio_reader_close(AL_TAKE(t->reader));
  if (t->parked)
    al_audio_manager_unpark(t->manager);
  t->parked = false;
}

static enum al_code open_reader(struct transcription *t, int sample_rate, int64_t stall_ms, struct al_err *err)
{
  struct al_audio_want want = { .sample_rate = sample_rate, .stall_ms = stall_ms };
  close_reader(t);
  enum al_code code = al_audio_reader_open(&t->request.file, &want, t->audio.work.job.cancel, &t->reader, err);
  if (code == AL_INVALID_REQUEST && err->param[0] == '\0')
    (void)snprintf(err->param, sizeof err->param, "file");
  AL_TRY(code);
  t->sample_rate = sample_rate;
  t->info = *al_audio_reader_info(t->reader);
  return AL_OK;
}

static enum al_code probe(struct al_task *task, struct al_err *err)
{
  struct transcription *t = (struct transcription *)task;
  AL_TRY(open_reader(t, USUAL_SAMPLE_RATE, PROBE_STALL_MS, err));
  t->parked = al_audio_manager_park(t->manager);
  if (!t->parked)
    close_reader(t);
  return AL_OK;
}

static enum al_code read_samples(void *user, float *samples, size_t capacity, size_t *n, struct al_err *err)
{
  struct transcription *t = user;
  enum al_code code = al_audio_reader_read(t->reader, samples, capacity, n, &t->read_err);
  if (code != AL_OK && err != nullptr)
    *err = t->read_err;
  return code;
}

/* --- the work --------------------------------------------------------------------------------------------------- */

static bool on_segment(void *user, const struct al_speech_segment *segment)
{
  struct transcription *t = user;
  if (!al_worker_task_goes_on(&t->audio.work))
    return false;
  al_audio_task_send(&t->audio, &(struct al_audio_event){ .kind = AL_AUDIO_SEGMENT, .segment = segment });
  return true;
}

static bool on_progress(void *user, double done_s)
{
  struct transcription *t = user;
  int64_t now_ns = al_now_ns();
  if (!al_worker_task_goes_on(&t->audio.work))
    return false;
  if (now_ns - t->told_ns < PROGRESS_EVERY_NS)
    return true;
  t->told_ns = now_ns;
  al_audio_task_send(&t->audio, &(struct al_audio_event){ .kind = AL_AUDIO_PROGRESS, .done_s = done_s });
  return true;
}

static enum al_code transcribe(struct transcription *t, struct al_engine_model *model, struct al_err *err)
{
  const struct al_transcribe_ops *ops = al_pool_loaded(t->audio.work.task.lease)->engine->transcribe;
  struct al_transcribe_info info;
  ops->info(model, &info);
  if (t->reader == nullptr || t->sample_rate != info.sample_rate)
    AL_TRY(open_reader(t, info.sample_rate, 0, err));
  struct al_pcm_source source = { .read = read_samples, .user = t, .duration_s = t->info.duration_s };
  struct al_transcribe_sink sink = { .segment = on_segment, .progress = on_progress, .user = t };
  return ops->transcribe(model, &t->request.options, &source, &sink, t->audio.work.job.cancel, &t->audio.result, err);
}

static enum al_code run(struct al_worker_job *job, struct al_engine_model *model, struct al_err *err)
{
  struct transcription *t = job->user;
  al_task_started(&t->audio.work.task);
  enum al_code code = transcribe(t, model, err);
  t->audio.is_truncated = code == AL_OK && al_audio_reader_truncated(t->reader);
  if (t->audio.is_truncated)
    al_log(AL_LOG_INFO, "audio_truncated", AL_S("model", t->request.model));
  close_reader(t);
  t->audio.work.use =
      (struct al_pool_use){ .n_completion = t->audio.result.n_tokens, .audio_s = t->audio.result.duration_s };
  if (code == AL_OK || t->read_err.code == AL_OK)
    return code;
  *err = t->read_err; /* the engine may have its own words for it */
  return err->code;
}

static enum al_code check(const struct transcription *t, struct al_err *err)
{
  const struct al_transcribe_options *options = &t->request.options;
  const struct al_loaded *loaded = al_pool_loaded(t->audio.work.task.lease);
  const struct al_transcribe_ops *ops = loaded->engine->transcribe;
  AL_TRY(al_worker_task_check(&t->audio.work, AL_CAN_TRANSCRIBE, ops, "transcribes speech", err));
  struct al_transcribe_info info;
  ops->info(loaded->model, &info);
  if (options->translate && !info.can_translate)
    return al_fail(err, AL_UNSUPPORTED, "'%s' does not translate; it writes down what it hears",
                   loaded->descriptor->id);
  return ops->check_language(loaded->model, options->language, err);
}

static void prepare(struct al_task *task)
{
  struct transcription *t = (struct transcription *)task;
  struct al_err err = {};
  enum al_code code = al_task_still_wanted(task, &err);
  if (code == AL_OK)
    code = check(t, &err);
  if (code == AL_OK)
    al_worker_task_submit(&t->audio.work);
  else
    al_worker_task_fail(task, &err);
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static void free_task(struct al_worker_task *work)
{
  struct transcription *t = (struct transcription *)work;
  close_reader(t);
  if (t->request.file.fd >= 0)
    (void)close(t->request.file.fd);
  al_task_fini(&work->task);
  al_free(t);
}

static void free_transcription(struct transcription *t)
{
  if (t != nullptr)
    free_task(&t->audio.work);
}
AL_DEFINE_CLEANUP(struct transcription, free_transcription)

static enum al_code copy_all(struct transcription *t, struct al_err *err)
{
  struct al_task *task = &t->audio.work.task;
  struct al_transcription_request *request = &t->request;
  AL_TRY(al_task_copy_name(task, &request->model, err));
  AL_TRY(al_task_copy_name(task, &request->options.language, err));
  AL_TRY(al_task_copy_name(task, &request->options.prompt, err));
  request->file.fd = fcntl(request->file.fd, F_DUPFD_CLOEXEC, 3);
  return request->file.fd >= 0 ? AL_OK : al_fail(err, AL_OOM_RAM, "the server has too many files open");
}

enum al_code al_transcribe_submit(struct al_audio_manager *manager, const struct al_transcription_request *request,
                                  struct al_err *err)
{
  static const struct al_worker_task_ops ops = {
    .task = { .probe = probe, .prepare = prepare, .fail = al_worker_task_fail },
    .run = run,
    .tell_start = al_audio_task_tell_start,
    .tell_end = al_audio_task_tell_end,
    .free = free_task,
  };
  AL_CLEANUP(free_transcription_p) struct transcription *t = al_calloc(1, sizeof *t);
  if (t == nullptr)
    return al_fail_oom(err, sizeof *t);
  t->manager = manager;
  t->audio.on_event = request->on_event;
  t->audio.user = request->user;
  t->audio.info = &t->info;
  t->request.file.fd = -1;
  AL_TRY(al_worker_task_init(&t->audio.work, &ops, request->cancel, err));
  t->request = *request;
  enum al_code code = copy_all(t, err);
  if (code != AL_OK) {
    t->request.file.fd = -1;
    return code;
  }
  AL_TRY(al_task_start(al_audio_manager_listening(manager), &t->audio.work.task, t->request.model, err));
  t = nullptr;
  return AL_OK;
}
