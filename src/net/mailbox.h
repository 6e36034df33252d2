/* How other threads reach a loop: a list of exchanges that have something to send, and one wake-up.
 *
 * It outlives its loop: exchanges hold a reference, so that a producer may speak to a server that has stopped. */
#ifndef AL_NET_MAILBOX_H
#define AL_NET_MAILBOX_H

#include "base/err.h"

#include <uv.h>

struct al_http_exchange;
struct al_net_mailbox;

struct al_net_mailbox *al_net_mailbox_new(void); /* one reference, or nullptr */
struct al_net_mailbox *al_net_mailbox_ref(struct al_net_mailbox *mailbox);
void al_net_mailbox_unref(struct al_net_mailbox *mailbox); /* accepts nullptr */

/* `wake` is borrowed until close; posts before open are kept. */
void al_net_mailbox_open(struct al_net_mailbox *mailbox, uv_async_t *wake);
void al_net_mailbox_close(struct al_net_mailbox *mailbox); /* later posts are refused */

/* Moves one hold on the exchange in and wakes the loop. false when closed: the hold stays the caller's. */
[[nodiscard]] bool al_net_mailbox_post(struct al_net_mailbox *mailbox, struct al_http_exchange *exchange);
/* Takes all that was posted, linked by al_http_exchange.next_ready, first posted first. */
struct al_http_exchange *al_net_mailbox_take(struct al_net_mailbox *mailbox);

/* Read by whoever writes an answer's head: a server that is stopping says "Connection: close". */
void al_net_mailbox_set_draining(struct al_net_mailbox *mailbox);
bool al_net_mailbox_draining(const struct al_net_mailbox *mailbox);

#endif
