#include "media/child.h"

#include "base/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

constexpr int LOOK_MS = 50; /* between looks at the cancel token, which nothing can wait for */
constexpr size_t MAX_ARGUMENTS = 8;

static char program[4096];

void al_media_set_program(const char *path)
{
  (void)snprintf(program, sizeof program, "%s", path != nullptr ? path : "");
}

enum al_code al_media_check_program(struct al_err *err)
{
  if (program[0] != '\0')
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "the program allm-media is missing: is the installation complete?");
}

enum al_code al_media_child_start(struct al_media_child *child, const char *const *arguments, int in_fd,
                                  struct al_err *err)
{
  child->frames_fd = -1;
  AL_TRY(al_media_check_program(err));
  const char *argv[MAX_ARGUMENTS + 2] = { program };
  for (size_t i = 0; arguments[i] != nullptr; i++) {
    assert(i < MAX_ARGUMENTS);
    argv[i + 1] = arguments[i];
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return al_fail(err, AL_INTERNAL, "no pipe for allm-media: %s", strerrordesc_np(errno));
  child->frames_fd = ends[0];
  AL_CLEANUP(al_fd_close) int child_end = ends[1];
  (void)fcntl(child->frames_fd, F_SETFL, O_NONBLOCK);
  const struct al_process_options options = {
    .argv = argv,
    .fds = &in_fd,
    .n_fds = 1,
    .stdout_fd = child_end,
    .dies_with_parent = true,
  };
  enum al_code code = al_process_spawn(&options, &child->pid, err);
  return code == AL_NOT_FOUND ? al_fail(err, AL_UNSUPPORTED, "the program allm-media cannot be started") : code;
}

static enum al_code blame_file(struct al_err *err, const char *what)
{
  (void)al_fail(err, AL_INVALID_REQUEST, "the file is damaged or hostile: %s", what);
  return al_fail_reason(err, AL_INVALID_REQUEST, "corrupt_media");
}

/* What a file can make its decoder do. SIGKILL and the like come from outside. */
static bool is_files_doing(const struct al_exit *exited)
{
  if (exited->kind != AL_EXIT_SIGNAL)
    return true;
  int signal = exited->value;
  return signal != SIGKILL && signal != SIGTERM && signal != SIGINT && signal != SIGHUP;
}

/* Its pipe is at an end, though it has not said that it is. */
static enum al_code tell_death(struct al_media_child *child, struct al_err *err)
{
  struct al_exit exited;
  (void)kill(child->pid, SIGKILL); /* in vain when it has ended; one that closed its pipe and lives is not waited for */
  AL_TRY(al_process_wait(child->pid, AL_NO_DEADLINE, &exited, err));
  child->pid = 0;
  bool decodes = al_media_job_decodes(child->frames.job);
  const char *role = decodes ? "decoder" : "encoder";
  char how[64];
  if (exited.kind == AL_EXIT_SIGNAL)
    (void)snprintf(how, sizeof how, "its %s was ended by %s", role, al_signal_name(exited.value));
  else
    (void)snprintf(how, sizeof how, "its %s ended with status %d", role, exited.value);
  if (exited.kind == AL_EXIT_SIGNAL && exited.value == SIGXCPU)
    (void)snprintf(how, sizeof how, "it takes more time to decode than is allowed");
  if (child->frames.greeted && decodes && is_files_doing(&exited))
    return blame_file(err, how);
  return al_fail(err, AL_INTERNAL, "the file could not be converted: %s", how);
}

static enum al_code receive(struct al_media_child *child, struct al_err *err)
{
  size_t room;
  char *bytes = al_media_frames_room(&child->frames, &room);
  ssize_t n = read(child->frames_fd, bytes, room);
  if (n > 0)
    al_media_frames_grew(&child->frames, (size_t)n);
  else if (n == 0 || (errno != EAGAIN && errno != EINTR))
    return tell_death(child, err);
  return AL_OK;
}

/* A child that no longer reads is found out when its frames end. */
static void send_samples(struct al_media_child *child, struct al_str *samples)
{
  ssize_t n = send(child->samples_fd, samples->data, samples->size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno != EAGAIN && errno != EINTR)
    n = (ssize_t)samples->size;
  if (n > 0)
    *samples = al_str_n(samples->data + n, samples->size - (size_t)n);
}

static enum al_code check_cancel(const struct al_media_child *child, struct al_err *err)
{
  enum al_code reason = al_cancel_reason(child->cancel);
  if (reason == AL_OK)
    return AL_OK;
  return al_fail(err, reason, reason == AL_TIMEOUT ? "the request took too long" : "the request was cancelled");
}

/* Until something can be read or sent: one wait of LOOK_MS at most. */
static enum al_code wait_once(struct al_media_child *child, struct al_str *samples, int64_t deadline_ns, bool *readable,
                              struct al_err *err)
{
  bool sends = samples != nullptr && samples->size > 0;
  struct pollfd fds[] = {
    { .fd = child->frames_fd, .events = POLLIN },
    { .fd = sends ? child->samples_fd : -1, .events = POLLOUT },
  };
  AL_TRY(check_cancel(child, err));
  int n = poll(fds, AL_COUNT(fds), LOOK_MS);
  if (n < 0 && errno != EINTR)
    return al_fail(err, AL_INTERNAL, "allm-media cannot be waited for: %s", strerrordesc_np(errno));
  if (n == 0 && al_now_ns() > deadline_ns)
    return al_fail(err, AL_TIMEOUT, "the conversion of the file stood still for %lld ms", (long long)child->stall_ms);
  *readable = n > 0 && fds[0].revents != 0;
  if (n > 0 && fds[1].revents != 0)
    send_samples(child, samples);
  return AL_OK;
}

enum al_code al_media_child_next(struct al_media_child *child, struct al_str *samples, struct al_media_frame *frame,
                                 bool *found, struct al_err *err)
{
  int64_t deadline_ns = al_deadline_in_ms(child->stall_ms);
  for (;;) {
    AL_TRY(al_media_frames_next(&child->frames, frame, found, err));
    if (*found || (samples != nullptr && samples->size == 0))
      return AL_OK;
    bool readable = false;
    size_t before = samples != nullptr ? samples->size : 0;
    AL_TRY(wait_once(child, samples, deadline_ns, &readable, err));
    if (readable)
      AL_TRY(receive(child, err));
    if (readable || (samples != nullptr && samples->size < before))
      deadline_ns = al_deadline_in_ms(child->stall_ms);
  }
}

void al_media_child_stop(struct al_media_child *child)
{
  if (child->pid > 0) {
    struct al_exit exited;
    (void)kill(child->pid, SIGKILL);
    (void)!al_process_wait(child->pid, AL_NO_DEADLINE, &exited, nullptr);
    child->pid = 0;
  }
  al_fd_close(&child->frames_fd);
  al_fd_close(&child->samples_fd);
  al_cancel_unref(child->cancel);
  child->cancel = nullptr;
}
