/* What the tests of the command line share: a server that says one thing and remembers what it was asked. */
#ifndef AL_TESTS_CLI_KIT_H
#define AL_TESTS_CLI_KIT_H

#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/connection.h"
#include "net/http.h"

#include <stdatomic.h>

struct kit {
  /* what it answers; set before asking, then kit_sync */
  int status;
  const char *body;
  const char *const *pieces; /* nullptr-terminated: an event stream in these pieces, instead of body */
  bool never_ends;           /* the stream stays open after the last piece */

  /* the last request; read after the answer, behind kit_sync */
  char path[512], authorization[512], request[8192];
  struct al_http_exchange *held; /* an open stream */

  atomic_int n_syncs;
  struct al_http_server *server;
  struct al_config config;
  struct al_cli cli;
  struct al_connection connection;
};

void kit_start(struct kit *kit); /* and connects */
/* Orders the fields between the test and the server's thread. */
void kit_sync(struct kit *kit);
void kit_stop(struct kit *kit);

#endif
