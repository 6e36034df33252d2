/* Responses that run in the background: what is known of them while they run, for whoever asks, and their events, for
 * whoever reads along. Each is shared by reference between the registry, its generation and those who look at it.
 *
 * Thread-safe. A live response's lock is held while its readers are sent to: it stands above an exchange's lock and
 * below everything else. */
#ifndef AL_API_RESPONSE_LIVE_H
#define AL_API_RESPONSE_LIVE_H

#include "base/cancel.h"
#include "net/http.h"

struct al_api_live;
struct al_api_lives; /* the registry */

struct al_api_lives *al_api_lives_new(void);        /* nullptr when memory runs out */
void al_api_lives_free(struct al_api_lives *lives); /* after all have finished; accepts nullptr */
/* Returns when none runs any more, or at the deadline. */
void al_api_lives_wait(struct al_api_lives *lives, int64_t deadline_ns);

/* Registers one and gives two references, the caller's and the registry's. `streams`: its events are kept. AL_OOM_RAM
 * with the reason "overloaded" when too many run. */
enum al_code al_api_live_new(struct al_api_lives *lives, const char *id, struct al_cancel *cancel, bool streams,
                             struct al_api_live **live, struct al_err *err);
struct al_api_live *al_api_live_find(struct al_api_lives *lives, struct al_str id); /* a reference, or nullptr */
struct al_api_live *al_api_live_ref(struct al_api_live *live);
void al_api_live_unref(struct al_api_live *live); /* accepts nullptr */

/* What it reads as from now on; and what it reads as once it has been cancelled. Copied. */
void al_api_live_set(struct al_api_live *live, struct al_str object, struct al_str cancelled_object);
/* One event, for all who read along. */
void al_api_live_append(struct al_api_live *live, struct al_str event);
/* The end: `object` is the last word, readers get the end of their stream, the registry lets go. */
void al_api_live_finish(struct al_api_live *live, struct al_str object);
/* All events so far; no one may append meanwhile: for its generation alone. */
struct al_str al_api_live_events(const struct al_api_live *live);

void al_api_live_cancel(struct al_api_live *live); /* it reads as cancelled at once */
bool al_api_live_is_cancelled(struct al_api_live *live);
void al_api_live_delete(struct al_api_live *live); /* cancelled, and not to be stored */
bool al_api_live_is_deleted(struct al_api_live *live);

void al_api_live_reply(struct al_api_live *live, struct al_http_exchange *exchange); /* with the object */
/* Streams the events after number `after` (-1: all), and those to come. */
enum al_code al_api_live_stream(struct al_api_live *live, struct al_http_exchange *exchange, int64_t after,
                                struct al_err *err);
/* What follows event number `after` in the text of a stream. */
struct al_str al_api_events_after(struct al_str events, int64_t after);

#endif
