/* Connects a client's socket. Private to the client. */
#ifndef AL_NET_CLIENT_CONNECT_H
#define AL_NET_CLIENT_CONNECT_H

#include "net/client.h"

struct al_net_client_url {
  char host[256]; /* of the Host header and of error messages: "127.0.0.1:8080", "localhost" */
  char node[256]; /* "127.0.0.1", or the path of a Unix socket */
  char port[8];
  bool is_unix;
};

enum al_code al_net_client_parse_url(const char *url, struct al_net_client_url *out, struct al_err *err);

/* A non-blocking socket. */
enum al_code al_net_client_connect(const struct al_net_client_url *url, int cancel_fd, int64_t deadline_ns, int *fd,
                                   struct al_err *err);

/* Waits until fd is ready for `events` (of poll). AL_TIMEOUT, AL_CANCELLED. deadline_ns may be AL_NO_DEADLINE. */
enum al_code al_net_client_wait(int fd, short events, int cancel_fd, int64_t deadline_ns, struct al_err *err);

#endif
