#include "app/supervisor.h"

#include "app/log_options.h"
#include "app/paths.h"
#include "app/quarantine.h"
#include "app/worker_link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/http.h"
#include "os/file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

constexpr int64_t QUICK_CRASH_NS = INT64_C(1) * 1'000'000'000;
constexpr int64_t FIRST_BACKOFF_MS = 50;
constexpr int64_t LONGEST_BACKOFF_MS = 5000;
constexpr int EXIT_BAD_CONFIG = 2; /* the worker's code for "starting again will not help" */

struct supervisor {
  const struct al_config *config; /* borrowed */
  char program[4096];
  int listen_fds[2];
  size_t n_listen_fds;
  int bound_port;
  int signal_fd;
  struct al_quarantine quarantine;
  struct al_worker_link worker;   /* the one that serves, or is about to */
  struct al_worker_link retiring; /* the one before it, draining */
  bool announced;
  bool stopping;
  int n_quick_crashes;
  int64_t restart_at_ns; /* AL_NO_DEADLINE: no restart is due */
  int exit_code;
  bool done;
};

static bool is_loopback(const char *host)
{
  return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

static enum al_code check_exposure(const struct al_config *config, struct al_err *err)
{
  if (is_loopback(config->host) || config->api_key[0] != '\0' || config->insecure_public)
    return AL_OK;
  return al_fail_param(err, "host",
                       "%s is reachable from other machines: set ALLM_API_KEY to require a key, or say "
                       "--insecure-public if that is what you want",
                       config->host);
}

static enum al_code open_sockets(struct supervisor *s, struct al_err *err)
{
  const struct al_config *config = s->config;
  AL_TRY(al_http_listen(config->host, config->port, &s->listen_fds[0], &s->bound_port, err));
  s->n_listen_fds = 1;
  if (config->unix_socket[0] == '\0')
    return AL_OK;
  AL_TRY(al_http_listen_unix(config->unix_socket, &s->listen_fds[1], err));
  s->n_listen_fds = 2;
  return AL_OK;
}

static enum al_code open_signals(struct supervisor *s, struct al_err *err)
{
  sigset_t wanted;
  (void)sigemptyset(&wanted);
  (void)sigaddset(&wanted, SIGTERM);
  (void)sigaddset(&wanted, SIGINT);
  (void)sigaddset(&wanted, SIGHUP);
  (void)sigprocmask(SIG_BLOCK, &wanted, nullptr);
  s->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  return s->signal_fd >= 0 ? AL_OK : al_fail(err, AL_INTERNAL, "signalfd: %s", strerror(errno));
}

static enum al_code start_worker(struct supervisor *s, struct al_err *err)
{
  const char *quarantined[AL_QUARANTINE_MAX_MODELS];
  struct al_worker_start start = {
    .program = s->program,
    .config = s->config,
    .listen_fds = s->listen_fds,
    .n_listen_fds = s->n_listen_fds,
    .quarantined = quarantined,
    .n_quarantined = al_quarantine_ids(&s->quarantine, quarantined, AL_COUNT(quarantined)),
  };
  s->restart_at_ns = AL_NO_DEADLINE;
  return al_worker_link_start(&start, &s->worker, err);
}

static void announce(struct supervisor *s)
{
  bool is_ipv6 = strchr(s->config->host, ':') != nullptr;
  const char *scheme = s->config->tls_cert[0] != '\0' ? "https" : "http";
  (void)printf(is_ipv6 ? "listening on %s://[%s]:%d\n" : "listening on %s://%s:%d\n", scheme, s->config->host,
               s->bound_port);
  (void)fflush(stdout);
  s->announced = true;
}

static void stop_worker(struct al_worker_link *link, int signal)
{
  if (link->pid == 0)
    return;
  (void)kill(link->pid, signal);
  link->stopping = true;
}

static void finish(struct supervisor *s, int exit_code)
{
  s->exit_code = exit_code;
  s->done = true;
}

/* A new worker beside the old one; the old one is told to drain when the new one is ready. */
static void renew(struct supervisor *s)
{
  if (s->worker.pid == 0 || !s->worker.ready || s->retiring.pid != 0)
    return;
  s->retiring = s->worker;
  struct al_err err = {};
  if (start_worker(s, &err) == AL_OK)
    return;
  al_log_err(AL_LOG_ERROR, "worker_renewal_failed", &err);
  s->worker = s->retiring;
  s->retiring = (struct al_worker_link){ .pid_fd = -1, .ready_fd = -1 };
}

static void on_signal(struct supervisor *s)
{
  struct signalfd_siginfo info;
  if (read(s->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
    return;
  if (info.ssi_signo == SIGHUP) {
    renew(s);
    return;
  }
  int signal = s->stopping ? SIGKILL : SIGTERM;
  s->stopping = true;
  stop_worker(&s->worker, signal);
  stop_worker(&s->retiring, signal);
  if (s->worker.pid == 0 && s->retiring.pid == 0)
    finish(s, 0);
}

static void on_ready(struct supervisor *s)
{
  if (!al_worker_link_read_ready(&s->worker))
    return;
  al_log(AL_LOG_INFO, "worker_ready", AL_I("pid", s->worker.pid),
         AL_I("ms", (al_now_ns() - s->worker.started_ns) / AL_NS_PER_MS));
  stop_worker(&s->retiring, SIGTERM);
  if (!s->announced)
    announce(s);
}

static void blame_model(struct supervisor *s, const char *id)
{
  bool quarantined = al_quarantine_blame(&s->quarantine, id, al_now_ns());
  al_log(quarantined ? AL_LOG_ERROR : AL_LOG_WARN, quarantined ? "model_quarantined" : "model_crashed",
         AL_S("model", id));
}

/* The one that did it, or else all that were at work: a model that hears an hour of speech is at work for long, and
 * what others do meanwhile is not its fault. */
static void blame_models(struct supervisor *s, const struct al_crash_board *board)
{
  char id[256];
  if (al_crash_board_culprit(board, id, sizeof id)) {
    blame_model(s, id);
    return;
  }
  for (size_t i = 0; al_crash_board_inside(board, i, id, sizeof id); i++)
    blame_model(s, id);
}

/* Restarts at once after a crash in a worker that had been well; backs off from one that dies as it starts. */
static void schedule_restart(struct supervisor *s, int64_t lived_ns)
{
  s->n_quick_crashes = lived_ns < QUICK_CRASH_NS ? s->n_quick_crashes + 1 : 0;
  int64_t wait_ms = 0;
  if (s->n_quick_crashes > 2) {
    wait_ms = FIRST_BACKOFF_MS;
    for (int i = 3; i < s->n_quick_crashes && wait_ms < LONGEST_BACKOFF_MS; i++)
      wait_ms *= 2;
  }
  s->restart_at_ns = al_deadline_in_ms(wait_ms < LONGEST_BACKOFF_MS ? wait_ms : LONGEST_BACKOFF_MS);
}

static void on_worker_end(struct supervisor *s, struct al_worker_link *link)
{
  bool was_ready = link->ready;
  bool was_stopping = link->stopping;
  bool is_current = link == &s->worker;
  int64_t lived_ns = al_now_ns() - link->started_ns;
  int status = 0;
  siginfo_t info = {};
  (void)waitid(P_PID, (id_t)link->pid, &info, WEXITED | WNOWAIT | WNOHANG);
  /* SIGKILL comes from outside, or from the kernel's OOM killer; the latter is the model's doing while it loads. */
  bool crashed = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
  if (crashed && !was_stopping && info.si_status != SIGKILL && info.si_status != SIGTERM)
    blame_models(s, link->board);
  char description[64];
  al_worker_link_reap(link, &status, description, sizeof description);
  if (s->stopping) {
    if (s->worker.pid == 0 && s->retiring.pid == 0)
      finish(s, 0);
    return;
  }
  if (was_stopping || !is_current)
    return;
  al_log(AL_LOG_ERROR, "worker_ended", AL_S("how", description), AL_I("lived_ms", lived_ns / AL_NS_PER_MS));
  if (!was_ready && (!s->announced || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BAD_CONFIG)))
    finish(s, WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
  else
    schedule_restart(s, lived_ns);
}

static void check_heartbeat(struct supervisor *s)
{
  if (!s->worker.ready || s->worker.stopping)
    return;
  int64_t silent_ns = al_now_ns() - al_crash_board_last_beat_ns(s->worker.board);
  if (silent_ns < s->config->watchdog_s * 1'000'000'000)
    return;
  al_log(AL_LOG_ERROR, "worker_hangs", AL_I("silent_ms", silent_ns / AL_NS_PER_MS));
  (void)kill(s->worker.pid, SIGKILL);
}

static void restart_if_due(struct supervisor *s)
{
  if (s->restart_at_ns == AL_NO_DEADLINE || s->stopping || al_now_ns() < s->restart_at_ns)
    return;
  struct al_err err = {};
  if (start_worker(s, &err) == AL_OK)
    return;
  al_log_err(AL_LOG_ERROR, "worker_start_failed", &err);
  s->restart_at_ns = al_deadline_in_ms(LONGEST_BACKOFF_MS);
}

static int poll_timeout_ms(const struct supervisor *s)
{
  constexpr int64_t heartbeat_ms = 1000;
  int64_t wait_ms = heartbeat_ms;
  if (s->restart_at_ns != AL_NO_DEADLINE)
    wait_ms = (s->restart_at_ns - al_now_ns() + AL_NS_PER_MS - 1) / AL_NS_PER_MS;
  return (int)(wait_ms < 0 ? 0 : wait_ms > heartbeat_ms ? heartbeat_ms : wait_ms);
}

static void turn(struct supervisor *s)
{
  struct pollfd waits[] = {
    { .fd = s->signal_fd, .events = POLLIN },
    { .fd = s->worker.ready_fd, .events = POLLIN },
    { .fd = s->worker.pid_fd, .events = POLLIN },
    { .fd = s->retiring.pid_fd, .events = POLLIN },
  };
  if (poll(waits, AL_COUNT(waits), poll_timeout_ms(s)) < 0 && errno != EINTR)
    return;
  if (waits[0].revents != 0)
    on_signal(s);
  if (waits[1].revents != 0 && s->worker.ready_fd >= 0)
    on_ready(s);
  if (waits[3].revents != 0)
    on_worker_end(s, &s->retiring);
  if (waits[2].revents != 0 && waits[2].fd == s->worker.pid_fd)
    on_worker_end(s, &s->worker);
  check_heartbeat(s);
  restart_if_due(s);
}

static enum al_code start(struct supervisor *s, struct al_err *err)
{
  AL_TRY(al_log_options(s->config, err));
  AL_TRY(check_exposure(s->config, err));
  AL_TRY(al_path_worker(s->program, sizeof s->program, err));
  AL_TRY(open_signals(s, err));
  AL_TRY(open_sockets(s, err));
  return start_worker(s, err);
}

int al_supervisor_run(const struct al_config *config)
{
  static struct supervisor s; /* too large for a stack; this process has just the one */
  s = (struct supervisor){
    .config = config,
    .signal_fd = -1,
    .worker = { .pid_fd = -1, .ready_fd = -1 },
    .retiring = { .pid_fd = -1, .ready_fd = -1 },
    .restart_at_ns = AL_NO_DEADLINE,
  };
  struct al_err err = {};
  if (start(&s, &err) != AL_OK) {
    (void)fprintf(stderr, "allm: %s\n", err.message);
    return 1;
  }
  while (!s.done)
    turn(&s);
  for (size_t i = 0; i < s.n_listen_fds; i++)
    (void)close(s.listen_fds[i]);
  if (config->unix_socket[0] != '\0')
    (void)unlink(config->unix_socket);
  (void)close(s.signal_fd);
  return s.exit_code;
}
