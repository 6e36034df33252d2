/* Spawning. vfork, so that a large server starts a child at once and no lock of another thread is copied in a locked
 * state; between vfork and exec the child makes system calls only and touches nothing but its own stack frame. */
#include "os/process.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "os/file.h"
#include "os/path_error.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

constexpr int FIRST_FD = 3;
constexpr size_t MAX_FDS = 64;

struct launch {
  const struct al_process_options *options;
  char **environment;
  pid_t parent;
  int report_fd; /* the child writes its errno here when it cannot start; exec closes it */
};

static void default_signals(void)
{
  const struct sigaction action = { .sa_handler = SIG_DFL };
  for (int i = 1; i < NSIG; i++)
    if (i != SIGKILL && i != SIGSTOP)
      (void)sigaction(i, &action, nullptr);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
}

/* For kernels before 5.11. */
static void mark_each_close_on_exec(int from)
{
  struct rlimit limit = { .rlim_cur = 1024 };
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  int most = limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
  for (int fd = from; fd < most; fd++)
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Every source is first copied above all targets, so that no target overwrites a source still needed. */
static bool place_fds(const struct al_process_options *options)
{
  int above = FIRST_FD + (int)options->n_fds;
  int copies[MAX_FDS + 2];
  int targets[MAX_FDS + 2];
  size_t n = 0;
  for (size_t i = 0; i < options->n_fds; i++) {
    targets[n] = FIRST_FD + (int)i;
    copies[n++] = fcntl(options->fds[i], F_DUPFD_CLOEXEC, above);
  }
  if (options->stdout_fd > 0) {
    targets[n] = STDOUT_FILENO;
    copies[n++] = fcntl(options->stdout_fd, F_DUPFD_CLOEXEC, above);
  }
  if (options->stderr_fd > 0) {
    targets[n] = STDERR_FILENO;
    copies[n++] = fcntl(options->stderr_fd, F_DUPFD_CLOEXEC, above);
  }
  for (size_t i = 0; i < n; i++)
    if (copies[i] < 0 || dup2(copies[i], targets[i]) < 0)
      return false;
  if (close_range((unsigned)above, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    mark_each_close_on_exec(above);
  return true;
}

static bool limit_and_bind(const struct launch *launch)
{
  const struct al_process_options *options = launch->options;
  if (options->dies_with_parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
      return false;
    if (getppid() != launch->parent) /* it died before the line above */
      _exit(127);
  }
  if (options->max_address_space_bytes == 0)
    return true;
  const struct rlimit limit = { options->max_address_space_bytes, options->max_address_space_bytes };
  return setrlimit(RLIMIT_AS, &limit) == 0;
}

[[noreturn]] static void run_child(const struct launch *launch)
{
  default_signals();
  int report_fd = fcntl(launch->report_fd, F_DUPFD_CLOEXEC, FIRST_FD + (int)launch->options->n_fds);
  if (report_fd >= 0 && place_fds(launch->options) && limit_and_bind(launch)) {
    char *const *argv = (char *const *)(uintptr_t)launch->options->argv;
    (void)execve(argv[0], argv, launch->environment);
  }
  int error_number = errno;
  (void)!write(report_fd >= 0 ? report_fd : launch->report_fd, &error_number, sizeof error_number);
  _exit(127);
}

/* Nothing else may live in this frame: the child returns into it first. */
[[gnu::noinline]] static pid_t start(const struct launch *launch)
{
  pid_t pid = vfork();
  if (pid == 0)
    run_child(launch);
  return pid;
}

/* No handler of ours may run in the child before it has put the default ones in place. */
static pid_t start_without_signals(const struct launch *launch)
{
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, &before);
  pid_t child = start(launch);
  int error_number = errno;
  (void)sigprocmask(SIG_SETMASK, &before, nullptr);
  errno = error_number;
  return child;
}

/* What the child could not do, or 0 once it runs its program: the pipe is at its end then. */
static int read_report(int fd)
{
  int error_number = 0;
  ssize_t n;
  do
    n = read(fd, &error_number, sizeof error_number);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)sizeof error_number ? error_number : 0;
}

static size_t count_of(char *const *list)
{
  size_t n = 0;
  while (list != nullptr && list[n] != nullptr)
    n++;
  return n;
}

static bool is_replaced(const char *variable, const char *const *extra)
{
  const char *equals = strchr(variable, '=');
  size_t size = equals != nullptr ? (size_t)(equals - variable) + 1 : strlen(variable);
  for (; extra != nullptr && *extra != nullptr; extra++)
    if (strncmp(variable, *extra, size) == 0)
      return true;
  return false;
}

/* Borrows every string; only the array is the caller's to free. */
static char **merge_environment(const char *const *extra)
{
  char *const *added = (char *const *)(uintptr_t)extra;
  char **merged = al_calloc(count_of(environ) + count_of(added) + 1, sizeof *merged);
  if (merged == nullptr)
    return nullptr;
  size_t n = 0;
  for (char **variable = environ; variable != nullptr && *variable != nullptr; variable++)
    if (!is_replaced(*variable, extra))
      merged[n++] = *variable;
  for (; added != nullptr && *added != nullptr; added++)
    merged[n++] = *added;
  return merged;
}

enum al_code al_process_spawn(const struct al_process_options *options, pid_t *pid, struct al_err *err)
{
  assert(options->argv != nullptr && options->argv[0] != nullptr);
  if (options->n_fds > MAX_FDS)
    return al_fail(err, AL_INVALID_REQUEST, "more than %zu descriptors for a child", MAX_FDS);
  AL_CLEANUP(al_free_p) char **environment = merge_environment(options->environment);
  if (environment == nullptr)
    return al_fail_oom(err, sizeof *environment);
  AL_CLEANUP(al_fd_close) int report_in = -1;
  AL_CLEANUP(al_fd_close) int report_out = -1;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return al_path_fail(err, options->argv[0], "started", errno);
  report_in = ends[0];
  report_out = ends[1];
  const struct launch launch = { options, environment, getpid(), report_out };
  pid_t child = start_without_signals(&launch);
  if (child < 0)
    return al_path_fail(err, options->argv[0], "started", errno);
  al_fd_close(&report_out);
  int error_number = read_report(report_in);
  if (error_number != 0) {
    (void)waitpid(child, nullptr, 0);
    return al_path_fail(err, options->argv[0], "started", error_number);
  }
  *pid = child;
  return AL_OK;
}

static struct timespec time_until(int64_t deadline_ns)
{
  int64_t left = deadline_ns - al_now_ns();
  if (left < 0)
    left = 0;
  return (struct timespec){ .tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000 };
}

static enum al_code reap(pid_t pid, struct al_exit *exited, struct al_err *err)
{
  int status;
  pid_t got;
  do
    got = waitpid(pid, &status, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return al_fail(err, AL_NOT_FOUND, "process %d is not a child of this one", (int)pid);
  if (WIFSIGNALED(status))
    *exited = (struct al_exit){ AL_EXIT_SIGNAL, WTERMSIG(status) };
  else
    *exited = (struct al_exit){ AL_EXIT_CODE, WEXITSTATUS(status) };
  return AL_OK;
}

enum al_code al_process_wait(pid_t pid, int64_t deadline_ns, struct al_exit *exited, struct al_err *err)
{
  if (deadline_ns == AL_NO_DEADLINE)
    return reap(pid, exited, err);
  AL_CLEANUP(al_fd_close) int pidfd = pidfd_open(pid, 0);
  if (pidfd < 0)
    return al_fail(err, errno == ESRCH ? AL_NOT_FOUND : AL_INTERNAL, "process %d cannot be waited for: %s", (int)pid,
                   strerrordesc_np(errno));
  for (;;) {
    struct pollfd ended = { .fd = pidfd, .events = POLLIN };
    struct timespec left = time_until(deadline_ns);
    int n = ppoll(&ended, 1, &left, nullptr);
    if (n > 0)
      return reap(pid, exited, err);
    if (n == 0)
      return al_fail(err, AL_TIMEOUT, "process %d still runs", (int)pid);
    if (errno != EINTR)
      return al_fail(err, AL_INTERNAL, "process %d cannot be waited for: %s", (int)pid, strerrordesc_np(errno));
  }
}

const char *al_signal_name(int signal)
{
  static const char *const names[] = {
    [SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",   [SIGTRAP] = "SIGTRAP",
    [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",   [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1",
    [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2", [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",
    [SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ", [SIGSYS] = "SIGSYS",   [SIGSTOP] = "SIGSTOP", [SIGCHLD] = "SIGCHLD",
  };
  bool known = signal > 0 && (size_t)signal < AL_COUNT(names) && names[signal] != nullptr;
  return known ? names[signal] : "an unnamed signal";
}
