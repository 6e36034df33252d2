#include "api/audio.h"

#include "api/errors.h"
#include "base/clock.h"
#include "base/log.h"

enum al_code al_api_read_chars(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  struct al_str text = {};
  AL_TRY(al_json_want_str(body, "", param->name, &text, nullptr, err));
  if (text.size > 0 && memchr(text.data, '\0', text.size) != nullptr)
    return al_fail_param(err, param->name, "%s must not contain NUL", param->name);
  struct al_api_job *job = target;
  const char *copy = al_arena_strndup(job->arena, text.data, text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  *(const char **)((char *)target + param->offset) = copy;
  return AL_OK;
}

void al_api_audio_begin_events(struct al_http_exchange *exchange)
{
  al_http_add_header(exchange, "cache-control", "no-cache");
  al_http_add_header(exchange, "x-accel-buffering", "no");
  al_http_begin(exchange, 200, "text/event-stream");
}

struct al_json_writer al_api_audio_open_event(struct al_buf *out, const char *type)
{
  al_buf_str(out, "data: ");
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "type", type);
  return w;
}

void al_api_audio_close_event(struct al_json_writer *w)
{
  al_jw_end(w);
  al_buf_str(w->out, "\n\n");
}

void al_api_audio_write_err(struct al_buf *out, const struct al_err *err)
{
  al_buf_str(out, "data: ");
  struct al_json_writer w = al_json_writer(out);
  al_api_write_err(&w, err);
  al_buf_str(out, "\n\n");
}

struct al_err al_api_audio_err(const struct al_api *api, const struct al_err *err)
{
  struct al_err told = *err;
  if (err->code == AL_CANCELLED && err->reason == nullptr && atomic_load(&api->draining))
    (void)!al_fail_reason(&told, al_fail(&told, AL_CANCELLED, "The server is shutting down"), "shutting_down");
  return told;
}

void al_api_audio_log(const struct al_api_job *job, const char *event, double seconds, const struct al_err *err)
{
  int64_t ns = al_now_ns() - al_http_started_ns(job->exchange);
  al_log(AL_LOG_INFO, event, AL_S("id", al_http_request_id(job->exchange)), AL_S("model", job->model),
         AL_S("finish", err != nullptr ? al_code_name(err->code) : "stop"), AL_F("audio_s", seconds),
         AL_F("ms", (double)ns / (double)AL_NS_PER_MS));
  if (err != nullptr && err->code == AL_INTERNAL)
    al_log_err(AL_LOG_ERROR, "audio_failed", err);
}
