/* What the tests of net share: a server with routes for every case, and a client that speaks raw bytes. */
#ifndef AL_TESTS_NET_KIT_H
#define AL_TESTS_NET_KIT_H

#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/queue.h"
#include "net/http.h"

#include <stdatomic.h>
#include <sys/types.h>

struct kit {
  struct al_http_server *server;
  int port;
  struct al_queue *held; /* exchanges of /later and /stream-later, each with a reference */
  atomic_int n_before, n_after, last_after_status;
  atomic_int n_closed; /* WebSockets of /ws that have ended */
  atomic_bool sent_after_close, ignores_drain;
  atomic_int n_sinks, n_sink_frees, n_uploads;
  atomic_size_t n_sink_bytes;
  struct al_queue *afters; /* one entry (the status) for each answer that has ended */
};

struct kit_options {
  struct al_http_limits limits;
  int n_loops;      /* 0: one */
  const char *host; /* nullptr: 127.0.0.1 */
  const char *unix_path;
  const char *tls_certificate, *tls_key;
};

void kit_start(struct kit *kit, struct kit_options options);
void kit_stop(struct kit *kit);                     /* drains at once */
void kit_free(struct kit *kit);                     /* after the server has been stopped */
struct al_http_exchange *kit_held(struct kit *kit); /* waits for one */
int kit_after(struct kit *kit);                     /* waits for an answer's end; its status */
void kit_wait_sinks_freed(const struct kit *kit);   /* as many as have been made */
void kit_wait_cancelled(struct al_http_exchange *exchange);

/* The raw client. Everything fails the test after ten seconds. */
int wire_connect(const struct kit *kit);
int wire_connect_unix(const char *path);
void wire_send(int fd, const char *text);
void wire_send_bytes(int fd, const void *data, size_t size);
bool wire_try_send(int fd, const void *data, size_t size); /* false when the server has closed */
ssize_t wire_receive(int fd, void *data, size_t size);     /* recv, whatever signals come */
bool wire_at_end(int fd);                                  /* waits for the server to close; drops what it sends */
void wire_close(int fd);

struct answer {
  int status; /* 0: the connection ended before an answer */
  char head[4096];
  char body[65536];
  size_t body_size;
};
void wire_read_answer(int fd, struct answer *answer, bool to_head);
bool answer_has(const struct answer *answer, const char *header_line);
/* Sends on a fresh connection, reads one answer, closes. */
void wire_ask(const struct kit *kit, const char *request, struct answer *answer);
void wire_assert_alive(const struct kit *kit);

#endif
