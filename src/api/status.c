/* GET /health, /health/live, /health/ready and /status. */
#include "api/context.h"
#include "api/errors.h"
#include "base/clock.h"
#include "os/machine.h"

#include <unistd.h>

void al_api_health_live(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_reply(exchange, 200, "application/json", al_str("{\"status\":\"ok\"}"));
}

void al_api_health_ready(struct al_http_exchange *exchange, void *app)
{
  const struct al_api *api = app;
  if (atomic_load(&api->draining))
    al_http_reply(exchange, 503, "application/json", al_str("{\"status\":\"draining\"}"));
  else
    al_http_reply(exchange, 200, "application/json", al_str("{\"status\":\"ready\"}"));
}

static void write_problem(struct al_json_writer *w, const struct al_err *problem)
{
  al_jw_key(w, "problem");
  if (problem->code == AL_OK) {
    al_jw_null(w);
    return;
  }
  char message[sizeof problem->message];
  al_api_error_message(problem, message, sizeof message);
  al_jw_object(w);
  al_jw_kv_str(w, "code", al_code_name(problem->code));
  al_jw_kv_str(w, "reason", problem->reason);
  al_jw_kv_str(w, "message", message);
  al_jw_end(w);
}

static void write_time(struct al_json_writer *w, const char *key, int64_t unix_s)
{
  if (unix_s > 0)
    al_jw_kv_int(w, key, unix_s);
  else
    al_jw_kv_null(w, key);
}

static void write_model(struct al_json_writer *w, const struct al_model_status *status)
{
  const struct al_model_descriptor *model = status->descriptor;
  al_jw_object(w);
  al_jw_kv_str(w, "id", model->id);
  al_jw_kv_str(w, "type", al_model_type_name(model->type));
  al_jw_kv_str(w, "format", al_model_format_name(model->format));
  al_jw_kv_str(w, "runtime", model->runtime);
  al_jw_kv_bool(w, "builtin", model->builtin);
  al_jw_kv_str(w, "state", al_model_state_name(status->state));
  write_problem(w, &status->problem);
  al_jw_kv_real(w, "load_fraction", (double)status->load_fraction);
  al_jw_kv_int(w, "running", status->n_running);
  al_jw_kv_int(w, "waiting", status->n_waiting);
  al_jw_kv_int(w, "context_length", status->n_ctx);
  al_jw_kv_int(w, "gpu_layers", status->n_gpu_layers);
  al_jw_kv_int(w, "memory_bytes", (int64_t)status->memory_bytes);
  al_jw_kv_int(w, "size_bytes", (int64_t)model->size_bytes);
  write_time(w, "loaded_at", status->loaded_s);
  write_time(w, "last_used_at", status->last_used_s);
  al_jw_kv_real(w, "load_ms", status->load_ms);
  al_jw_kv_int(w, "requests", (int64_t)status->n_requests);
  al_jw_kv_int(w, "prompt_tokens", (int64_t)status->n_prompt_tokens);
  al_jw_kv_int(w, "completion_tokens", (int64_t)status->n_completion_tokens);
  al_jw_kv_real(w, "audio_seconds", status->audio_s);
  al_jw_end(w);
}

static void write_machine(struct al_json_writer *w)
{
  struct al_memory memory = {};
  al_machine_memory(&memory);
  al_jw_key(w, "machine");
  al_jw_object(w);
  al_jw_kv_str(w, "cpu", al_machine_cpu_name());
  al_jw_kv_int(w, "cores", al_machine_n_cores());
  al_jw_kv_int(w, "memory_bytes", (int64_t)memory.total_bytes);
  al_jw_kv_int(w, "available_bytes", (int64_t)memory.available_bytes);
  al_jw_end(w);
  al_jw_key(w, "process");
  al_jw_object(w);
  al_jw_kv_int(w, "pid", getpid());
  al_jw_kv_int(w, "memory_bytes", (int64_t)al_process_rss_bytes(getpid()));
  al_jw_end(w);
}

static void write_connections(struct al_json_writer *w, const struct al_api *api)
{
  al_jw_key(w, "connections");
  if (api->stats == nullptr) {
    al_jw_null(w);
    return;
  }
  struct al_http_stats stats = {};
  api->stats(api->stats_user, &stats);
  al_jw_object(w);
  al_jw_kv_int(w, "open", (int64_t)stats.n_connections);
  al_jw_kv_int(w, "total", (int64_t)stats.n_connections_total);
  al_jw_kv_int(w, "requests", (int64_t)stats.n_requests_total);
  al_jw_kv_int(w, "active_requests", (int64_t)stats.n_active_exchanges);
  al_jw_kv_int(w, "bad_requests", (int64_t)stats.n_bad_requests);
  al_jw_kv_int(w, "sent_bytes", (int64_t)stats.n_sent_bytes);
  al_jw_end(w);
}

void al_api_status(struct al_http_exchange *exchange, void *app)
{
  const struct al_api *api = app;
  AL_CLEANUP(al_model_status_list_free) struct al_model_status_list list = {};
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err;
  if (al_inference_models(api->inference, &list, &err) != AL_OK) {
    al_api_reply_err(exchange, &err);
    return;
  }
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "version", api->version);
  al_jw_kv_int(&w, "started_at", api->started_s);
  al_jw_kv_real(&w, "uptime_s", (double)(al_now_ns() - api->started_ns) / 1e9);
  al_jw_kv_str(&w, "state", atomic_load(&api->draining) ? "draining" : "ready");
  al_jw_kv_int(&w, "active_requests", (int64_t)al_inference_n_active(api->inference));
  write_machine(&w);
  write_connections(&w, api);
  al_jw_key(&w, "models");
  al_jw_array(&w);
  for (size_t i = 0; i < list.count; i++)
    write_model(&w, &list.items[i]);
  al_jw_end(&w);
  al_jw_end(&w);
  if (al_buf_check(&text, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
  else
    al_http_reply(exchange, 200, "application/json", al_buf_view(&text));
}
