/* Threads, mutexes and condition variables. Thin names over pthreads; failure to make one is an error, misuse asserts.
 */
#ifndef AL_BASE_THREAD_H
#define AL_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

struct al_thread {
  pthread_t id;
  bool running;
};

struct al_mutex {
  pthread_mutex_t lock;
};

struct al_cond {
  pthread_cond_t cond;
};

/* name: at most 15 bytes, copied. All signals are blocked in the new thread but those of its
 * own faults: were they, no handler would see them before the process ends. */
enum al_code al_thread_start(struct al_thread *thread, const char *name, void (*run)(void *), void *argument,
                             struct al_err *err);
void al_thread_join(struct al_thread *thread); /* does nothing when not running */

void al_mutex_init(struct al_mutex *mutex);
void al_mutex_done(struct al_mutex *mutex);
void al_mutex_lock(struct al_mutex *mutex);
void al_mutex_unlock(struct al_mutex *mutex);

void al_cond_init(struct al_cond *cond); /* waits on the monotonic clock */
void al_cond_done(struct al_cond *cond);
void al_cond_signal(struct al_cond *cond);
void al_cond_broadcast(struct al_cond *cond);
/* false when the deadline (al_now_ns based, or AL_NO_DEADLINE) passed. Spurious wake-ups happen. */
bool al_cond_wait(struct al_cond *cond, struct al_mutex *mutex, int64_t deadline_ns);

/* `AL_LOCKED(&mutex);` holds the lock until the end of the scope. */
static inline struct al_mutex *al_mutex_enter(struct al_mutex *mutex)
{
  al_mutex_lock(mutex);
  return mutex;
}
static inline void al_mutex_leave(struct al_mutex **mutex)
{
  al_mutex_unlock(*mutex);
}
#define AL_LOCKED(mutex) AL_CLEANUP(al_mutex_leave) [[maybe_unused]] struct al_mutex *al_locked_ = al_mutex_enter(mutex)

#endif
