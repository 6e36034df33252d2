/* What the audio endpoints share; private to them. */
#ifndef AL_API_AUDIO_H
#define AL_API_AUDIO_H

#include "api/job.h"

/* Table readers. al_api_read_chars: const char *, copied into the arena that the target begins with; no NUL inside. */
al_api_param_fn al_api_read_chars;

/* Begins a stream of server-sent events. */
void al_api_audio_begin_events(struct al_http_exchange *exchange);
/* Sends {"type": type, <what was written>}: `open` gives the writer of the object, `close` sends it as one event.
 * false: nobody reads any more, or memory ran out. */
struct al_json_writer al_api_audio_open_event(struct al_buf *out, const char *type);
bool al_api_audio_close_event(struct al_http_exchange *exchange, struct al_json_writer *w);
/* The error as an event, and the end. */
void al_api_audio_break_events(struct al_http_exchange *exchange, const struct al_err *err);

/* What the client is told: a request that is cancelled although its client is there ends because the server does. */
struct al_err al_api_audio_err(const struct al_api *api, const struct al_err *err);
void al_api_audio_log(const struct al_api_job *job, const char *event, double seconds, const struct al_err *err);

#endif
