#include "cli/player.h"

#include "base/clock.h"
#include "cli/temporary.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* Its descriptor 3 is the pipe. */
#define INPUT "/dev/fd/3"

constexpr int64_t EXIT_MS = 2000;   /* a player that has closed its input */
constexpr int PIPE_BYTES = 1 << 20; /* some twenty seconds */

static const struct {
  const char *name;
  const char *arguments[14];
} players[] = {
  { "paplay", { "--raw", "--rate=24000", "--channels=1", "--format=s16le", INPUT } },
  { "pw-play", { "--raw", "--rate=24000", "--channels=1", "--format=s16", INPUT } },
  { "aplay", { "-q", "-t", "raw", "-f", "S16_LE", "-r", "24000", "-c", "1", INPUT } },
  { "ffplay", { "-nodisp", "-autoexit", "-loglevel", "error", "-f", "s16le", "-sample_rate", "24000", "-i", INPUT } },
  { "play", { "-q", "-t", "raw", "-r", "24000", "-e", "signed", "-b", "16", "-c", "1", INPUT } },
};

static bool find_in_path(const char *name, char *path, size_t size)
{
  const char *directories = getenv("PATH");
  while (directories != nullptr && *directories != '\0') {
    size_t length = strcspn(directories, ":");
    int written = snprintf(path, size, "%.*s/%s", (int)length, directories, name);
    bool fits = written > 0 && (size_t)written < size && length > 0 && directories[0] == '/';
    if (fits && access(path, X_OK) == 0)
      return true;
    directories += length + (directories[length] == ':');
  }
  return false;
}

enum al_code al_player_open(struct al_player *player, struct al_err *err)
{
  *player = (struct al_player){ .pipe_fd = -1, .waiting_fd = -1 };
  for (size_t i = 0; i < AL_COUNT(players) && player->name == nullptr; i++)
    if (find_in_path(players[i].name, player->path, sizeof player->path))
      player->name = players[i].name;
  if (player->name == nullptr)
    return al_fail(err, AL_NOT_FOUND,
                   "no program that plays sound is here (paplay, pw-play, aplay, ffplay, play); write a file with -o");
  return al_temporary_open(&player->waiting_fd, err);
}

static enum al_code start(struct al_player *player, struct al_err *err)
{
  int ends[2];
  const char *argv[AL_COUNT(players[0].arguments) + 2] = { player->path };
  for (size_t i = 0; i < AL_COUNT(players); i++)
    if (al_streq(players[i].name, player->name))
      memcpy(argv + 1, players[i].arguments, sizeof players[i].arguments);
  if (pipe2(ends, O_CLOEXEC) != 0)
    return al_fail(err, AL_INTERNAL, "pipe: %s", strerror(errno));
  (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
  (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const struct al_process_options options = { .argv = argv, .fds = ends, .n_fds = 1, .dies_with_parent = true };
  enum al_code code = al_process_spawn(&options, &player->pid, err);
  (void)close(ends[0]);
  player->pipe_fd = ends[1];
  return code == AL_OK ? AL_OK : al_wrap(err, "%s", player->name);
}

static enum al_code reap(struct al_player *player, int64_t deadline_ns, struct al_err *err)
{
  struct al_exit exited = {};
  AL_TRY(al_process_wait(player->pid, deadline_ns, &exited, err));
  player->pid = 0;
  if (exited.kind == AL_EXIT_SIGNAL)
    return al_fail(err, AL_INTERNAL, "%s was ended by %s", player->name, al_signal_name(exited.value));
  return exited.value == 0
             ? AL_OK
             : al_fail(err, AL_INTERNAL, "%s could not play it (it ended with status %d)", player->name, exited.value);
}

/* It reads no more. Why it has ended says more than that it has. */
static enum al_code ended_early(struct al_player *player, struct al_err *err)
{
  enum al_code code = reap(player, al_deadline_in_ms(EXIT_MS), err);
  if (code == AL_OK || code == AL_TIMEOUT)
    code = al_fail(err, AL_INTERNAL, "%s has ended before all was played", player->name);
  return code;
}

/* Hands the player what it takes; *full: it takes no more at the moment, and something is left. */
static enum al_code pump(struct al_player *player, bool *full, struct al_err *err)
{
  char bytes[16 << 10];
  *full = false;
  while (player->n_played_bytes < player->n_waiting_bytes) {
    ssize_t got = pread(player->waiting_fd, bytes, sizeof bytes, (off_t)player->n_played_bytes);
    if (got <= 0)
      return al_fail(err, AL_INTERNAL, "the temporary file cannot be read: %s", strerror(errno));
    ssize_t wrote = write(player->pipe_fd, bytes, (size_t)got);
    *full = wrote < 0 && errno == EAGAIN;
    if (*full)
      return AL_OK;
    if (wrote < 0 && errno != EINTR)
      return ended_early(player, err);
    player->n_played_bytes += wrote > 0 ? (uint64_t)wrote : 0;
  }
  return AL_OK;
}

enum al_code al_player_add(struct al_player *player, struct al_str bytes, struct al_err *err)
{
  bool full;
  AL_TRY(al_temporary_write(player->waiting_fd, bytes, err));
  player->n_waiting_bytes += bytes.size;
  if (player->pid == 0)
    AL_TRY(start(player, err));
  return pump(player, &full, err);
}

static enum al_code wait_for(int fd, short events, int cancel_fd, struct al_err *err)
{
  struct pollfd watched[2] = { { .fd = cancel_fd, .events = POLLIN }, { .fd = fd, .events = events } };
  while (watched[0].revents == 0 && watched[1].revents == 0)
    if (poll(watched, 2, -1) < 0 && errno != EINTR)
      return al_fail(err, AL_INTERNAL, "poll: %s", strerror(errno));
  return watched[0].revents == 0 ? AL_OK : al_fail(err, AL_CANCELLED, "cancelled");
}

enum al_code al_player_finish(struct al_player *player, int cancel_fd, struct al_err *err)
{
  bool full = true;
  if (player->pid == 0)
    return AL_OK;
  while (full) {
    AL_TRY(wait_for(player->pipe_fd, POLLOUT, cancel_fd, err));
    AL_TRY(pump(player, &full, err));
  }
  al_fd_close(&player->pipe_fd);
  AL_CLEANUP(al_fd_close) int pid_fd = pidfd_open(player->pid, 0);
  if (pid_fd >= 0)
    AL_TRY(wait_for(pid_fd, POLLIN, cancel_fd, err));
  return reap(player, AL_NO_DEADLINE, err);
}

void al_player_close(struct al_player *player)
{
  if (player->name == nullptr)
    return;
  struct al_err ignored;
  al_fd_close(&player->pipe_fd);
  al_fd_close(&player->waiting_fd);
  if (player->pid > 0) {
    (void)kill(player->pid, SIGKILL);
    (void)!reap(player, AL_NO_DEADLINE, &ignored);
  }
}
