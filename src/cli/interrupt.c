#include "cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int ends[2] = { -1, -1 }; /* the signal handler's way to whoever waits */
static volatile sig_atomic_t last_signal = SIGINT;

static void on_signal(int signal)
{
  int saved = errno;
  last_signal = signal;
  if (write(ends[1], "c", 1) < 0) {
    /* The pipe is full: a cancel is on its way already. */
  }
  errno = saved;
}

enum al_code al_interrupt_watch(bool and_termination, struct al_err *err)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return al_fail(err, AL_INTERNAL, "pipe: %s", strerror(errno));
  const struct sigaction action = { .sa_handler = on_signal };
  for (size_t i = 0; i < (and_termination ? AL_COUNT(signals) : 1); i++)
    (void)sigaction(signals[i], &action, nullptr);
  return AL_OK;
}

int al_interrupt_fd(void)
{
  return ends[0];
}

int al_interrupt_exit_code(void)
{
  return 128 + last_signal;
}
