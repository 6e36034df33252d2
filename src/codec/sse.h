/* Server-sent events (WHATWG HTML, 9.2.6), from bytes in any pieces to events. */
#ifndef AL_CODEC_SSE_H
#define AL_CODEC_SSE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* event: "message" when the stream names none. data: its lines joined by '\n'. Both borrowed for the call.
 * false stops the feeding. */
typedef bool al_sse_handler(void *context, struct al_str event, struct al_str data);

struct al_sse { /* private but for its memory: init, feed, done */
  struct al_buf line, event, data;
  bool after_cr, has_data, begun;
};

/* max_event_bytes bounds a line and an event's data. */
void al_sse_init(struct al_sse *sse, size_t max_event_bytes);
void al_sse_done(struct al_sse *sse);

/* AL_CANCELLED when the handler stopped; AL_OOM_RAM past the bound. What follows the last empty line is no event. */
enum al_code al_sse_feed(struct al_sse *sse, struct al_str bytes, al_sse_handler *handler, void *context,
                         struct al_err *err);

#endif
