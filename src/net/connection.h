/* A client's connection: one request after another, on its loop's thread alone.
 *
 *   IDLE -> HEAD -> BODY -> RUNNING -> IDLE ...        any -> LINGER -> CLOSING (freed by the loop)
 * RUNNING lasts from the request's end until the last byte of its answer has gone to the kernel. Reading goes on
 * meanwhile: bytes are kept for later (up to a bound), and the end of the stream means that the client is gone. */
#ifndef AL_NET_CONNECTION_H
#define AL_NET_CONNECTION_H

#include "net/exchange.h"
#include "net/loop.h"

#include <llhttp.h>

enum al_net_connection_phase {
  AL_NET_CONN_IDLE,
  AL_NET_CONN_HEAD,
  AL_NET_CONN_BODY,
  AL_NET_CONN_RUNNING,
  AL_NET_CONN_LINGER, /* all is said; reads and forgets, so that the client can read our last words */
  AL_NET_CONN_CLOSING,
};

struct al_net_connection {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  struct al_net_loop *loop;
  struct al_net_connection *prev, *next;
  struct al_net_timed timed;
  enum al_net_connection_phase phase;
  struct al_net_tls *tls;            /* nullptr: plain */
  struct al_http_exchange *exchange; /* a hold; from the first byte of a request to the end of its answer */

  /* reading */
  llhttp_t parser;
  size_t n_head_bytes, n_body_bytes, n_body_wire_bytes, n_trailer_bytes;
  size_t max_body_bytes;
  uint64_t body_started_ms;
  struct al_net_fault fault; /* set by a callback of the parser that refuses */
  char fault_text[96];       /* its message, when that has figures */
  struct al_buf pending;     /* came while an exchange was running */
  bool in_header;            /* a header's name has begun and its value not ended */
  bool wants_continue;       /* Expect: 100-continue, not yet answered */
  bool skip_body;            /* the body is not wanted: answer now and close */
  bool abandoned_input;      /* the client may still be sending what nobody will read */
  bool reading;

  /* writing */
  uv_write_t write;
  struct al_buf out; /* being written, or spare memory */
  size_t n_unwritten_seen;
  bool writing;
  bool output_ended, output_broken; /* of what is being written */

  char peer[48];
};

/* A stream that has just been accepted into connection->uv. */
void al_net_connection_open(struct al_net_connection *connection);
/* Goes on with the next request after an answer has ended; call after flush unless input is being taken. */
void al_net_connection_resume(struct al_net_connection *connection);
/* Drops it now, whatever it does. */
void al_net_connection_close(struct al_net_connection *connection);
void al_net_connection_expired(struct al_net_timed *timed);

/* Reading: connection_read.c */
void al_net_connection_start_reading(struct al_net_connection *connection);
void al_net_connection_take_input(struct al_net_connection *connection, struct al_str bytes);
void al_net_connection_reset_parser(struct al_net_connection *connection);

/* Requests: connection.c. The head or the whole request is in; `fault` answers without asking anybody. */
bool al_net_connection_begin_request(struct al_net_connection *connection);
/* Asks the middleware, and the route's sink if it has one, ahead of the body; false: one of them has answered. */
bool al_net_connection_admit_body(struct al_net_connection *connection);
/* A piece for the route's sink; false: it has answered. */
bool al_net_connection_sink_body(struct al_net_connection *connection, struct al_str bytes);
void al_net_connection_dispatch(struct al_net_connection *connection);
void al_net_connection_refuse(struct al_net_connection *connection, struct al_net_fault fault);

/* WebSockets: websocket.c. The exchange of a RUNNING connection has one. */
void al_net_websocket_input(struct al_net_connection *connection, struct al_str bytes);
void al_net_websocket_quiet(struct al_net_connection *connection); /* nothing has come for a while */
/* These accept any exchange, and do nothing for one without; drain accepts nullptr. */
void al_net_websocket_drain(struct al_http_exchange *exchange);
void al_net_websocket_gone(struct al_http_exchange *exchange);
bool al_net_websocket_expects_more(const struct al_http_exchange *exchange); /* the client has not said Close */

/* Writing: connection_write.c */
void al_net_connection_flush(struct al_net_connection *connection);
/* Bytes that have been written and that the client's side has not taken, those in the kernel included. */
size_t al_net_connection_unwritten(const struct al_net_connection *connection);
void al_net_connection_say_continue(struct al_net_connection *connection);
void al_net_connection_send_tls(struct al_net_connection *connection); /* what the handshake has to say */
/* All that was queued has left. */
void al_net_connection_answered(struct al_net_connection *connection, bool close_now);

#endif
