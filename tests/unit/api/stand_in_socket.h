/* Stand-ins for what net offers beside an exchange's answer: the query, and WebSockets. */
#ifndef AL_TEST_STAND_IN_SOCKET_H
#define AL_TEST_STAND_IN_SOCKET_H

#include "net/websocket.h"

extern const char *query; /* "a=1&b=2", undecoded; nullptr: none */

extern struct stand_in_socket {
  const struct al_websocket_handler *handler; /* nullptr: none was accepted */
  void *user;
  struct al_buf sent; /* each message, followed by a newline */
  int close_code;     /* 0: open */
} stand_in_socket;
void stand_in_socket_clear(void);

#endif
