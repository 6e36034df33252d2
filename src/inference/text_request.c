#include "inference/text_request.h"

#include "base/alloc.h"

constexpr size_t ARENA_CAP = (size_t)256 << 20;
constexpr size_t TEXT_CAP = (size_t)64 << 20;

static enum al_code copy_str(struct al_arena *arena, struct al_str text, struct al_str *out, struct al_err *err)
{
  char *copy = al_arena_strndup(arena, text.data != nullptr ? text.data : "", text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  *out = al_str_n(copy, text.size);
  return AL_OK;
}

static enum al_code copy_chat(struct al_text_job *job, struct al_err *err)
{
  if (job->request.chat == nullptr)
    return AL_OK;
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  al_json_print(&json, job->request.chat);
  AL_TRY(al_buf_check(&json, err));
  job->request.chat = nullptr; /* was borrowed */
  return copy_str(job->arena, al_buf_view(&json), &job->chat, err);
}

static enum al_code copy_stops(struct al_text_job *job, struct al_err *err)
{
  struct al_text_request *request = &job->request;
  const char **copies = al_arena_array(job->arena, request->n_stop, sizeof *copies);
  if (copies == nullptr)
    return al_fail_oom(err, request->n_stop * sizeof *copies);
  for (size_t i = 0; i < request->n_stop; i++) {
    struct al_str copy = {};
    AL_TRY(copy_str(job->arena, al_str(request->stop[i]), &copy, err));
    copies[i] = copy.data;
  }
  request->stop = copies;
  return al_stop_new(copies, request->n_stop, &job->filter, err);
}

static enum al_code copy_bias(struct al_text_job *job, struct al_err *err)
{
  struct al_sampling *sampling = &job->request.sampling;
  if (sampling->n_logit_bias == 0)
    return AL_OK;
  struct al_logit_bias *copy = al_arena_array(job->arena, sampling->n_logit_bias, sizeof *copy);
  if (copy == nullptr)
    return al_fail_oom(err, sampling->n_logit_bias * sizeof *copy);
  memcpy(copy, sampling->logit_bias, sampling->n_logit_bias * sizeof *copy);
  sampling->logit_bias = copy;
  return AL_OK;
}

enum al_code al_text_job_new(const struct al_text_request *request, struct al_text_job **job, struct al_err *err)
{
  AL_CLEANUP(al_text_job_free_p) struct al_text_job *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->request = *request;
  made->stop = -1;
  made->request.cancel = made->waiter.cancel = al_cancel_ref(request->cancel);
  al_buf_init(&made->text, TEXT_CAP);
  made->arena = al_arena_new(ARENA_CAP);
  if (made->arena == nullptr)
    return al_fail_oom(err, sizeof *made);
  struct al_str model = {};
  AL_TRY(copy_str(made->arena, al_str(request->model), &model, err));
  made->request.model = model.data;
  AL_TRY(copy_str(made->arena, request->prompt, &made->request.prompt, err));
  AL_TRY(copy_chat(made, err));
  AL_TRY(copy_bias(made, err));
  AL_TRY(copy_stops(made, err));
  *job = AL_TAKE(made);
  return AL_OK;
}

void al_text_job_free(struct al_text_job *job)
{
  if (job == nullptr)
    return;
  al_stop_free(job->filter);
  al_buf_done(&job->text);
  al_cancel_unref(job->request.cancel);
  al_arena_free(job->arena);
  al_free(job);
}

void al_text_job_send_started(struct al_text_job *job, int n_prompt, const struct al_sampling *sampling)
{
  struct al_text_event event = { .kind = AL_TEXT_STARTED, .usage.n_prompt = n_prompt, .sampling = sampling };
  job->request.on_event(job->request.user, &event);
}

void al_text_job_send_text(struct al_text_job *job)
{
  job->lost = job->lost || job->text.failed;
  if (job->text.size == 0)
    return;
  struct al_text_event event = { .kind = AL_TEXT_DELTA, .text = al_buf_view(&job->text) };
  job->request.on_event(job->request.user, &event);
  al_buf_clear(&job->text);
}
