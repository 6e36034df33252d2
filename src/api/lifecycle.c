/* POST /load and /unload: {"model": "..."}. The answer comes when it is done. */
#include "api/body.h"
#include "api/context.h"
#include "api/errors.h"
#include "api/text_params.h"
#include "base/clock.h"

struct job {              /* lives in its arena; from submission on it is the callback's */
  struct al_arena *arena; /* first: al_api_read_model finds it there */
  const char *model;
  struct al_http_exchange *exchange; /* a reference */
  int64_t started_ns;
  const char *state; /* what the model is in once it has worked */
};

static void job_free(struct job *job)
{
  if (job == nullptr)
    return;
  al_http_unref(job->exchange);
  al_arena_free(job->arena);
}
AL_DEFINE_CLEANUP(struct job, job_free)

/* nullptr when memory runs out. */
static struct job *job_new(struct al_http_exchange *exchange, const char *state)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(16'384);
  struct job *job = arena != nullptr ? al_arena_alloc(arena, sizeof *job) : nullptr;
  if (job == nullptr)
    return nullptr;
  *job = (struct job){ .exchange = al_http_ref(exchange), .started_ns = al_now_ns(), .state = state };
  job->arena = AL_TAKE(arena);
  return job;
}

static void on_done(void *user, const struct al_err *err)
{
  struct job *job = user;
  if (err->code != AL_OK) {
    al_api_reply_err(job->exchange, err);
    job_free(job);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "model", job->model);
  al_jw_kv_str(&w, "state", job->state);
  al_jw_kv_real(&w, "ms", (double)(al_now_ns() - job->started_ns) / (double)AL_NS_PER_MS);
  al_jw_end(&w);
  struct al_err failure;
  if (al_buf_check(&text, &failure) != AL_OK)
    al_api_reply_err(job->exchange, &failure);
  else
    al_http_reply(job->exchange, 200, "application/json", al_buf_view(&text));
  job_free(job);
}

static const struct al_api_param params[] = {
  { .name = "model", .read = al_api_read_model, .offset = offsetof(struct job, model) },
};

/* al_inference_load and al_inference_unload */
typedef enum al_code lifecycle_fn(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                                  struct al_err *err);

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, lifecycle_fn *submit,
                        const char *state, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_CLEANUP(job_free_p) struct job *job = job_new(exchange, state);
  if (job == nullptr)
    return al_fail_oom(err, sizeof *job);
  AL_TRY(al_api_params_read(&(struct al_api_param_table){ params, AL_COUNT(params) }, 1, al_json_root(body), job, err));
  if (job->model == nullptr)
    return al_fail_reason(err, al_fail_param(err, "model", "Missing required parameter: 'model'"),
                          "missing_required_parameter");
  AL_TRY(submit(api->inference, job->model, on_done, job, err));
  (void)AL_TAKE(job);
  return AL_OK;
}

void al_api_load(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, al_inference_load, "ready", &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}

void al_api_unload(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, al_inference_unload, "unloaded", &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
