/* A child run to its end, its output collected. One poll waits for output, its end and the deadline. */
#include "os/process.h"

#include "base/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

constexpr size_t ERROR_BYTES = 8 << 10; /* of standard error, the last ones */

struct run {
  pid_t pid;
  int pidfd, stdout_fd, stderr_fd;
  size_t max_output;
  struct al_buf *output, *error_output;
};

static void run_done(struct run *run)
{
  al_fd_close(&run->pidfd);
  al_fd_close(&run->stdout_fd);
  al_fd_close(&run->stderr_fd);
}

/* What does not fit is read and dropped, so that the child is never stuck in a write. */
static void keep_first(struct al_buf *out, size_t max_output, const char *bytes, size_t size)
{
  al_buf_add(out, bytes, al_min_size(size, max_output - al_min_size(max_output, out->size)));
}

static void keep_last_lines(struct al_buf *out, const char *bytes, size_t size)
{
  al_buf_add(out, bytes, size);
  if (out->size <= ERROR_BYTES || out->failed)
    return;
  al_buf_consume(out, out->size - ERROR_BYTES);
  const char *newline = memchr(out->data, '\n', out->size - 1);
  if (newline != nullptr)
    al_buf_consume(out, (size_t)(newline + 1 - out->data));
}

/* Takes what is there, at most a full pipe: a child may write faster than this reads. Closes *fd at the end of the
 * stream. */
static void drain(struct run *run, int *fd)
{
  for (int i = 0; i < 32 && *fd >= 0; i++) {
    char chunk[4096];
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return;
    if (n <= 0)
      al_fd_close(fd);
    else if (fd == &run->stdout_fd)
      keep_first(run->output, run->max_output, chunk, (size_t)n);
    else
      keep_last_lines(run->error_output, chunk, (size_t)n);
  }
}

/* Until the child has ended; a grandchild that keeps the pipes open does not prolong it. */
static enum al_code collect(struct run *run, int64_t deadline_ns, struct al_err *err)
{
  for (;;) {
    struct pollfd fds[] = {
      { .fd = run->pidfd, .events = POLLIN },
      { .fd = run->stdout_fd, .events = POLLIN },
      { .fd = run->stderr_fd, .events = POLLIN },
    };
    int64_t left_ns = deadline_ns == AL_NO_DEADLINE ? 0 : deadline_ns - al_now_ns();
    left_ns = left_ns > 0 ? left_ns : 0;
    struct timespec left = { .tv_sec = left_ns / 1'000'000'000, .tv_nsec = left_ns % 1'000'000'000 };
    int n = ppoll(fds, AL_COUNT(fds), deadline_ns == AL_NO_DEADLINE ? nullptr : &left, nullptr);
    if (n < 0 && errno != EINTR)
      return al_fail(err, AL_INTERNAL, "a child's output could not be read: %s", strerrordesc_np(errno));
    drain(run, &run->stdout_fd);
    drain(run, &run->stderr_fd);
    if (n > 0 && fds[0].revents != 0)
      return AL_OK;
    if (deadline_ns != AL_NO_DEADLINE && al_now_ns() >= deadline_ns)
      return al_fail(err, AL_TIMEOUT, "the child did not end in time");
  }
}

static enum al_code make_pipe(int *read_end, int *write_end, struct al_err *err)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return al_fail(err, AL_LOAD_FAILED, "no pipe for a child: %s", strerrordesc_np(errno));
  *read_end = ends[0];
  *write_end = ends[1];
  (void)fcntl(*read_end, F_SETFL, O_NONBLOCK);
  return AL_OK;
}

static enum al_code start(struct run *run, const struct al_process_options *options, struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int stdout_end = -1;
  AL_CLEANUP(al_fd_close) int stderr_end = -1;
  AL_TRY(make_pipe(&run->stdout_fd, &stdout_end, err));
  AL_TRY(make_pipe(&run->stderr_fd, &stderr_end, err));
  struct al_process_options piped = *options;
  piped.stdout_fd = stdout_end;
  piped.stderr_fd = stderr_end;
  AL_TRY(al_process_spawn(&piped, &run->pid, err));
  run->pidfd = pidfd_open(run->pid, 0);
  return run->pidfd >= 0 ? AL_OK : al_fail(err, AL_INTERNAL, "no handle on a child: %s", strerrordesc_np(errno));
}

enum al_code al_process_run(const struct al_process_options *options, size_t max_output, int64_t deadline_ns,
                            struct al_buf *output, struct al_buf *error_output, struct al_exit *exited,
                            struct al_err *err)
{
  AL_CLEANUP(run_done) struct run run = { .pidfd = -1,
                                          .stdout_fd = -1,
                                          .stderr_fd = -1,
                                          .max_output = max_output,
                                          .output = output,
                                          .error_output = error_output };
  enum al_code code = start(&run, options, err);
  if (code == AL_OK)
    code = collect(&run, deadline_ns, err);
  if (run.pid == 0)
    return code;
  if (code != AL_OK)
    (void)kill(run.pid, SIGKILL);
  struct al_exit ended;
  AL_TRY(al_process_wait(run.pid, AL_NO_DEADLINE, &ended, code == AL_OK ? err : nullptr));
  *exited = ended;
  return code != AL_OK ? code : al_buf_check(output, err);
}
