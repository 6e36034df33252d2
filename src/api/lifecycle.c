/* POST /load and /unload: {"model": "..."}. The answer comes when it is done. */
#include "api/body.h"
#include "api/errors.h"
#include "api/job.h"
#include "api/text_params.h"
#include "base/clock.h"

constexpr size_t ARENA_CAP = (size_t)16 << 10;

struct lifecycle {
  struct al_api_job job; /* first */
  int64_t started_ns;
  const char *state; /* what the model is in once it has worked */
};

static void on_done(void *user, const struct al_err *err)
{
  struct lifecycle *lifecycle = user;
  if (err->code != AL_OK) {
    al_api_reply_err(lifecycle->job.exchange, err);
    al_api_job_free(&lifecycle->job);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "model", lifecycle->job.model);
  al_jw_kv_str(&w, "state", lifecycle->state);
  al_jw_kv_real(&w, "ms", (double)(al_now_ns() - lifecycle->started_ns) / (double)AL_NS_PER_MS);
  al_jw_end(&w);
  al_api_job_reply(&lifecycle->job, &text);
  al_api_job_free(&lifecycle->job);
}

static const struct al_api_param params[] = {
  { .name = "model", .read = al_api_read_model, .offset = offsetof(struct al_api_job, model) },
};

/* al_inference_load and al_inference_unload */
typedef enum al_code lifecycle_fn(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                                  struct al_err *err);

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, lifecycle_fn *submit,
                        const char *state, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_TRY(al_api_job_new(exchange, sizeof(struct lifecycle), ARENA_CAP, &made, err));
  struct lifecycle *lifecycle = (struct lifecycle *)made;
  lifecycle->started_ns = al_now_ns();
  lifecycle->state = state;
  AL_TRY(
      al_api_params_read(&(struct al_api_param_table){ params, AL_COUNT(params) }, 1, al_json_root(body), made, err));
  if (made->model == nullptr)
    return al_api_missing(err, "model");
  AL_TRY(submit(api->inference, made->model, on_done, lifecycle, err));
  (void)AL_TAKE(made);
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
