/* What every endpoint needs; private to src/api. Read-only after al_api_new but for `draining` and `closed`. */
#ifndef AL_API_CONTEXT_H
#define AL_API_CONTEXT_H

#include "api/api.h"
#include "security/key.h"

#include <stdatomic.h>

struct al_response_store;
struct al_api_lives;

struct al_api {
  struct al_inference *inference; /* borrowed */
  struct al_store *store;         /* borrowed */
  struct al_key_digest key;
  char version[32];
  char fingerprint[48]; /* "allm-0.1.0": system_fingerprint of chat answers */
  int64_t started_s;
  int64_t started_ns;
  void (*stats)(void *user, struct al_http_stats *stats);
  void *stats_user;
  atomic_bool draining;
  atomic_bool closed;
  struct al_response_store *responses; /* owned; nullptr: none are stored, and why: */
  char responses_problem[256];
  char spool[4096];           /* the directory for what is too large for memory; "": the system's */
  struct al_api_lives *lives; /* owned: responses in the background */
};

/* Endpoints, one file a family. */
al_http_handler al_api_chat;
al_http_handler al_api_completions;
al_http_handler al_api_anthropic_messages;
al_http_handler al_api_anthropic_count;
al_http_handler al_api_responses;
al_http_handler al_api_responses_socket;
al_http_handler al_api_responses_get;
al_http_handler al_api_responses_delete;
al_http_handler al_api_responses_items;
al_http_handler al_api_responses_cancel;
al_http_handler al_api_responses_count;
al_http_handler al_api_responses_compact;
al_http_handler al_api_embeddings;
al_http_handler al_api_rerank;
al_http_handler al_api_transcriptions;
al_http_handler al_api_translations;
al_http_handler al_api_speech;
al_http_handler al_api_voices;
al_http_handler al_api_tokenize;
al_http_handler al_api_detokenize;
al_http_handler al_api_apply_template;
al_http_handler al_api_ollama_chat;
al_http_handler al_api_ollama_generate;
al_http_handler al_api_ollama_embed;
al_http_handler al_api_ollama_show;
al_http_handler al_api_ollama_tags;
al_http_handler al_api_ollama_ps;
al_http_handler al_api_ollama_version;
al_http_handler al_api_models_list;
al_http_handler al_api_models_get;
al_http_handler al_api_health_live;
al_http_handler al_api_health_ready;
al_http_handler al_api_status;
al_http_handler al_api_openapi;
al_http_handler al_api_load;
al_http_handler al_api_unload;

/* How the bodies of uploads come in. */
extern const struct al_http_body_sink al_api_transcription_sink;
extern const struct al_http_body_sink al_api_translation_sink;

/* Middleware. */
bool al_api_auth_before(struct al_http_exchange *exchange, void *app);
void al_api_log_after(struct al_http_exchange *exchange, int status, void *app);

#endif
