/* GET /v1/audio/voices?model=...: the voices of a model that speaks. An addition of ours. */
#include "api/audio.h"
#include "api/errors.h"
#include "api/text_params.h"

constexpr size_t ARENA_CAP = (size_t)16 << 10;

struct voices {
  struct al_api_job job; /* first */
  struct al_buf out;
  struct al_json_writer w;
};

static void voices_free(struct voices *job)
{
  if (job == nullptr)
    return;
  al_buf_done(&job->out);
  al_api_job_free(&job->job);
}
AL_DEFINE_CLEANUP(struct voices, voices_free)

static void on_voice(void *user, const struct al_voice *voice)
{
  struct al_json_writer *w = &((struct voices *)user)->w;
  al_jw_object(w);
  al_jw_kv_str(w, "id", voice->id);
  al_jw_kv_str(w, "object", "voice");
  al_jw_kv_str(w, "name", voice->name);
  al_jw_kv_str(w, "language", voice->language);
  al_jw_kv_str(w, "gender", voice->gender);
  al_jw_end(w);
}

static void on_done(void *user, const struct al_err *err)
{
  struct voices *job = user;
  if (err != nullptr && err->code != AL_OK) {
    al_api_reply_err(job->job.exchange, err);
  } else {
    al_jw_end(&job->w);
    al_jw_end(&job->w);
    al_api_job_reply(&job->job, &job->out);
  }
  voices_free(job);
}

/* The only model that speaks. */
static enum al_code find_model(struct al_api_job *job, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_model_status_list_free) struct al_model_status_list list = {};
  AL_TRY(al_inference_models(api->inference, &list, err));
  const char *only = nullptr;
  size_t count = 0;
  for (size_t i = 0; i < list.count; i++)
    if (list.items[i].problem.code == AL_OK && (list.items[i].descriptor->capabilities & AL_CAN_SPEAK) != 0) {
      only = list.items[i].descriptor->id;
      count++;
    }
  return count == 1 ? al_api_model_name(job->arena, al_str(only), &job->model, err) : al_api_missing(err, "model");
}

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err)
{
  struct al_api_job *made = nullptr;
  AL_TRY(al_api_job_new(exchange, sizeof(struct voices), ARENA_CAP, &made, err));
  AL_CLEANUP(voices_free_p) struct voices *job = (struct voices *)made;
  struct al_str name = al_http_query(exchange, "model");
  AL_TRY(name.data != nullptr ? al_api_model_name(made->arena, name, &made->model, err) : find_model(made, api, err));
  job->w = al_json_writer(&job->out);
  al_jw_object(&job->w);
  al_jw_kv_str(&job->w, "object", "list");
  al_jw_kv_str(&job->w, "model", made->model);
  al_jw_key(&job->w, "data");
  al_jw_array(&job->w);
  struct al_voices_request request = {
    .model = made->model, .cancel = al_http_cancel(exchange), .each = on_voice, .done = on_done, .user = job
  };
  AL_TRY(al_inference_voices(api->inference, &request, err));
  (void)AL_TAKE(job);
  return AL_OK;
}

void al_api_voices(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
