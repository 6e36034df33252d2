/* A streamed answer that is made faster than its client reads it: what the connection has no room for waits in a file
 * without a name (spool.h) and follows as there is room. One slow client so keeps neither the model nor memory.
 *
 * Freed with the exchange. The producer is one thread at a time; the rest follows on the loop's thread. */
#ifndef AL_API_OUTFLOW_H
#define AL_API_OUTFLOW_H

#include "api/context.h"

struct al_api_outflow;

/* Before the answer has begun. The exchange owns it. */
enum al_code al_api_outflow_new(struct al_http_exchange *exchange, const struct al_api *api,
                                struct al_api_outflow **outflow, struct al_err *err);
/* After al_http_begin. false: the client is gone, or the disk is full (its cancel token has fired then as well). */
bool al_api_outflow_send(struct al_api_outflow *outflow, struct al_str bytes);
/* The producer's last word: the answer ends once all has been sent. */
void al_api_outflow_end(struct al_api_outflow *outflow);
/* Or: the connection breaks where it is. */
void al_api_outflow_break(struct al_api_outflow *outflow);

#endif
