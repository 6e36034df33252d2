/* GET /v1/models and /v1/models/{id}: what can run here now. A model that cannot is left out; /status says why. */
#include "api/context.h"
#include "api/errors.h"
#include "api/text_params.h"

static const struct {
  unsigned bit;
  const char *name;
} capabilities[] = {
  { AL_CAN_CHAT, "chat" },
  { AL_CAN_COMPLETE, "completion" },
  { AL_CAN_EMBED, "embedding" },
  { AL_CAN_RERANK, "rerank" },
  { AL_CAN_TRANSCRIBE, "transcription" },
  { AL_CAN_SPEAK, "speech" },
  { AL_CAN_DRAW, "image" },
  { AL_CAN_SEE, "vision" },
};

/* The part before the slash is the publisher, as on the hubs. */
static struct al_str owner_of(const struct al_model_descriptor *model)
{
  const char *slash = strchr(model->id, '/');
  if (slash != nullptr && slash != model->id)
    return al_str_n(model->id, (size_t)(slash - model->id));
  return al_str(model->builtin ? "allm" : "local");
}

static void write_model(struct al_json_writer *w, const struct al_model_status *status)
{
  const struct al_model_descriptor *model = status->descriptor;
  al_jw_object(w);
  al_jw_kv_str(w, "id", model->id);
  al_jw_kv_str(w, "object", "model");
  al_jw_kv_int(w, "created", model->modified_s);
  al_jw_kv_str_n(w, "owned_by", owner_of(model));
  /* Ours, beyond OpenAI's */
  int64_t n_ctx = status->n_ctx > 0 ? status->n_ctx : model->n_ctx_train;
  al_jw_key(w, "context_length");
  if (n_ctx > 0)
    al_jw_int(w, n_ctx);
  else
    al_jw_null(w);
  al_jw_kv_str(w, "type", al_model_type_name(model->type));
  al_jw_kv_str(w, "format", al_model_format_name(model->format));
  al_jw_kv_str(w, "architecture", model->architecture);
  al_jw_kv_str(w, "quantization", model->quantisation);
  al_jw_kv_int(w, "parameters", model->n_parameters);
  al_jw_kv_int(w, "size_bytes", (int64_t)model->size_bytes);
  al_jw_kv_str(w, "state", al_model_state_name(status->state));
  al_jw_key(w, "capabilities");
  al_jw_array(w);
  for (size_t i = 0; i < AL_COUNT(capabilities); i++)
    if ((model->capabilities & capabilities[i].bit) != 0)
      al_jw_str(w, capabilities[i].name);
  al_jw_end(w);
  al_jw_end(w);
}

static void reply(struct al_http_exchange *exchange, const struct al_buf *text)
{
  struct al_err err;
  if (al_buf_check(text, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
  else
    al_http_reply(exchange, 200, "application/json", al_buf_view(text));
}

void al_api_models_list(struct al_http_exchange *exchange, void *app)
{
  const struct al_api *api = app;
  AL_CLEANUP(al_model_status_list_free) struct al_model_status_list list = {};
  struct al_err err;
  if (al_inference_models(api->inference, &list, &err) != AL_OK) {
    al_api_reply_err(exchange, &err);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "object", "list");
  al_jw_key(&w, "data");
  al_jw_array(&w);
  for (size_t i = 0; i < list.count; i++)
    if (list.items[i].problem.code == AL_OK)
      write_model(&w, &list.items[i]);
  al_jw_end(&w);
  al_jw_end(&w);
  reply(exchange, &text);
}

static enum al_code find(const struct al_api *api, struct al_str name, struct al_model_status *status,
                         struct al_err *err)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(4096);
  if (arena == nullptr)
    return al_fail_oom(err, 4096);
  const char *id = nullptr;
  AL_TRY(al_api_model_name(arena, name, &id, err));
  AL_TRY(al_inference_model(api->inference, id, status, err));
  if (status->problem.code == AL_OK)
    return AL_OK;
  enum al_code code = status->problem.code;
  if (err != nullptr)
    *err = status->problem;
  al_model_status_done(status);
  return code;
}

void al_api_models_get(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  struct al_model_status status = {};
  if (find(app, al_http_param(exchange, "id"), &status, &err) != AL_OK) {
    al_api_reply_err(exchange, &err);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  write_model(&w, &status);
  al_model_status_done(&status);
  reply(exchange, &text);
}
