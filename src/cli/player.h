/* Plays samples through whichever player the system has, in a process of its own. What has not been played yet waits in
 * a file without a name, so that the server never waits for the loudspeaker. */
#ifndef AL_CLI_PLAYER_H
#define AL_CLI_PLAYER_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/types.h>

constexpr int AL_PLAYER_RATE = 24000; /* 16-bit little-endian mono: OpenAI's "pcm" */

struct al_player {
  const char *name; /* "aplay" */
  char path[4096];
  pid_t pid;   /* 0: it does not run */
  int pipe_fd; /* to it, non-blocking */
  int waiting_fd;
  uint64_t n_waiting_bytes, n_played_bytes;
};

/* Finds one in $PATH. AL_NOT_FOUND: there is none. */
enum al_code al_player_open(struct al_player *player, struct al_err *err);
/* Never blocks for long. The first bytes start it. */
enum al_code al_player_add(struct al_player *player, struct al_str bytes, struct al_err *err);
/* Until all has been heard. cancel_fd: readable means AL_CANCELLED. */
enum al_code al_player_finish(struct al_player *player, int cancel_fd, struct al_err *err);
void al_player_close(struct al_player *player); /* ends it; accepts a zeroed one */

#endif
