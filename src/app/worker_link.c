#include "app/worker_link.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

constexpr size_t MAX_LISTEN_FDS = 16;

struct arguments {
  char **from_config; /* owned */
  char **own;         /* owned: --listen-fds and --quarantined */
  size_t n_own;
  const char **argv; /* borrows the others */
};

static void arguments_done(struct arguments *arguments)
{
  al_config_args_free(arguments->from_config);
  for (size_t i = 0; i < arguments->n_own; i++)
    al_free(arguments->own[i]);
  al_free(arguments->own);
  al_free(arguments->argv);
}

static char *format_argument(const char *name, const char *value)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_printf(&text, "--%s=%s", name, value);
  return al_buf_take(&text, nullptr);
}

static enum al_code make_arguments(const struct al_worker_start *start, struct arguments *arguments, struct al_err *err)
{
  AL_TRY(al_config_to_args(start->config, &arguments->from_config, err));
  size_t n_config = 0;
  while (arguments->from_config[n_config] != nullptr)
    n_config++;
  size_t n_own = 1 + start->n_quarantined;
  arguments->own = al_calloc(n_own, sizeof *arguments->own);
  arguments->argv = al_calloc(n_config + n_own + 2, sizeof *arguments->argv);
  if (arguments->own == nullptr || arguments->argv == nullptr)
    return al_fail_oom(err, (n_config + n_own) * sizeof *arguments->argv);
  char count[16];
  (void)snprintf(count, sizeof count, "%zu", start->n_listen_fds);
  for (size_t i = 0; i < n_own; i++) {
    char *argument =
        i == 0 ? format_argument("listen-fds", count) : format_argument("quarantined", start->quarantined[i - 1]);
    if (argument == nullptr)
      return al_fail_oom(err, strlen(start->program));
    arguments->own[arguments->n_own++] = argument;
  }
  size_t n = 0;
  arguments->argv[n++] = start->program;
  for (size_t i = 0; i < n_config; i++)
    arguments->argv[n++] = arguments->from_config[i];
  for (size_t i = 0; i < n_own; i++)
    arguments->argv[n++] = arguments->own[i];
  return AL_OK;
}

static enum al_code spawn(const struct al_worker_start *start, int ready_write_fd, struct al_worker_link *link,
                          struct al_err *err)
{
  if (start->n_listen_fds > MAX_LISTEN_FDS)
    return al_fail(err, AL_INTERNAL, "more than %zu listening sockets", MAX_LISTEN_FDS);
  AL_CLEANUP(arguments_done) struct arguments arguments = {};
  AL_TRY(make_arguments(start, &arguments, err));
  char key[sizeof start->config->api_key + 16];
  (void)snprintf(key, sizeof key, "ALLM_API_KEY=%s", start->config->api_key);
  /* OpenMP threads that spin for long while they wait lose most of their time as soon as another program wants a core;
   * a short spin costs nothing on a quiet machine (bench/). */
  const char *waiting =
      getenv("OMP_WAIT_POLICY") == nullptr && getenv("GOMP_SPINCOUNT") == nullptr ? "GOMP_SPINCOUNT=1000" : nullptr;
  const char *environment[] = { key, waiting, nullptr };
  int fds[MAX_LISTEN_FDS + 2] = { ready_write_fd, al_crash_board_fd(link->board) };
  memcpy(fds + 2, start->listen_fds, start->n_listen_fds * sizeof fds[0]);
  struct al_process_options options = {
    .argv = arguments.argv,
    .environment = environment,
    .fds = fds,
    .n_fds = start->n_listen_fds + 2,
    .stdout_fd = -1,
    .stderr_fd = -1,
    .dies_with_parent = true,
  };
  return al_process_spawn(&options, &link->pid, err);
}

static void forget(struct al_worker_link *link)
{
  al_fd_close(&link->pid_fd);
  al_fd_close(&link->ready_fd);
  al_crash_board_free(link->board);
  *link = (struct al_worker_link){ .pid_fd = -1, .ready_fd = -1 };
}

enum al_code al_worker_link_start(const struct al_worker_start *start, struct al_worker_link *link, struct al_err *err)
{
  *link = (struct al_worker_link){ .pid_fd = -1, .ready_fd = -1, .started_ns = al_now_ns() };
  AL_TRY(al_crash_board_new(&link->board, err));
  int ready[2];
  enum al_code code = AL_OK;
  if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0)
    code = al_fail(err, AL_INTERNAL, "pipe: %s", strerror(errno));
  if (code == AL_OK) {
    link->ready_fd = ready[0];
    code = spawn(start, ready[1], link, err);
    (void)close(ready[1]);
  }
  if (code == AL_OK) {
    link->pid_fd = (int)syscall(SYS_pidfd_open, link->pid, 0);
    if (link->pid_fd < 0) {
      code = al_fail(err, AL_INTERNAL, "pidfd_open: %s", strerror(errno));
      (void)kill(link->pid, SIGKILL);
      (void)waitpid(link->pid, nullptr, 0);
    }
  }
  if (code != AL_OK)
    forget(link);
  return code;
}

bool al_worker_link_read_ready(struct al_worker_link *link)
{
  char byte;
  ssize_t n = read(link->ready_fd, &byte, 1);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  al_fd_close(&link->ready_fd);
  link->ready = n == 1;
  return link->ready;
}

void al_worker_link_reap(struct al_worker_link *link, int *status, char *description, size_t size)
{
  *status = 0;
  while (waitpid(link->pid, status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(*status))
    (void)snprintf(description, size, "%s", al_signal_name(WTERMSIG(*status)));
  else
    (void)snprintf(description, size, "exit code %d", WEXITSTATUS(*status));
  forget(link);
}
