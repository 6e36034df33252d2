#include "inference/text_manager.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"
#include "inference/chat.h"
#include "inference/prompt.h"
#include "inference/text_request.h"
#include "sched/rng.h"

#include <math.h>
#include <stdatomic.h>

constexpr size_t N_PREPARE_THREADS = 2;
constexpr size_t MOST_PREPARING = 8192;

struct al_text_manager {
  struct al_pool *pool;
  struct al_queue *prepare; /* of struct al_text_job */
  struct al_thread threads[N_PREPARE_THREADS];
  atomic_bool stopping;
  atomic_size_t n_active;
};

/* --- the end of a request --------------------------------------------------------------------------------------- */

/* The last event. The lease goes first, so that whoever hears of the end finds the model idle. */
static void finish(struct al_text_job *job, const struct al_text_event *event)
{
  struct al_text_manager *manager = job->manager;
  if (job->lease != nullptr) {
    struct al_pool_use use = {
      .started = job->started,
      .n_prompt = event->usage.n_prompt,
      .n_completion = event->usage.n_completion,
    };
    al_pool_release(job->lease, &use);
  }
  job->request.on_event(job->request.user, event);
  al_text_job_free(job);
  atomic_fetch_sub(&manager->n_active, 1);
}

/* A client that left gets DONE with what it used; everything else is a failure. */
static void finish_failed(struct al_text_job *job, const struct al_err *err, const struct al_text_event *so_far)
{
  struct al_text_event event = so_far != nullptr ? *so_far : (struct al_text_event){};
  bool left = err->code == AL_CANCELLED && !al_streq(err->reason, "shutting_down");
  event.kind = left ? AL_TEXT_DONE : AL_TEXT_FAILED;
  event.finish = left ? AL_FINISH_CANCELLED : AL_FINISH_ERROR;
  event.err = left ? nullptr : err;
  finish(job, &event);
}

/* --- the scheduler's side --------------------------------------------------------------------------------------- */

static void on_admitted(void *user)
{
  struct al_text_job *job = user;
  job->started = true;
  al_pool_started(job->lease);
}

static bool on_token(void *user, const struct al_generated *token)
{
  struct al_text_job *job = user;
  job->stop = al_stop_feed(job->filter, token->piece, &job->text);
  al_text_job_send_text(job);
  return job->stop < 0 && !job->lost;
}

static void on_done(void *user, const struct al_generation_result *result)
{
  struct al_text_job *job = user;
  struct al_text_event event = {
    .kind = AL_TEXT_DONE,
    .finish = result->end == AL_END_LENGTH ? AL_FINISH_LENGTH : AL_FINISH_STOP,
    .usage = { .n_prompt = result->n_prompt, .n_cached = result->n_cached, .n_completion = result->n_completion },
    .prompt_ms = result->prompt_ms,
    .predicted_ms = result->predicted_ms,
  };
  if (result->end == AL_END_FAILED) {
    finish_failed(job, &result->err, &event);
    return;
  }
  if (job->stop >= 0)
    event.stop = job->request.stop[job->stop];
  else
    al_stop_flush(job->filter, &job->text);
  al_text_job_send_text(job);
  struct al_err err;
  if (job->lost && al_fail_oom(&err, job->text.capacity) != AL_OK)
    finish_failed(job, &err, &event);
  else {
    struct al_text_event choice = event;
    choice.kind = AL_TEXT_CHOICE_DONE;
    job->request.on_event(job->request.user, &choice);
    finish(job, &event);
  }
}

static const struct al_generation_sink sink = {
  .admitted = on_admitted,
  .token = on_token,
  .done = on_done,
};

/* --- preparing -------------------------------------------------------------------------------------------------- */

/* The model's generation_config where the request leaves it open, then our defaults; and a seed. */
static struct al_sampling resolve(const struct al_sampling *asked, const struct al_text_info *info)
{
  struct al_sampling sampling = *asked, defaults = al_sampling_default();
  if (isnan(sampling.temperature))
    sampling.temperature = info->temperature > 0 ? info->temperature : defaults.temperature;
  if (isnan(sampling.top_p))
    sampling.top_p = info->top_p > 0 ? info->top_p : defaults.top_p;
  if (sampling.top_k < 0)
    sampling.top_k = info->top_k > 0 ? info->top_k : defaults.top_k;
  if (!sampling.has_seed)
    sampling.seed = al_rng_fresh_seed();
  sampling.has_seed = true;
  return sampling;
}

static enum al_code still_wanted(const struct al_text_job *job, struct al_err *err)
{
  enum al_code reason = al_cancel_reason(job->request.cancel);
  if (atomic_load(&job->manager->stopping))
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  return reason == AL_OK ? AL_OK : al_fail(err, reason, "the request was ended before its prompt was ready");
}

static enum al_code prepare(struct al_text_job *job, struct al_tokens *tokens, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(job->lease);
  AL_TRY(still_wanted(job, err));
  if (loaded->engine->text == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "'%s' is no text model", job->request.model);
  struct al_prompt_options options = {
    .chat = job->chat,
    .text = job->request.prompt,
    .truncate = job->request.truncate_prompt,
    .max_tokens = job->request.max_tokens,
  };
  AL_TRY(al_prompt_prepare(loaded, &options, tokens, err));
  return still_wanted(job, err);
}

/* From here on the scheduler owns the job, or it has failed. */
static void schedule(struct al_text_job *job, const struct al_tokens *tokens)
{
  const struct al_loaded *loaded = al_pool_loaded(job->lease);
  struct al_generation generation = {
    .prompt = tokens->ids,
    .n_prompt = tokens->count,
    .sampling = resolve(&job->request.sampling, &loaded->info),
    .max_tokens = job->request.max_tokens,
    .ignore_eos = job->request.ignore_eos,
    .cancel = job->request.cancel,
    .sink = &sink,
    .user = job,
  };
  struct al_err err = {};
  al_text_job_send_started(job, (int)tokens->count, &generation.sampling);
  if (al_scheduler_submit(loaded->scheduler, &generation, &err) == AL_OK)
    return;
  al_free(tokens->ids);
  finish_failed(job, &err, nullptr);
}

static void prepare_thread(void *argument)
{
  struct al_text_manager *manager = argument;
  for (struct al_text_job *job; (job = al_queue_pop(manager->prepare, AL_NO_DEADLINE)) != nullptr;) {
    struct al_tokens tokens = {};
    struct al_err err = {};
    if (prepare(job, &tokens, &err) == AL_OK) {
      schedule(job, &tokens);
      continue;
    }
    al_free(tokens.ids);
    finish_failed(job, &err, nullptr);
  }
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static enum al_code fail_overloaded(struct al_err *err)
{
  return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "too many requests are being prepared; try again later"),
                        "overloaded");
}

/* The pool's answer after a load. */
static void on_ready(struct al_pool_waiter *waiter, struct al_pool_model *lease, const struct al_err *err)
{
  struct al_text_job *job = (struct al_text_job *)waiter;
  job->lease = lease;
  struct al_err full;
  if (lease == nullptr)
    finish_failed(job, err, nullptr);
  else if (!al_queue_push(job->manager->prepare, job) &&
           (still_wanted(job, &full) != AL_OK || fail_overloaded(&full) != AL_OK))
    finish_failed(job, &full, nullptr);
}

static enum al_code start(struct al_text_job *job, struct al_err *err)
{
  struct al_text_manager *manager = job->manager;
  struct al_pool_model *lease = nullptr;
  AL_TRY(al_pool_acquire(manager->pool, job->request.model, &job->waiter, &lease, err));
  if (lease == nullptr) /* on_ready owns the job now */
    return AL_OK;
  job->lease = lease;
  if (al_queue_push(manager->prepare, job))
    return AL_OK;
  al_pool_release(lease, &(struct al_pool_use){});
  return fail_overloaded(err);
}

enum al_code al_text_manager_submit(struct al_text_manager *manager, const struct al_text_request *request,
                                    struct al_err *err)
{
  AL_CLEANUP(al_text_job_free_p) struct al_text_job *job = nullptr;
  AL_TRY(al_text_job_new(request, &job, err));
  job->manager = manager;
  job->waiter.ready = on_ready;
  atomic_fetch_add(&manager->n_active, 1);
  enum al_code code = start(job, err);
  if (code != AL_OK)
    atomic_fetch_sub(&manager->n_active, 1);
  else
    job = nullptr;
  return code;
}

size_t al_text_manager_n_active(struct al_text_manager *manager)
{
  return atomic_load(&manager->n_active);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static enum al_code attach(void *, const struct al_loaded *loaded, void **attachment, struct al_err *err)
{
  if (loaded->engine->text == nullptr)
    return AL_OK;
  struct al_chat_model *chat;
  AL_TRY(al_chat_model_new(loaded, &chat, err));
  *attachment = chat;
  return AL_OK;
}

static void detach(void *, void *attachment)
{
  al_chat_model_free(attachment);
}

struct al_pool_hooks al_text_hooks(void)
{
  return (struct al_pool_hooks){ .attach = attach, .detach = detach };
}

enum al_code al_text_manager_new(struct al_text_manager **manager, struct al_err *err)
{
  struct al_text_manager *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->prepare = al_queue_new(MOST_PREPARING);
  enum al_code code = made->prepare == nullptr ? al_fail_oom(err, MOST_PREPARING) : AL_OK;
  for (size_t i = 0; i < N_PREPARE_THREADS && code == AL_OK; i++)
    code = al_thread_start(&made->threads[i], "al-prepare", prepare_thread, made, err);
  if (code != AL_OK) {
    al_text_manager_stop(made);
    al_text_manager_free(made);
    return code;
  }
  *manager = made;
  return AL_OK;
}

void al_text_manager_use(struct al_text_manager *manager, struct al_pool *pool)
{
  manager->pool = pool;
}

void al_text_manager_stop(struct al_text_manager *manager)
{
  if (manager == nullptr)
    return;
  atomic_store(&manager->stopping, true);
  if (manager->prepare != nullptr)
    al_queue_close(manager->prepare);
  for (size_t i = 0; i < N_PREPARE_THREADS; i++)
    al_thread_join(&manager->threads[i]);
}

void al_text_manager_free(struct al_text_manager *manager)
{
  if (manager == nullptr)
    return;
  al_queue_free(manager->prepare);
  al_free(manager);
}
