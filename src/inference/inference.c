/* Routing, refusals and life of the InferenceEngine. It has no thread of its own: the pool, its schedulers and
 * workers and the managers have theirs. */
#include "inference/inference.h"

#include "base/alloc.h"
#include "inference/impl.h"

constexpr size_t DEFAULT_MAX_QUEUED = 256;

/* --- life ------------------------------------------------------------------------------------------------------- */

static enum al_code copy_quarantined(struct al_inference *inference, struct al_err *err)
{
  const struct al_inference_options *options = &inference->options;
  inference->quarantined = al_calloc(options->n_quarantined, sizeof *inference->quarantined);
  if (inference->quarantined == nullptr)
    return al_fail_oom(err, options->n_quarantined * sizeof *inference->quarantined);
  for (size_t i = 0; i < options->n_quarantined; i++) {
    char *copy = al_strdup(options->quarantined[i]);
    if (copy == nullptr)
      return al_fail_oom(err, strlen(options->quarantined[i]));
    inference->quarantined[inference->n_quarantined++] = copy;
  }
  return AL_OK;
}

static enum al_code make_parts(struct al_inference *inference, struct al_err *err)
{
  const struct al_inference_options *options = &inference->options;
  struct al_pool_options pool = {
    .store = options->store,
    .registry = options->registry,
    .load = options->load,
    .max_waiting = options->max_queued > 0 ? (size_t)options->max_queued : DEFAULT_MAX_QUEUED,
    .idle_unload_ms = options->idle_unload_ms,
    .gate = { .in_engine = options->in_engine, .user = options->in_engine_user },
    .hooks = al_text_hooks(),
  };
  AL_TRY(copy_quarantined(inference, err));
  AL_TRY(al_text_manager_new(&inference->text, err));
  AL_TRY(al_audio_manager_new(&inference->audio, err));
  AL_TRY(al_image_manager_new(&inference->image, err));
  AL_TRY(al_pool_new(&pool, &inference->pool, err));
  al_text_manager_use(inference->text, inference->pool, options->store);
  al_audio_manager_use(inference->audio, inference->pool);
  al_image_manager_use(inference->image, inference->pool);
  return AL_OK;
}

enum al_code al_inference_new(const struct al_inference_options *options, struct al_inference **inference,
                              struct al_err *err)
{
  struct al_inference *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->options = *options;
  enum al_code code = make_parts(made, err);
  if (code != AL_OK) {
    al_inference_free(made);
    return code;
  }
  *inference = made;
  return AL_OK;
}

void al_inference_drain(struct al_inference *inference)
{
  atomic_store(&inference->draining, true);
}

size_t al_inference_n_active(struct al_inference *inference)
{
  return al_text_manager_n_active(inference->text) + al_audio_manager_n_active(inference->audio) +
         al_image_manager_n_active(inference->image);
}

/* The pool stops handing out models, what is being prepared fails, then the schedulers and workers end what
 * runs. */
void al_inference_free(struct al_inference *inference)
{
  if (inference == nullptr)
    return;
  atomic_store(&inference->draining, true);
  if (inference->pool != nullptr)
    al_pool_stop(inference->pool);
  al_text_manager_stop(inference->text);
  al_audio_manager_stop(inference->audio);
  al_image_manager_stop(inference->image);
  al_pool_free(inference->pool);
  al_text_manager_free(inference->text);
  al_audio_manager_free(inference->audio);
  al_image_manager_free(inference->image);
  for (size_t i = 0; i < inference->n_quarantined; i++)
    al_free(inference->quarantined[i]);
  al_free(inference->quarantined);
  al_free(inference);
}

/* --- refusals --------------------------------------------------------------------------------------------------- */

enum al_code al_inference_check_quarantine(const struct al_inference *inference, const char *id, struct al_err *err)
{
  for (size_t i = 0; i < inference->n_quarantined; i++)
    if (al_streq(inference->quarantined[i], id))
      return al_fail_reason(err,
                            al_fail(err, AL_UNSUPPORTED,
                                    "'%s' crashed the engine repeatedly and is not run any more; restart the server "
                                    "to try again, or take another build of the model",
                                    id),
                            "model_quarantined");
  return AL_OK;
}

enum al_code al_inference_check_type(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  switch (descriptor->type) {
  case AL_TYPE_ADAPTER:
    return al_fail(err, AL_UNSUPPORTED, "'%s' is a LoRA adapter for %s: it changes a model and does not run alone",
                   descriptor->id,
                   descriptor->base != nullptr && descriptor->base[0] != '\0' ? descriptor->base : "an unnamed model");
  case AL_TYPE_LLM:
  case AL_TYPE_EMBEDDING:
  case AL_TYPE_STT:
  case AL_TYPE_TTS:
  case AL_TYPE_IMAGE:
  case AL_TYPE_VISION:
  case AL_TYPE_COUNT: return AL_OK;
  }
  return AL_OK;
}

static enum al_code check_open(const struct al_inference *inference, const char *id, struct al_err *err)
{
  if (atomic_load(&inference->draining))
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "the server is shutting down"), "shutting_down");
  return al_inference_check_quarantine(inference, id, err);
}

static const char *kind_of(enum al_model_type type)
{
  static const char *const kinds[AL_TYPE_COUNT] = {
    [AL_TYPE_LLM] = "a language model",     [AL_TYPE_EMBEDDING] = "an embedding model",
    [AL_TYPE_STT] = "a speech recogniser",  [AL_TYPE_TTS] = "a model that speaks",
    [AL_TYPE_IMAGE] = "a model that draws", [AL_TYPE_VISION] = "a language model that sees",
    [AL_TYPE_ADAPTER] = "an adapter",
  };
  return (unsigned)type < AL_COUNT(kinds) ? kinds[type] : "a model of another kind";
}

static enum al_code name_model(enum al_code code, struct al_err *err)
{
  if (err != nullptr && err->param[0] == '\0')
    (void)snprintf(err->param, sizeof err->param, "model");
  return code;
}

enum al_code al_inference_wrong_kind(const struct al_model_descriptor *descriptor, const char *what, struct al_err *err)
{
  return name_model(
      al_fail(err, AL_UNSUPPORTED, "'%s' is %s, not one that %s", descriptor->id, kind_of(descriptor->type), what),
      err);
}

/* A model in memory is what it is, whatever lies on disk by now. `needed`: any of these capabilities. */
static enum al_code check_can(struct al_inference *inference, const char *id, unsigned needed, const char *what,
                              struct al_err *err)
{
  enum al_code code = check_open(inference, id, err);
  if (code != AL_OK)
    return code == AL_UNSUPPORTED ? name_model(code, err) : code;
  struct al_pool_status status;
  al_pool_status(inference->pool, id, &status);
  if (status.state == AL_MODEL_READY)
    return AL_OK;
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *descriptor = nullptr;
  AL_TRY(al_store_find(inference->options.store, id, &descriptor, err));
  if (al_inference_check_type(descriptor, err) != AL_OK)
    return name_model(AL_UNSUPPORTED, err);
  if (descriptor->problem.code != AL_OK) {
    if (err != nullptr)
      *err = descriptor->problem;
    return descriptor->problem.code;
  }
  if ((descriptor->capabilities & needed) != 0)
    return AL_OK;
  return al_inference_wrong_kind(descriptor, what, err);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

enum al_code al_inference_text(struct al_inference *inference, const struct al_text_request *request,
                               struct al_err *err)
{
  bool is_chat = request->chat != nullptr;
  AL_TRY(check_can(inference, request->model, is_chat ? AL_CAN_CHAT : AL_CAN_COMPLETE,
                   is_chat ? "chats" : "continues text", err));
  return al_text_manager_submit(inference->text, request, err);
}

enum al_code al_inference_embed(struct al_inference *inference, const struct al_embed_request *request,
                                struct al_err *err)
{
  bool ranks = request->query.data != nullptr;
  AL_TRY(check_can(inference, request->model, ranks ? AL_CAN_RERANK : AL_CAN_EMBED,
                   ranks ? "ranks documents" : "makes embeddings", err));
  return al_text_manager_embed(inference->text, request, err);
}

enum al_code al_inference_tokens(struct al_inference *inference, const struct al_token_request *request,
                                 struct al_err *err)
{
  unsigned any = AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_RERANK;
  AL_TRY(check_can(inference, request->model, any, "works on text", err));
  return al_text_manager_tokens(inference->text, request, err);
}

enum al_code al_inference_transcribe(struct al_inference *inference, const struct al_transcription_request *request,
                                     struct al_err *err)
{
  AL_TRY(check_can(inference, request->model, AL_CAN_TRANSCRIBE, "transcribes speech", err));
  return al_transcribe_submit(inference->audio, request, err);
}

enum al_code al_inference_speak(struct al_inference *inference, const struct al_speech_request *request,
                                struct al_err *err)
{
  AL_TRY(check_can(inference, request->model, AL_CAN_SPEAK, "speaks", err));
  return al_speak_submit(inference->audio, request, err);
}

enum al_code al_inference_voices(struct al_inference *inference, const struct al_voices_request *request,
                                 struct al_err *err)
{
  AL_TRY(check_can(inference, request->model, AL_CAN_SPEAK, "speaks", err));
  return al_voices_submit(inference->audio, request, err);
}

enum al_code al_inference_draw(struct al_inference *inference, const struct al_image_request *request,
                               struct al_err *err)
{
  AL_TRY(check_can(inference, request->model, AL_CAN_DRAW, "draws", err));
  return al_draw_submit(inference->image, request, err);
}

enum al_code al_inference_load(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                               struct al_err *err)
{
  AL_TRY(check_open(inference, id, err));
  return al_pool_load(inference->pool, id, done, user, err);
}

enum al_code al_inference_unload(struct al_inference *inference, const char *id, al_model_done_fn *done, void *user,
                                 struct al_err *err)
{
  return al_pool_unload(inference->pool, id, done, user, err);
}
