#include "cli/private_server.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

constexpr int64_t START_TIMEOUT_MS = 20'000;
constexpr int64_t STOP_TIMEOUT_MS = 5'000;

static enum al_code spawn(const struct al_config *config, int stdout_fd, pid_t *pid, struct al_err *err)
{
  char **args = nullptr;
  AL_TRY(al_config_to_args(config, &args, err));
  size_t n = 0;
  while (args[n] != nullptr)
    n++;
  const char **argv = al_calloc(n + 3, sizeof *argv);
  enum al_code code = argv == nullptr ? al_fail_oom(err, (n + 3) * sizeof *argv) : AL_OK;
  if (code == AL_OK) {
    argv[0] = "/proc/self/exe";
    argv[1] = "serve";
    for (size_t i = 0; i < n; i++)
      argv[i + 2] = args[i];
    /* In a process group of its own: a Ctrl-C at the terminal is meant for the answer, not for the server. */
    const char *environment[] = { "ALLM_OWN_GROUP=1", nullptr };
    struct al_process_options options = {
      .argv = argv,
      .environment = environment,
      .stdout_fd = stdout_fd,
      .stderr_fd = -1,
      .dies_with_parent = true,
    };
    code = al_process_spawn(&options, pid, err);
  }
  al_free(argv);
  al_config_args_free(args);
  return code;
}

/* Reads "listening on http://127.0.0.1:PORT\n". The server's own messages go to standard error when it fails. */
static enum al_code read_port(int fd, int *port, struct al_err *err)
{
  char line[256];
  size_t n = 0;
  int64_t deadline_ns = al_deadline_in_ms(START_TIMEOUT_MS);
  while (n + 1 < sizeof line && memchr(line, '\n', n) == nullptr) {
    int64_t left_ms = (deadline_ns - al_now_ns()) / AL_NS_PER_MS;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) == 0)
      return al_fail(err, AL_TIMEOUT, "the server did not start within %lld s", (long long)START_TIMEOUT_MS / 1000);
    ssize_t got = read(fd, line + n, sizeof line - 1 - n);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return al_fail(err, AL_INTERNAL, "the server ended before it was ready");
    n += (size_t)got;
  }
  line[n] = '\0';
  const char *colon = strrchr(line, ':');
  *port = colon != nullptr ? (int)strtol(colon + 1, nullptr, 10) : 0;
  return *port > 0 ? AL_OK : al_fail(err, AL_INTERNAL, "the server said \"%.100s\"", line);
}

enum al_code al_private_server_start(const struct al_config *config, const char *model_path,
                                     struct al_private_server *server, struct al_err *err)
{
  AL_CLEANUP(al_free_p) struct al_config *own = al_alloc(sizeof *own);
  if (own == nullptr)
    return al_fail_oom(err, sizeof *own);
  *own = *config;
  own->port = 0;
  own->unix_socket[0] = '\0';
  (void)snprintf(own->host, sizeof own->host, "127.0.0.1");
  if (strcmp(own->log_level, "info") == 0)
    (void)snprintf(own->log_level, sizeof own->log_level, "error");
  if (model_path != nullptr && own->n_model_paths < AL_MAX_MODEL_DIRS)
    (void)snprintf(own->model_paths[own->n_model_paths++], sizeof own->model_paths[0], "%s", model_path);
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0)
    return al_fail(err, AL_INTERNAL, "pipe: %s", strerror(errno));
  enum al_code code = spawn(own, out[1], &server->pid, err);
  (void)close(out[1]);
  if (code == AL_OK)
    code = read_port(out[0], &server->port, err);
  (void)close(out[0]);
  if (code != AL_OK)
    al_private_server_stop(server);
  return code;
}

void al_private_server_stop(struct al_private_server *server)
{
  if (server->pid == 0)
    return;
  struct al_exit exited;
  (void)kill(server->pid, SIGTERM);
  if (al_process_wait(server->pid, al_deadline_in_ms(STOP_TIMEOUT_MS), &exited, nullptr) != AL_OK) {
    (void)kill(server->pid, SIGKILL);
    if (al_process_wait(server->pid, AL_NO_DEADLINE, &exited, nullptr) != AL_OK) {
      /* Nothing more can be done about it; the kernel ends it with us. */
    }
  }
  *server = (struct al_private_server){};
}
