/* A request that waits for one answer from the inference engine: what the callback needs, in one arena. An endpoint's
 * own struct begins with struct al_api_job and has `size` bytes, zeroed.
 *
 * Owner: the handler until the engine has taken the request, then its callback, which frees it. */
#ifndef AL_API_JOB_H
#define AL_API_JOB_H

#include "api/context.h"
#include "api/params.h"
#include "inference/inference.h"

struct al_api_job {
  struct al_arena *arena;            /* owned, holds this struct as well; first: al_api_read_model finds it there */
  const char *model;                 /* nullptr while absent */
  struct al_http_exchange *exchange; /* a reference */
};

/* cap_bytes bounds the arena. */
enum al_code al_api_job_new(struct al_http_exchange *exchange, size_t size, size_t cap_bytes, struct al_api_job **job,
                            struct al_err *err);
void al_api_job_free(struct al_api_job *job); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_api_job, al_api_job_free)

/* The only model that is loaded, copied into the arena; missing_required_parameter when none or several are. */
enum al_code al_api_job_only_model(struct al_api_job *job, const struct al_api *api, struct al_err *err);

/* Answers with the text, or with the failure to write it. */
void al_api_job_reply(struct al_api_job *job, const struct al_buf *text);

/* An array of token ids at `path`, copied into the arena. */
enum al_code al_api_read_tokens(struct al_arena *arena, const struct al_json *array, const char *path,
                                struct al_token_span *tokens, struct al_err *err);

#endif
