#include "app/crash_board.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

constexpr size_t N_SLOTS = 64;
constexpr size_t ID_BYTES = 256;

enum { SLOT_FREE, SLOT_CLAIMED, SLOT_NAMED };

struct slot {
  atomic_int state;
  atomic_int n_inside;
  char id[ID_BYTES]; /* written once, between CLAIMED and NAMED */
};

struct shared {
  _Atomic int64_t beat_ns;
  atomic_int died_in; /* a slot's number from 1: whose code the thread ran that ended the process; 0: not known */
  struct slot slots[N_SLOTS];
};

struct al_crash_board {
  int fd;
  struct shared *shared;
};

enum al_code al_crash_board_open(int fd, struct al_crash_board **board, struct al_err *err)
{
  struct al_crash_board *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  void *memory = mmap(nullptr, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    al_free(made);
    return al_fail(err, AL_INTERNAL, "the supervisor's page could not be mapped: %s", strerror(errno));
  }
  *made = (struct al_crash_board){ .fd = fd, .shared = memory };
  *board = made;
  return AL_OK;
}

enum al_code al_crash_board_new(struct al_crash_board **board, struct al_err *err)
{
  int fd = memfd_create("allm-crash-board", MFD_CLOEXEC);
  if (fd < 0)
    return al_fail(err, AL_INTERNAL, "memfd_create: %s", strerror(errno));
  enum al_code code = AL_OK;
  if (ftruncate(fd, (off_t)sizeof(struct shared)) != 0)
    code = al_fail(err, AL_OOM_RAM, "ftruncate: %s", strerror(errno));
  if (code == AL_OK)
    code = al_crash_board_open(fd, board, err);
  if (code != AL_OK)
    (void)close(fd);
  return code;
}

/* The process's board, as a signal handler gets no argument. */
static _Atomic(struct shared *) watched;

void al_crash_board_free(struct al_crash_board *board)
{
  if (board == nullptr)
    return;
  if (atomic_load(&watched) == board->shared)
    atomic_store(&watched, nullptr);
  (void)munmap(board->shared, sizeof *board->shared);
  (void)close(board->fd);
  al_free(board);
}

int al_crash_board_fd(const struct al_crash_board *board)
{
  return board->fd;
}

/* What this thread runs. Model code of one model does not call that of another. */
static thread_local struct {
  int slot, depth; /* from 1; 0: none */
} running;

static struct slot *find(struct shared *shared, const char *id)
{
  for (size_t i = 0; i < N_SLOTS; i++) {
    struct slot *slot = &shared->slots[i];
    int state = atomic_load_explicit(&slot->state, memory_order_acquire);
    while (state == SLOT_CLAIMED) /* for the length of a copy: another thread names it, perhaps with our id */
      state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (state == SLOT_NAMED && strncmp(slot->id, id, ID_BYTES - 1) == 0)
      return slot;
    int expected = SLOT_FREE;
    if (state == SLOT_FREE && atomic_compare_exchange_strong(&slot->state, &expected, SLOT_CLAIMED)) {
      (void)snprintf(slot->id, ID_BYTES, "%s", id);
      atomic_store_explicit(&slot->state, SLOT_NAMED, memory_order_release);
      return slot;
    }
  }
  return nullptr;
}

void al_crash_board_mark(struct al_crash_board *board, const char *model_id, bool inside)
{
  struct slot *slot = find(board->shared, model_id);
  if (slot == nullptr)
    return;
  atomic_fetch_add_explicit(&slot->n_inside, inside ? 1 : -1, memory_order_relaxed);
  running.depth += inside ? 1 : -1;
  running.slot = running.depth > 0 ? (int)(slot - board->shared->slots) + 1 : 0;
}

/* The signal comes again as this returns (SA_RESETHAND), and ends the process as if nobody had looked. */
static void note_death(int signal)
{
  struct shared *shared = atomic_load(&watched);
  int nobody = 0;
  if (shared != nullptr && running.slot != 0)
    (void)atomic_compare_exchange_strong(&shared->died_in, &nobody, running.slot);
  (void)raise(signal);
}

void al_crash_board_watch(struct al_crash_board *board)
{
  static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
  const struct sigaction noting = { .sa_handler = note_death, .sa_flags = (int)SA_RESETHAND };
  atomic_store(&watched, board->shared);
  for (size_t i = 0; i < AL_COUNT(signals); i++) {
    struct sigaction present;
    bool is_free = sigaction(signals[i], nullptr, &present) == 0 && present.sa_handler == SIG_DFL;
    if (is_free) /* the sanitizers have handlers of their own */
      (void)sigaction(signals[i], &noting, nullptr);
  }
}

bool al_crash_board_culprit(const struct al_crash_board *board, char *id, size_t size)
{
  int at = atomic_load_explicit(&board->shared->died_in, memory_order_relaxed);
  if (at < 1 || at > (int)N_SLOTS)
    return false;
  struct slot *slot = &board->shared->slots[at - 1];
  slot->id[ID_BYTES - 1] = '\0';
  (void)snprintf(id, size, "%s", slot->id);
  return true;
}

void al_crash_board_beat(struct al_crash_board *board)
{
  atomic_store_explicit(&board->shared->beat_ns, al_now_ns(), memory_order_relaxed);
}

int64_t al_crash_board_last_beat_ns(const struct al_crash_board *board)
{
  return atomic_load_explicit(&board->shared->beat_ns, memory_order_relaxed);
}

bool al_crash_board_inside(const struct al_crash_board *board, size_t i, char *id, size_t size)
{
  for (size_t at = 0; at < N_SLOTS; at++) {
    struct slot *slot = &board->shared->slots[at];
    if (atomic_load_explicit(&slot->n_inside, memory_order_relaxed) <= 0)
      continue;
    if (i-- > 0)
      continue;
    slot->id[ID_BYTES - 1] = '\0';
    (void)snprintf(id, size, "%s", slot->id);
    return true;
  }
  return false;
}
