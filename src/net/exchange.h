/* One request and its answer, inside net.
 *
 * Two counts: users (handlers and producers; the last one gone without an answer means 500) and holds on the memory
 * (the users together have one, the connection one, each entry in a mailbox one). The request is written by the loop
 * before the handler sees it and never after. The answer is guarded by `lock`, which is a leaf but for the mailbox. */
#ifndef AL_NET_EXCHANGE_H
#define AL_NET_EXCHANGE_H

#include "base/thread.h"
#include "net/http.h"
#include "net/mailbox.h"
#include "net/router.h"

#include <stdatomic.h>

constexpr size_t AL_NET_MAX_QUERY = 64;

struct al_net_span { /* bytes in al_http_exchange.text, which moves while it grows */
  uint32_t at, size;
};

struct al_net_field { /* a header or a query parameter */
  struct al_net_span name, value;
};

enum al_net_admission { AL_NET_NOT_ASKED, AL_NET_ADMITTED, AL_NET_REFUSED };

enum al_net_answer { AL_NET_NO_ANSWER, AL_NET_STREAMING, AL_NET_ANSWERED };

struct al_net_websocket;

struct al_http_exchange {
  atomic_int n_users;
  atomic_int n_holds;
  struct al_net_mailbox *mailbox;       /* a reference */
  struct al_cancel *cancel;             /* a reference */
  struct al_net_connection *connection; /* loop thread only; nullptr once the connection has let go */
  struct al_http_exchange *next_ready;  /* the mailbox's */

  /* the request */
  struct al_buf text; /* target, headers, decoded path and query */
  struct al_net_span target, path;
  struct al_net_field *headers;
  size_t n_headers, cap_headers;
  struct al_net_field *query;
  size_t n_query, cap_query;
  struct al_buf body;         /* empty when a sink takes it */
  void *sink;                 /* made by the route's sink, or nullptr */
  enum al_http_method method; /* AL_HTTP_METHOD_COUNT: one that no route can have */
  struct al_net_match match;
  bool http_1_0, keep_alive;
  int64_t started_ns;
  char peer[48];
  char id[32];
  size_t n_before;                 /* middlewares whose `before` has run; loop thread only, as is */
  enum al_net_admission admission; /* what they said */

  struct al_net_websocket *websocket; /* what the answer has become, or nullptr; loop thread only */
  atomic_bool spoke;                  /* a message has gone out since the loop last looked */

  /* the answer */
  struct al_mutex lock;
  enum al_net_answer answer;
  int status;
  struct al_buf extra; /* header lines of al_http_add_header */
  struct al_buf out;   /* framed bytes that the loop has not taken yet */
  size_t n_in_flight;  /* taken by the loop, not yet by the client's kernel */
  size_t max_queued_bytes;
  const struct al_http_pump *pump_ops; /* nullptr: none */
  void *pump;
  bool chunked;
  bool gone;           /* the connection is lost or was given up: nothing can be sent */
  bool broken;         /* the answer ends before its end: the connection must close without the last chunk */
  bool loop_will_look; /* the loop is woken already, or busy with this exchange and looks afterwards */
  bool posted;         /* stands in the mailbox */
};

/* nullptr when memory runs out. One user and the connection's hold; loop_will_look is set. */
struct al_http_exchange *al_net_exchange_new(struct al_net_mailbox *mailbox, const struct al_http_limits *limits);
void al_net_exchange_hold(struct al_http_exchange *exchange);
void al_net_exchange_release(struct al_http_exchange *exchange);

static inline struct al_str al_net_text(const struct al_http_exchange *exchange, struct al_net_span span)
{
  return al_str_n(exchange->text.data != nullptr ? exchange->text.data + span.at : "", span.size);
}

/* What is wrong with a request, as it is answered. Static texts. */
struct al_net_fault {
  int status; /* 0: nothing */
  const char *code;
  const char *message;
};

/* Rules beyond the parser's on a complete head: Host, target, transfer coding, expectation. */
struct al_net_fault al_net_request_check(struct al_http_exchange *exchange);
/* Counts the headers called `name`. */
size_t al_net_request_count(const struct al_http_exchange *exchange, const char *name);

/* Answers 101: what is sent from now on goes to the wire as it is. */
void al_net_response_upgrade(struct al_http_exchange *exchange, const char *accept);
/* al_http_send of two pieces in one write. */
bool al_net_response_send(struct al_http_exchange *exchange, struct al_str head, struct al_str bytes);

/* Bytes for the wire, taken by the loop. */
struct al_net_output {
  bool ended;  /* nothing follows */
  bool broken; /* close after it */
  bool gone;   /* close at once */
};
/* Called when the exchange has been taken from the mailbox; true when its connection must close at once. */
bool al_net_response_unposted(struct al_http_exchange *exchange);
/* Swaps the queued bytes with *spare (empty, its memory is reused) and lets producers wake the loop again. */
struct al_net_output al_net_response_take(struct al_http_exchange *exchange, struct al_buf *spare);
void al_net_response_sent(struct al_http_exchange *exchange);  /* what was taken has left */
bool al_net_response_ended(struct al_http_exchange *exchange); /* nobody will add to it */
/* The client is gone or too slow: drops the queue and fires the cancel token. Returns the answer's state before. */
enum al_net_answer al_net_response_drop(struct al_http_exchange *exchange);

#endif
