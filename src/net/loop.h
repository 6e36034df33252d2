/* One libuv loop in its own thread, with the connections it has accepted. */
#ifndef AL_NET_LOOP_H
#define AL_NET_LOOP_H

#include "base/thread.h"
#include "net/deadlines.h"
#include "net/http.h"
#include "net/mailbox.h"
#include "net/server.h"

#include <uv.h>

struct al_net_connection;

struct al_net_listener {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  struct al_net_loop *loop;
  bool is_unix;
};

constexpr size_t AL_NET_READ_BYTES = 64 << 10;

struct al_net_loop {
  uv_loop_t uv;
  uv_async_t wake;
  uv_timer_t drain; /* runs while stopping */
  struct al_thread thread;
  struct al_http_server *server;
  struct al_net_mailbox *mailbox;
  struct al_net_deadlines deadlines;
  struct al_net_listener *listeners;
  size_t n_listeners;
  struct al_net_connection *connections; /* doubly linked */
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } spare; /* takes a connection that there is no memory for, to close it */
  bool spare_busy;
  char *read_bytes;              /* AL_NET_READ_BYTES, lent to whichever connection reads */
  char *plain_bytes;             /* the same, with TLS: what it decrypts to */
  uint64_t id_state[2];          /* request ids */
  atomic_llong stop_deadline_ns; /* 0: running */
  bool draining, cancelled;
};

/* Dups the descriptors. The thread runs until al_net_loop_stop and the last connection's end. */
enum al_code al_net_loop_start(struct al_net_loop *loop, struct al_http_server *server, const int *fds, size_t n_fds,
                               struct al_err *err);
void al_net_loop_stop(struct al_net_loop *loop, int64_t deadline_ns); /* any thread; returns at once */
void al_net_loop_join(struct al_net_loop *loop);

/* A connection's memory has gone. Loop thread. */
void al_net_loop_connection_closed(struct al_net_loop *loop);
/* "req_" and 24 hexadecimal digits. Loop thread. */
void al_net_loop_make_id(struct al_net_loop *loop, char *out, size_t size);

#endif
