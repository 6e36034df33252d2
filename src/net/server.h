/* What the loops of one server share. */
#ifndef AL_NET_SERVER_H
#define AL_NET_SERVER_H

#include "net/http.h"
#include "net/tls.h"

#include <stdatomic.h>

struct al_net_loop;

struct al_http_server {
  struct al_http_server_options options; /* limits filled in; listen_fds unset */
  struct al_net_tls_context *tls;        /* nullptr: plain */
  struct al_net_loop *loops;
  size_t n_loops;
  atomic_int n_connections;
  atomic_ullong n_connections_total, n_requests_total, n_active_exchanges, n_sent_bytes, n_bad_requests;
};

#endif
