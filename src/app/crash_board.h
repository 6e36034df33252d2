/* What the worker leaves behind when it dies: a page of memory shared by supervisor and worker in which the worker
 * notes whose engine code it is running. After a crash the supervisor reads there which models were at work.
 *
 * Writers are the worker's engine threads (any number); the supervisor reads after the worker's death, so nothing
 * here locks. Every worker gets a board of its own. */
#ifndef AL_APP_CRASH_BOARD_H
#define AL_APP_CRASH_BOARD_H

#include "base/err.h"

#include <stdint.h>

struct al_crash_board;

enum al_code al_crash_board_new(struct al_crash_board **board, struct al_err *err);          /* supervisor */
enum al_code al_crash_board_open(int fd, struct al_crash_board **board, struct al_err *err); /* worker; takes fd */
void al_crash_board_free(struct al_crash_board *board);                                      /* accepts nullptr */
int al_crash_board_fd(const struct al_crash_board *board);

/* A thread is about to run, or has left, engine code for the model. Thread-safe, lock-free, never fails: past 64 models
 * it does nothing. */
void al_crash_board_mark(struct al_crash_board *board, const char *model_id, bool inside);
/* From now on a thread that ends the process by a fault of its own (SIGSEGV, SIGABRT, ...) writes down whose code it
 * ran. Worker, once; the board must live as long as the process. */
void al_crash_board_watch(struct al_crash_board *board);
/* The worker's main loop is alive. */
void al_crash_board_beat(struct al_crash_board *board);
int64_t al_crash_board_last_beat_ns(const struct al_crash_board *board);

/* The model in whose code the thread was that ended the process; false: not known (it ran none, as the threads that an
 * engine starts for itself do not, or the end came from outside). */
bool al_crash_board_culprit(const struct al_crash_board *board, char *id, size_t size);
/* The i-th model that had a thread inside; false past the last. Copies its id. */
bool al_crash_board_inside(const struct al_crash_board *board, size_t i, char *id, size_t size);

#endif
