/* GET /api/tags, /api/ps, /api/version, POST /api/show. */
#include "api/body.h"
#include "api/ollama.h"
#include "base/clock.h"

#include <stdio.h>

constexpr int64_t KEPT_S = 365LL * 24 * 3600; /* loaded models stay until memory is needed: "expires" far away */

typedef void write_model_fn(struct al_json_writer *w, const struct al_model_status *status);

/* "751.6M", "30.5B" */
static void write_parameter_size(struct al_json_writer *w, int64_t n_parameters)
{
  char text[32] = "";
  if (n_parameters >= 1'000'000'000)
    (void)snprintf(text, sizeof text, "%.1fB", (double)n_parameters / 1e9);
  else if (n_parameters > 0)
    (void)snprintf(text, sizeof text, "%.2fM", (double)n_parameters / 1e6);
  al_jw_kv_str(w, "parameter_size", text);
}

static void write_details(struct al_json_writer *w, const struct al_model_descriptor *model)
{
  al_jw_key(w, "details");
  al_jw_object(w);
  al_jw_kv_str(w, "parent_model", "");
  al_jw_kv_str(w, "format", al_model_format_name(model->format));
  al_jw_kv_str(w, "family", model->architecture);
  al_jw_key(w, "families");
  al_jw_array(w);
  al_jw_str(w, model->architecture);
  al_jw_end(w);
  write_parameter_size(w, model->n_parameters);
  al_jw_kv_str(w, "quantization_level", model->quantisation);
  al_jw_end(w);
}

static void write_name(struct al_json_writer *w, const struct al_model_descriptor *model)
{
  al_jw_kv_str(w, "name", model->id);
  al_jw_kv_str(w, "model", model->id);
  al_jw_kv_int(w, "size", (int64_t)model->size_bytes);
  al_jw_kv_str(w, "digest", ""); /* weights are not hashed when a directory is looked through */
}

static void write_tag(struct al_json_writer *w, const struct al_model_status *status)
{
  if (status->problem.code != AL_OK)
    return;
  al_jw_object(w);
  write_name(w, status->descriptor);
  al_api_ollama_write_time(w, "modified_at", status->descriptor->modified_s * 1000);
  write_details(w, status->descriptor);
  al_jw_end(w);
}

static void write_running(struct al_json_writer *w, const struct al_model_status *status)
{
  if (status->state != AL_MODEL_READY)
    return;
  al_jw_object(w);
  write_name(w, status->descriptor);
  write_details(w, status->descriptor);
  al_api_ollama_write_time(w, "expires_at", (status->last_used_s + KEPT_S) * 1000);
  al_jw_kv_int(w, "size_vram", 0); /* the status counts all memory together */
  al_jw_kv_int(w, "context_length", status->n_ctx);
  al_jw_end(w);
}

static void reply(struct al_http_exchange *exchange, const struct al_buf *text)
{
  struct al_err err;
  if (al_buf_check(text, &err) != AL_OK)
    al_api_ollama_reply_err(exchange, &err);
  else
    al_http_reply(exchange, 200, "application/json", al_buf_view(text));
}

static void reply_list(struct al_http_exchange *exchange, const struct al_api *api, write_model_fn *write)
{
  AL_CLEANUP(al_model_status_list_free) struct al_model_status_list list = {};
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err;
  if (al_inference_models(api->inference, &list, &err) != AL_OK) {
    al_api_ollama_reply_err(exchange, &err);
    return;
  }
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_key(&w, "models");
  al_jw_array(&w);
  for (size_t i = 0; i < list.count; i++)
    write(&w, &list.items[i]);
  al_jw_end(&w);
  al_jw_end(&w);
  reply(exchange, &text);
}

void al_api_ollama_tags(struct al_http_exchange *exchange, void *app)
{
  reply_list(exchange, app, write_tag);
}

void al_api_ollama_ps(struct al_http_exchange *exchange, void *app)
{
  reply_list(exchange, app, write_running);
}

void al_api_ollama_version(struct al_http_exchange *exchange, void *app)
{
  const struct al_api *api = app;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "version", api->version);
  al_jw_end(&w);
  reply(exchange, &text);
}

/* --- show -------------------------------------------------------------------------------------------------------- */

struct show_request {
  struct al_arena *arena; /* first */
  const char *model;
  bool verbose;
};

static const struct al_api_param show_params[] = {
  { .name = "model", .read = al_api_ollama_read_model, .offset = offsetof(struct show_request, model) },
  { .name = "name", .read = al_api_ollama_read_model, .offset = offsetof(struct show_request, model) },
  { .name = "verbose", .read = al_api_read_bool, .offset = offsetof(struct show_request, verbose) },
};

/* "completion" is what Ollama calls text generation of any kind. */
static void write_capabilities(struct al_json_writer *w, unsigned capabilities)
{
  al_jw_key(w, "capabilities");
  al_jw_array(w);
  if ((capabilities & (AL_CAN_CHAT | AL_CAN_COMPLETE)) != 0)
    al_jw_str(w, "completion");
  if ((capabilities & AL_CAN_CHAT) != 0)
    al_jw_str(w, "tools");
  if ((capabilities & AL_CAN_EMBED) != 0)
    al_jw_str(w, "embedding");
  if ((capabilities & AL_CAN_SEE) != 0)
    al_jw_str(w, "vision");
  al_jw_end(w);
}

static void write_shown(struct al_json_writer *w, const struct al_model_status *status)
{
  const struct al_model_descriptor *model = status->descriptor;
  al_jw_object(w);
  al_jw_kv_str(w, "modelfile", "");
  al_jw_kv_str(w, "parameters", "");
  al_jw_kv_str(w, "template", "");
  write_details(w, model);
  al_jw_key(w, "model_info");
  al_jw_object(w);
  al_jw_kv_str(w, "general.architecture", model->architecture);
  al_jw_kv_int(w, "general.parameter_count", model->n_parameters);
  char key[160];
  (void)snprintf(key, sizeof key, "%.120s.context_length", model->architecture != nullptr ? model->architecture : "");
  al_jw_kv_int(w, key, model->n_ctx_train);
  al_jw_end(w);
  write_capabilities(w, model->capabilities);
  al_api_ollama_write_time(w, "modified_at", model->modified_s * 1000);
  al_jw_end(w);
}

static enum al_code show(struct al_http_exchange *exchange, const struct al_api *api, struct al_buf *text,
                         struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(4096);
  AL_TRY(al_api_body(exchange, &body, err));
  if (arena == nullptr)
    return al_fail_oom(err, 4096);
  struct show_request request = { .arena = arena };
  const struct al_api_param_table table = { show_params, AL_COUNT(show_params) };
  AL_TRY(al_api_params_read(&table, 1, al_json_root(body), &request, err));
  if (request.model == nullptr)
    return al_api_missing(err, "model");
  struct al_model_status status = {};
  AL_TRY(al_inference_model(api->inference, request.model, &status, err));
  struct al_json_writer w = al_json_writer(text);
  write_shown(&w, &status);
  al_model_status_done(&status);
  return al_buf_check(text, err);
}

void al_api_ollama_show(struct al_http_exchange *exchange, void *app)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err;
  if (show(exchange, app, &text, &err) != AL_OK)
    al_api_ollama_reply_err(exchange, &err);
  else
    reply(exchange, &text);
}
