/* Child processes. Children never inherit descriptors they were not given, start with default signals, and die with
 * their parent (PR_SET_PDEATHSIG) when asked to. */
#ifndef AL_OS_PROCESS_H
#define AL_OS_PROCESS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct al_process_options {
  const char *const *argv;        /* NULL-terminated; argv[0] is the path of the program */
  const char *const *environment; /* extra "NAME=value", NULL-terminated; may be nullptr */
  const int *fds;                 /* fds[i] becomes descriptor 3+i of the child */
  size_t n_fds;
  int stdout_fd, stderr_fd;         /* 0 or -1: inherit */
  bool dies_with_parent;            /* killed when the thread that spawned it ends */
  uint64_t max_address_space_bytes; /* RLIMIT_AS; 0: no limit */
};

enum al_code al_process_spawn(const struct al_process_options *options, pid_t *pid, struct al_err *err);

enum al_exit_kind { AL_EXIT_CODE, AL_EXIT_SIGNAL };
struct al_exit {
  enum al_exit_kind kind;
  int value;
};
/* Waits until the deadline: AL_TIMEOUT then (the child still runs). */
enum al_code al_process_wait(pid_t pid, int64_t deadline_ns, struct al_exit *exited, struct al_err *err);

/* Runs a child to its end and collects what it writes to standard output (up to max_output bytes) and the last lines of
 * standard error; kills it at the deadline (AL_TIMEOUT). */
enum al_code al_process_run(const struct al_process_options *options, size_t max_output, int64_t deadline_ns,
                            struct al_buf *output, struct al_buf *error_output, struct al_exit *exited,
                            struct al_err *err);

const char *al_signal_name(int signal); /* "SIGABRT" */

#endif
