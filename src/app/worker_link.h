/* One worker as the supervisor sees it: its process, its crash board and the pipe on which it says "ready".
 *
 * The worker inherits: 3 the ready pipe's write end, 4 the crash board, 5.. the listening sockets. Its arguments are
 * the configuration, then --listen-fds=N and one --quarantined=ID each. */
#ifndef AL_APP_WORKER_LINK_H
#define AL_APP_WORKER_LINK_H

#include "app/crash_board.h"
#include "config/options.h"

#include <sys/types.h>

constexpr int AL_WORKER_READY_FD = 3;
constexpr int AL_WORKER_BOARD_FD = 4;
constexpr int AL_WORKER_FIRST_LISTEN_FD = 5;

struct al_worker_link {
  pid_t pid;    /* 0: no worker */
  int pid_fd;   /* readable when it has ended */
  int ready_fd; /* readable when it is ready, or has ended; -1 afterwards */
  bool ready;
  bool stopping; /* it was told to end */
  int64_t started_ns;
  struct al_crash_board *board;
};

struct al_worker_start {
  const char *program;
  const struct al_config *config;
  const int *listen_fds;
  size_t n_listen_fds;
  const char *const *quarantined;
  size_t n_quarantined;
};

enum al_code al_worker_link_start(const struct al_worker_start *start, struct al_worker_link *link, struct al_err *err);
/* Reads the ready pipe; true when the worker has just become ready. */
bool al_worker_link_read_ready(struct al_worker_link *link);
/* Reaps an ended worker and frees what it held. `description` gets "exit code 3" or "SIGSEGV"; *status as waitpid's. */
void al_worker_link_reap(struct al_worker_link *link, int *status, char *description, size_t size);

#endif
