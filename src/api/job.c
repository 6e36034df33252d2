#include "api/job.h"

#include "api/errors.h"

#include <stdio.h>

enum al_code al_api_job_new(struct al_http_exchange *exchange, size_t size, size_t cap_bytes, struct al_api_job **job,
                            struct al_err *err)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(cap_bytes);
  struct al_api_job *made = arena != nullptr ? al_arena_alloc(arena, size) : nullptr;
  if (made == nullptr)
    return al_fail_oom(err, size);
  made->exchange = al_http_ref(exchange);
  made->arena = AL_TAKE(arena);
  *job = made;
  return AL_OK;
}

void al_api_job_free(struct al_api_job *job)
{
  if (job == nullptr)
    return;
  al_http_unref(job->exchange);
  al_arena_free(job->arena);
}

static bool is_loaded_text_model(const struct al_model_status *status)
{
  return status->state == AL_MODEL_READY && status->problem.code == AL_OK &&
         (status->descriptor->capabilities & (AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_RERANK)) != 0;
}

enum al_code al_api_job_only_model(struct al_api_job *job, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_model_status_list_free) struct al_model_status_list list = {};
  AL_TRY(al_inference_models(api->inference, &list, err));
  const char *only = nullptr;
  size_t n_loaded = 0;
  for (size_t i = 0; i < list.count; i++)
    if (is_loaded_text_model(&list.items[i])) {
      only = list.items[i].descriptor->id;
      n_loaded++;
    }
  if (n_loaded != 1)
    return al_api_missing(err, "model");
  job->model = al_arena_strndup(job->arena, only, strlen(only));
  return job->model != nullptr ? AL_OK : al_fail_oom(err, strlen(only));
}

void al_api_job_reply(struct al_api_job *job, const struct al_buf *text)
{
  struct al_err err;
  if (al_buf_check(text, &err) != AL_OK)
    al_api_reply_err(job->exchange, &err);
  else
    al_http_reply(job->exchange, 200, "application/json", al_buf_view(text));
}

enum al_code al_api_read_tokens(struct al_arena *arena, const struct al_json *array, const char *path,
                                struct al_token_span *tokens, struct al_err *err)
{
  size_t count = al_json_count(array);
  int32_t *ids = al_arena_array(arena, count > 0 ? count : 1, sizeof *ids);
  if (ids == nullptr)
    return al_fail_oom(err, count * sizeof *ids);
  struct al_json_iter it = al_json_iter(array);
  while (al_json_next(&it)) {
    int64_t id = al_json_kind(it.value) == AL_JSON_INT ? al_json_int(it.value, -1) : -1;
    if (id < 0 || id > INT32_MAX)
      return al_fail_param(err, path, "%s[%zu] must be a token id: an integer from 0", path, it.index);
    ids[it.index] = (int32_t)id;
  }
  *tokens = (struct al_token_span){ ids, count };
  return AL_OK;
}
