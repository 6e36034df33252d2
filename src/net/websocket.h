/* WebSockets (RFC 6455, version 13, no extensions) on the server's GET routes.
 *
 * A handler that accepts turns its exchange into one: the exchange then lasts as long as the connection does, its
 * cancel token fires when the client is gone, and instead of a body text messages go both ways. Pings, pongs,
 * fragments, limits and the closing handshake are done here. A client that reads too slowly is cut off as with streams.
 */
#ifndef AL_NET_WEBSOCKET_H
#define AL_NET_WEBSOCKET_H

#include "net/http.h"

enum al_websocket_code { /* RFC 6455, 7.4.1: what a server may say */
                         AL_WEBSOCKET_NORMAL = 1000,
                         AL_WEBSOCKET_GOING_AWAY = 1001,
                         AL_WEBSOCKET_PROTOCOL = 1002,
                         AL_WEBSOCKET_UNSUPPORTED = 1003,
                         AL_WEBSOCKET_POLICY = 1008,
                         AL_WEBSOCKET_TOO_BIG = 1009,
                         AL_WEBSOCKET_INTERNAL = 1011,
};

/* All run on the connection's loop thread and must not block. */
struct al_websocket_handler {
  void (*message)(struct al_http_exchange *exchange, struct al_str text, void *user); /* text: borrowed, valid UTF-8 */
  void (*draining)(struct al_http_exchange *exchange, void *user); /* the server stops: close as soon as may be */
  void (*closed)(struct al_http_exchange *exchange, void *user);   /* once, last: nothing can be sent any more */
};

/* In the handler of a GET route. false: it was no handshake that may be accepted, and has been answered (400, 403 for
 * another site's page, 426). `handler` is static, `user` lives until `closed`. A message may have as many bytes as the
 * route's body. */
bool al_websocket_accept(struct al_http_exchange *exchange, const struct al_websocket_handler *handler, void *user);

/* Any thread, with a reference. false: the client is gone, too slow, or closing has begun. `text` must be UTF-8. */
bool al_websocket_send(struct al_http_exchange *exchange, struct al_str text);
/* Any thread. What was sent before still arrives; later sends are dropped. reason: at most 120 bytes. */
void al_websocket_close(struct al_http_exchange *exchange, enum al_websocket_code code, const char *reason);

#endif
