/* A small blocking HTTP/1.1 client for the command line: one request a client, over TCP or a Unix socket.
 *
 * One thread uses a client. Whatever can block takes a deadline and looks at the cancel descriptor, which a signal
 * handler can make readable (an eventfd or a pipe). */
#ifndef AL_NET_CLIENT_H
#define AL_NET_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_http_client;

struct al_http_client_options {
  const char *url; /* "http://127.0.0.1:8080", "http://[::1]:8080", "unix:/run/allm.sock"; a path after it is ignored */
  int64_t deadline_ns; /* for the connection; 0: ten seconds */
  int cancel_fd;       /* borrowed; readable means AL_CANCELLED; below 1: none */
};

/* Connects. AL_NOT_FOUND with reason "no_server" when nobody listens there, AL_UNSUPPORTED for https. */
enum al_code al_http_client_open(const struct al_http_client_options *options, struct al_http_client **client,
                                 struct al_err *err);
void al_http_client_close(struct al_http_client *client); /* accepts nullptr; the server sees that we have gone */
AL_DEFINE_CLEANUP(struct al_http_client, al_http_client_close)

struct al_http_client_header {
  const char *name, *value;
};

/* The middle of a body that is too large for memory: it stands between the request's `body` and `tail`. */
struct al_http_client_upload {
  int fd;              /* read from its beginning, whatever its offset; borrowed */
  uint64_t size_bytes; /* a file that has become shorter meanwhile is AL_INVALID_REQUEST */
  struct al_str tail;
  int64_t stall_ms; /* the longest time that the server takes for a piece of 128 KB; 0: a minute */
  void (*on_sent)(void *user, uint64_t sent_bytes); /* of the file so far; may be nullptr */
  void *user;
};

struct al_http_client_request {
  const char *method; /* "GET" */
  const char *path;   /* "/v1/models", percent-encoded by the caller; may have a query */
  const struct al_http_client_header *headers;
  size_t n_headers;
  const char *content_type; /* nullptr: no body */
  struct al_str body;
  const struct al_http_client_upload *upload; /* nullptr: the body is all */
  int64_t deadline_ns;                        /* until the answer's head has come; 0: none */
};

/* Sends, and reads the answer's status and headers. Any status is AL_OK; interim answers (100) are skipped. An answer
 * that comes while an upload is still being sent ends the sending. */
enum al_code al_http_client_send(struct al_http_client *client, const struct al_http_client_request *request,
                                 int *status, struct al_err *err);
/* Of the answer, any case; data nullptr when absent. Borrowed until close. */
struct al_str al_http_client_header(const struct al_http_client *client, const char *name);

/* A piece of the body as soon as it comes; false stops. */
typedef bool al_http_client_sink(void *context, struct al_str bytes);
/* Until the body's end (AL_OK), or until the sink stops (AL_CANCELLED). idle_ms: the longest wait for the next piece;
 * 0: none. A connection that ends too early is AL_INTERNAL with reason "connection_lost". */
enum al_code al_http_client_read(struct al_http_client *client, al_http_client_sink *sink, void *context,
                                 int64_t idle_ms, struct al_err *err);
/* All of it, appended; the buffer's cap bounds it. */
enum al_code al_http_client_read_all(struct al_http_client *client, struct al_buf *out, int64_t idle_ms,
                                     struct al_err *err);

#endif
