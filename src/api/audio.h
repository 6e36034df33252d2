/* What the audio endpoints share; private to them. */
#ifndef AL_API_AUDIO_H
#define AL_API_AUDIO_H

#include "api/job.h"

/* Table readers. al_api_read_chars: const char *, copied into the arena that the target begins with; no NUL inside. */
al_api_param_fn al_api_read_chars;

/* Begins a stream of server-sent events. */
void al_api_audio_begin_events(struct al_http_exchange *exchange);
/* An event, {"type": type, <what the writer is given meanwhile>}, into the empty `out`. */
struct al_json_writer al_api_audio_open_event(struct al_buf *out, const char *type);
void al_api_audio_close_event(struct al_json_writer *w);
void al_api_audio_write_err(struct al_buf *out, const struct al_err *err); /* likewise, an error */

/* What the client is told: a request that is cancelled although its client is there ends because the server does. */
struct al_err al_api_audio_err(const struct al_api *api, const struct al_err *err);
void al_api_audio_log(const struct al_api_job *job, const char *event, double seconds, const struct al_err *err);

#endif
