#include "api/api.h"

#include "api/context.h"
#include "api/response_live.h"
#include "api/response_store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

/* Without a store the server runs all the same: what needs it is refused with the reason. */
static void open_store(struct al_api *api, const struct al_api_options *options)
{
  struct al_err err;
  (void)snprintf(api->responses_problem, sizeof api->responses_problem, "the server was told not to");
  if (options->data_directory == nullptr || options->data_directory[0] == '\0')
    return;
  struct al_response_store_options store = { .directory = options->data_directory,
                                             .max_age_s = options->responses_max_age_s,
                                             .max_bytes = options->responses_max_bytes };
  if (al_response_store_open(&store, &api->responses, &err) == AL_OK)
    return;
  al_log_err(AL_LOG_WARN, "responses_not_stored", &err);
  (void)snprintf(api->responses_problem, sizeof api->responses_problem, "%.250s", err.message);
}

enum al_code al_api_new(const struct al_api_options *options, struct al_api **api, struct al_err *err)
{
  struct al_api *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->inference = options->inference;
  made->store = options->store;
  made->key = al_key_digest_of(al_str(options->api_key));
  (void)snprintf(made->version, sizeof made->version, "%s",
                 options->version != nullptr ? options->version : AL_VERSION);
  (void)snprintf(made->fingerprint, sizeof made->fingerprint, "allm-%s", made->version);
  made->started_s = options->started_s > 0 ? options->started_s : al_wall_s();
  made->started_ns = al_now_ns();
  made->stats = options->stats;
  made->stats_user = options->stats_user;
  atomic_init(&made->draining, false);
  atomic_init(&made->closed, false);
  made->lives = al_api_lives_new();
  if (made->lives == nullptr) {
    al_free(made);
    return al_fail_oom(err, 1);
  }
  open_store(made, options);
  if (options->data_directory != nullptr)
    (void)snprintf(made->spool, sizeof made->spool, "%s", options->data_directory);
  *api = made;
  return AL_OK;
}

void al_api_free(struct al_api *api)
{
  if (api == nullptr)
    return;
  al_response_store_free(api->responses);
  al_api_lives_free(api->lives);
  al_free(api);
}

void al_api_set_draining(struct al_api *api)
{
  atomic_store(&api->draining, true);
}

void al_api_close(struct al_api *api)
{
  atomic_store(&api->closed, true);
  al_response_store_wait(api->responses);
}

void al_api_wait_background(struct al_api *api, int64_t deadline_ns)
{
  al_api_lives_wait(api->lives, deadline_ns);
}

constexpr size_t SMALL_BODY = (size_t)64 << 10;
constexpr size_t UPLOAD = (size_t)-1; /* the server's max_upload_bytes */

const struct al_http_route al_api_routes[] = {
  { AL_HTTP_POST, "/v1/chat/completions", al_api_chat, 0, nullptr },
  { AL_HTTP_POST, "/v1/responses", al_api_responses, 0, nullptr },
  { AL_HTTP_GET, "/v1/responses", al_api_responses_socket, 0, nullptr },
  { AL_HTTP_POST, "/v1/responses/input_tokens", al_api_responses_count, 0, nullptr },
  { AL_HTTP_POST, "/v1/responses/compact", al_api_responses_compact, 0, nullptr },
  { AL_HTTP_GET, "/v1/responses/{id}", al_api_responses_get, 0, nullptr },
  { AL_HTTP_DELETE, "/v1/responses/{id}", al_api_responses_delete, 0, nullptr },
  { AL_HTTP_GET, "/v1/responses/{id}/input_items", al_api_responses_items, 0, nullptr },
  { AL_HTTP_POST, "/v1/responses/{id}/cancel", al_api_responses_cancel, SMALL_BODY, nullptr },
  { AL_HTTP_POST, "/v1/completions", al_api_completions, 0, nullptr },
  { AL_HTTP_POST, "/v1/messages", al_api_anthropic_messages, 0, nullptr },
  { AL_HTTP_POST, "/v1/messages/count_tokens", al_api_anthropic_count, 0, nullptr },
  { AL_HTTP_POST, "/v1/embeddings", al_api_embeddings, 0, nullptr },
  { AL_HTTP_POST, "/v1/rerank", al_api_rerank, 0, nullptr },
  { AL_HTTP_POST, "/v1/audio/transcriptions", al_api_transcriptions, UPLOAD, &al_api_transcription_sink },
  { AL_HTTP_POST, "/v1/audio/translations", al_api_translations, UPLOAD, &al_api_translation_sink },
  { AL_HTTP_POST, "/v1/audio/speech", al_api_speech, 0, nullptr },
  { AL_HTTP_GET, "/v1/audio/voices", al_api_voices, 0, nullptr },
  { AL_HTTP_POST, "/tokenize", al_api_tokenize, 0, nullptr },
  { AL_HTTP_POST, "/detokenize", al_api_detokenize, 0, nullptr },
  { AL_HTTP_POST, "/apply-template", al_api_apply_template, 0, nullptr },
  { AL_HTTP_POST, "/api/chat", al_api_ollama_chat, 0, nullptr },
  { AL_HTTP_POST, "/api/generate", al_api_ollama_generate, 0, nullptr },
  { AL_HTTP_POST, "/api/embed", al_api_ollama_embed, 0, nullptr },
  { AL_HTTP_POST, "/api/show", al_api_ollama_show, SMALL_BODY, nullptr },
  { AL_HTTP_GET, "/api/tags", al_api_ollama_tags, 0, nullptr },
  { AL_HTTP_GET, "/api/ps", al_api_ollama_ps, 0, nullptr },
  { AL_HTTP_GET, "/api/version", al_api_ollama_version, 0, nullptr },
  { AL_HTTP_GET, "/v1/models", al_api_models_list, 0, nullptr },
  { AL_HTTP_GET, "/v1/models/{id...}", al_api_models_get, 0, nullptr },
  { AL_HTTP_GET, "/health", al_api_health_live, 0, nullptr },
  { AL_HTTP_GET, "/health/live", al_api_health_live, 0, nullptr },
  { AL_HTTP_GET, "/health/ready", al_api_health_ready, 0, nullptr },
  { AL_HTTP_GET, "/status", al_api_status, 0, nullptr },
  { AL_HTTP_GET, "/openapi.json", al_api_openapi, 0, nullptr },
  { AL_HTTP_POST, "/load", al_api_load, SMALL_BODY, nullptr },
  { AL_HTTP_POST, "/unload", al_api_unload, SMALL_BODY, nullptr },
};
const size_t al_api_n_routes = AL_COUNT(al_api_routes);

const struct al_http_middleware al_api_middleware[] = {
  { "log", nullptr, al_api_log_after },
  { "auth", al_api_auth_before, nullptr },
};
const size_t al_api_n_middleware = AL_COUNT(al_api_middleware);
