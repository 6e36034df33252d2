/* TLS for a connection, between bytes from the wire and bytes for the parser, without touching a socket.
 * Loop thread only. OpenSSL wakes up with the first context. */
#ifndef AL_NET_TLS_H
#define AL_NET_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct al_net_tls_context;
struct al_net_tls;

/* PEM files; TLS 1.2 and later. AL_INVALID_REQUEST says which file and why. */
enum al_code al_net_tls_context_new(const char *certificate, const char *key, struct al_net_tls_context **context,
                                    struct al_err *err);
void al_net_tls_context_free(struct al_net_tls_context *context); /* accepts nullptr */

struct al_net_tls *al_net_tls_new(struct al_net_tls_context *context); /* nullptr when memory runs out */
void al_net_tls_free(struct al_net_tls *tls);                          /* accepts nullptr */

enum al_net_tls_result { AL_NET_TLS_DATA, AL_NET_TLS_WANT, AL_NET_TLS_CLOSED, AL_NET_TLS_BROKEN };

/* Bytes from the wire; false when memory runs out. */
bool al_net_tls_feed(struct al_net_tls *tls, struct al_str wire);
/* Plain bytes into data (*size is its room, then what came). The handshake runs here too. */
enum al_net_tls_result al_net_tls_read(struct al_net_tls *tls, char *data, size_t *size);
/* Encrypts; only after the handshake, which is before any request. */
bool al_net_tls_write(struct al_net_tls *tls, struct al_str plain);
void al_net_tls_shut(struct al_net_tls *tls); /* queues close_notify */
/* Appends what has to go to the wire. */
void al_net_tls_take(struct al_net_tls *tls, struct al_buf *wire);

#endif
