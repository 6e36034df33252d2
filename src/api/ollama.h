/* Ollama's API: what its endpoints share. Answers are lines of JSON, errors are {"error": "message"}. Private to
 * src/api. */
#ifndef AL_API_OLLAMA_H
#define AL_API_OLLAMA_H

#include "api/generation.h"
#include "api/job.h"

extern const struct al_api_outlet al_api_outlet_ollama;

void al_api_ollama_reply_err(struct al_http_exchange *exchange, const struct al_err *err);

/* Ollama's clients say "name:latest" where no tag is meant. */
struct al_str al_api_ollama_name(struct al_str name);
al_api_param_fn al_api_ollama_read_model; /* const char *; the target begins with its arena pointer */

/* Writes "key": "2026-11-20T18:00:00.123456Z", the time in UTC. */
void al_api_ollama_write_time(struct al_json_writer *w, const char *key, int64_t unix_ms);

/* What chat and generate have in common; the target begins with struct al_api_ollama_request. */
struct al_api_ollama_request {
  struct al_api_text_params text; /* first */
  struct al_json_doc *kwargs;     /* owned: variables of the template; nullptr: none */
  int64_t n_ctx;                  /* options.num_ctx; 0: not given */
  bool unload_after;              /* keep_alive 0 */
};
extern const struct al_api_param_table al_api_ollama_table;
void al_api_ollama_request_init(struct al_api_ollama_request *request, struct al_arena *arena);
void al_api_ollama_request_done(struct al_api_ollama_request *request); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_api_ollama_request, al_api_ollama_request_done)

/* Messages in Ollama's form (tool arguments are objects; thinking, tool_name, images) into the open array. */
enum al_code al_api_ollama_messages_write(const struct al_json *messages, struct al_json_writer *w, struct al_err *err);

#endif
