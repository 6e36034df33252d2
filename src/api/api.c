#include "api/api.h"

#include "api/context.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <stdio.h>

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
  *api = made;
  return AL_OK;
}

void al_api_free(struct al_api *api)
{
  al_free(api);
}

void al_api_set_draining(struct al_api *api)
{
  atomic_store(&api->draining, true);
}

constexpr size_t SMALL_BODY = (size_t)64 << 10;

const struct al_http_route al_api_routes[] = {
  { AL_HTTP_POST, "/v1/chat/completions", al_api_chat, 0 },
  { AL_HTTP_POST, "/v1/responses", al_api_responses, 0 },
  { AL_HTTP_POST, "/v1/completions", al_api_completions, 0 },
  { AL_HTTP_POST, "/v1/embeddings", al_api_embeddings, 0 },
  { AL_HTTP_POST, "/v1/rerank", al_api_rerank, 0 },
  { AL_HTTP_POST, "/tokenize", al_api_tokenize, 0 },
  { AL_HTTP_POST, "/detokenize", al_api_detokenize, 0 },
  { AL_HTTP_POST, "/apply-template", al_api_apply_template, 0 },
  { AL_HTTP_POST, "/api/chat", al_api_ollama_chat, 0 },
  { AL_HTTP_POST, "/api/generate", al_api_ollama_generate, 0 },
  { AL_HTTP_POST, "/api/embed", al_api_ollama_embed, 0 },
  { AL_HTTP_POST, "/api/show", al_api_ollama_show, SMALL_BODY },
  { AL_HTTP_GET, "/api/tags", al_api_ollama_tags, 0 },
  { AL_HTTP_GET, "/api/ps", al_api_ollama_ps, 0 },
  { AL_HTTP_GET, "/api/version", al_api_ollama_version, 0 },
  { AL_HTTP_GET, "/v1/models", al_api_models_list, 0 },
  { AL_HTTP_GET, "/v1/models/{id...}", al_api_models_get, 0 },
  { AL_HTTP_GET, "/health", al_api_health_live, 0 },
  { AL_HTTP_GET, "/health/live", al_api_health_live, 0 },
  { AL_HTTP_GET, "/health/ready", al_api_health_ready, 0 },
  { AL_HTTP_GET, "/status", al_api_status, 0 },
  { AL_HTTP_POST, "/load", al_api_load, SMALL_BODY },
  { AL_HTTP_POST, "/unload", al_api_unload, SMALL_BODY },
};
const size_t al_api_n_routes = AL_COUNT(al_api_routes);

const struct al_http_middleware al_api_middleware[] = {
  { "log", nullptr, al_api_log_after },
  { "auth", al_api_auth_before, nullptr },
};
const size_t al_api_n_middleware = AL_COUNT(al_api_middleware);
