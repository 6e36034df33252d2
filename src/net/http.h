/* The HTTP/1.1 server: several libuv loops, routes in one table, a middleware chain, streamed answers.
 *
 * An exchange is one request and its answer. The handler runs on the connection's loop thread and must not block. The
 * answer may come at once, or later from ANY thread through a reference: reply, begin, send and end are thread-safe. A
 * client that goes away fires the exchange's cancel token. */
#ifndef AL_NET_HTTP_H
#define AL_NET_HTTP_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_http_server;
struct al_http_exchange;

enum al_http_method {
  AL_HTTP_GET,
  AL_HTTP_HEAD,
  AL_HTTP_POST,
  AL_HTTP_PUT,
  AL_HTTP_PATCH,
  AL_HTTP_DELETE,
  AL_HTTP_OPTIONS,
  AL_HTTP_METHOD_COUNT
};

/* `app` is al_http_server_options.app. */
typedef void al_http_handler(struct al_http_exchange *exchange, void *app);

/* Takes a body as it comes instead of keeping it: for what is too large for memory. All on the loop's thread, which
 * serves nobody else meanwhile. The handler runs at the body's end; when the client leaves before it, never. */
struct al_http_body_sink {
  /* After the middleware, as soon as the headers are in: a refusal comes before the body (and before the word that a
   * client with Expect: 100-continue waits for). nullptr: it has answered. */
  void *(*begin)(struct al_http_exchange *exchange, void *app);
  bool (*data)(void *sink, struct al_str bytes); /* false: it has answered; what is still to come is not read */
  void (*free)(void *sink);                      /* with the exchange, on whichever thread that ends; once */
};

struct al_http_route {
  enum al_http_method method;
  /* "/v1/models/{id...}": {name} matches one segment, {name...} the rest of the path with its slashes. HEAD is answered
   * by GET. */
  const char *path;
  al_http_handler *handler;
  size_t max_body_bytes;                /* 0: the server's default; (size_t)-1: the server's max_upload_bytes */
  const struct al_http_body_sink *sink; /* nullptr: the body is kept for al_http_body */
};

/* before: runs in order ahead of the handler, as soon as the headers are in: a request with a body is asked about
 * before its body is read (al_http_body is still empty), so that strangers cannot make us hold it. false means it has
 * answered; when a body was still to come, the connection closes after that. after: when the answer has ended, in
 * reverse order, with the status sent (499 when the client left before it). Either may be nullptr. Both run on the
 * loop's thread. */
struct al_http_middleware {
  const char *name;
  bool (*before)(struct al_http_exchange *exchange, void *app);
  void (*after)(struct al_http_exchange *exchange, int status, void *app);
};

struct al_http_limits {      /* 0 takes the default in brackets */
  int max_connections;       /* [10000] more are refused with 503 and closed */
  size_t max_header_bytes;   /* [32 KB] all of request line and headers */
  int max_headers;           /* [100] */
  size_t max_url_bytes;      /* [8 KB] */
  size_t max_body_bytes;     /* [16 MB] Content-Length and chunked alike */
  size_t max_upload_bytes;   /* [1 GB] of a body that a sink takes */
  int64_t header_timeout_ms; /* [10 s] from the first byte (or accept) to the end of the headers */
  int64_t body_timeout_ms;   /* [30 s] without any progress of the body, and */
  size_t min_body_rate;      /* [512] bytes a second on average after that */
  int64_t idle_timeout_ms;   /* [75 s] keep-alive without a request */
  size_t max_queued_bytes;   /* [1 MB] of an answer waiting for a slow client: past it, producers are told */
  int64_t write_timeout_ms;  /* [30 s] without the client taking a byte: cancelled and closed */
  int64_t ping_interval_ms;  /* [30 s] a silent WebSocket is pinged; silent once more, it is closed */
  int64_t websocket_idle_ms; /* [1 h] a WebSocket without a message is closed */
};

struct al_http_server_options {
  const int *listen_fds; /* listening sockets, made by al_http_listen or inherited; the server closes its copies */
  size_t n_listen_fds;
  int n_loops;                        /* 0: min(cores, 4) */
  const struct al_http_route *routes; /* borrowed, static */
  size_t n_routes;
  const struct al_http_middleware *middleware; /* borrowed, static */
  size_t n_middleware;
  void *app;
  struct al_http_limits limits;
  const char *tls_certificate; /* PEM files; both or none */
  const char *tls_key;
};

/* A listening socket: "127.0.0.1", "::1", "0.0.0.0", a host name; port 0: the system picks. Sets *bound_port.
 * Errors say which address and why (in use, not permitted). Close-on-exec. */
enum al_code al_http_listen(const char *host, int port, int *fd, int *bound_port, struct al_err *err);
enum al_code al_http_listen_unix(const char *path, int *fd, struct al_err *err); /* replaces a stale socket file */

enum al_code al_http_server_start(const struct al_http_server_options *options, struct al_http_server **server,
                                  struct al_err *err);
/* Stops accepting, closes idle connections (a new one may still bring its first request, for a second), lets running
 * exchanges end until the deadline, then fires their cancel tokens; returns when all loops have ended. */
void al_http_server_stop(struct al_http_server *server, int64_t deadline_ns);
void al_http_server_free(struct al_http_server *server); /* after stop; accepts nullptr */

struct al_http_stats {
  uint64_t n_connections, n_connections_total, n_requests_total, n_active_exchanges, n_sent_bytes, n_bad_requests;
};
void al_http_server_stats(struct al_http_server *server, struct al_http_stats *stats);

/* --- the request: valid while a reference is held, read from any thread ----------------------------------------- */
enum al_http_method al_http_method(const struct al_http_exchange *exchange);
const char *al_http_method_name(enum al_http_method method);
struct al_str al_http_path(const struct al_http_exchange *exchange);                    /* percent-decoded */
struct al_str al_http_param(const struct al_http_exchange *exchange, const char *name); /* of the route's {name} */
struct al_str al_http_query(const struct al_http_exchange *exchange,
                            const char *name); /* decoded; data nullptr: absent */
struct al_str al_http_header(const struct al_http_exchange *exchange,
                             const char *name); /* any case; data nullptr: absent */
struct al_str al_http_body(const struct al_http_exchange *exchange);
void *al_http_sink(const struct al_http_exchange *exchange); /* what the route's sink made; nullptr: it has none */
const char *al_http_peer(const struct al_http_exchange *exchange);                  /* "127.0.0.1", "unix" */
const char *al_http_request_id(const struct al_http_exchange *exchange);            /* also sent as x-request-id */
const struct al_http_route *al_http_route(const struct al_http_exchange *exchange); /* nullptr: none matched */
struct al_cancel *al_http_cancel(const struct al_http_exchange *exchange);          /* borrowed */
int64_t al_http_started_ns(const struct al_http_exchange *exchange);

struct al_http_exchange *al_http_ref(struct al_http_exchange *exchange);
/* Dropping the last reference without an answer sends 500. */
void al_http_unref(struct al_http_exchange *exchange);

/* --- the answer: thread-safe ------------------------------------------------------------------------------------ */

/* Adds a header to the answer; before reply or begin. Refuses CR, LF, NUL (asserts: it is our mistake). */
void al_http_add_header(struct al_http_exchange *exchange, const char *name, const char *value);

/* The whole answer. The body is copied. */
void al_http_reply(struct al_http_exchange *exchange, int status, const char *content_type, struct al_str body);
/* OpenAI's error object: {"error":{"message","type","param","code"}}; param and code may be nullptr. */
void al_http_reply_error(struct al_http_exchange *exchange, int status, const char *type, const char *code,
                         const char *param, const char *message);

/* A streamed answer (chunked; raw with HTTP/1.0): begin, any number of sends, end. Each send leaves in one write as
 * soon as the loop turns. false: the client is gone or too slow (its cancel token has fired): stop producing. */
void al_http_begin(struct al_http_exchange *exchange, int status, const char *content_type);
bool al_http_send(struct al_http_exchange *exchange, struct al_str bytes);
void al_http_end(struct al_http_exchange *exchange);

/* For an answer that is made faster than a client may read it: al_http_send gives up a client for which too much waits,
 * so its producer keeps what there is no room for, and sends it from `room`. */
struct al_http_pump {
  void (*room)(
      void *pump); /* on the loop's thread, whenever all that was sent has left, and when the client has gone */
  void (*free)(void *pump); /* with the exchange, on whichever thread that ends; once */
};
void al_http_set_pump(struct al_http_exchange *exchange, const struct al_http_pump *ops, void *pump); /* once */
/* Less than half of max_queued_bytes waits, or the client has gone: al_http_send tells. */
bool al_http_has_room(struct al_http_exchange *exchange);

#endif
