#include "base/thread.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct start {
  void (*run)(void *);
  void *argument;
  char name[16];
};

static void *enter(void *argument)
{
  struct start start = *(struct start *)argument;
  al_free(argument);
  (void)pthread_setname_np(pthread_self(), start.name);
  start.run(start.argument);
  return nullptr;
}

enum al_code al_thread_start(struct al_thread *thread, const char *name, void (*run)(void *), void *argument,
                             struct al_err *err)
{
  struct start *start = al_alloc(sizeof *start);
  if (start == nullptr)
    return al_fail_oom(err, sizeof *start);
  *start = (struct start){ .run = run, .argument = argument };
  (void)snprintf(start->name, sizeof start->name, "%s", name);
  static const int own_faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
  sigset_t masked, before;
  (void)sigfillset(&masked);
  for (size_t i = 0; i < AL_COUNT(own_faults); i++)
    (void)sigdelset(&masked, own_faults[i]);
  (void)pthread_sigmask(SIG_SETMASK, &masked, &before);
  int failed = pthread_create(&thread->id, nullptr, enter, start);
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) {
    al_free(start);
    return al_fail(err, AL_OOM_RAM, "thread %s could not be started: %s", name, strerror(failed));
  }
  thread->running = true;
  return AL_OK;
}

void al_thread_join(struct al_thread *thread)
{
  if (!thread->running)
    return;
  (void)pthread_join(thread->id, nullptr);
  thread->running = false;
}

void al_mutex_init(struct al_mutex *mutex)
{
  int failed = pthread_mutex_init(&mutex->lock, nullptr);
  assert(failed == 0);
}

void al_mutex_done(struct al_mutex *mutex)
{
  int failed = pthread_mutex_destroy(&mutex->lock);
  assert(failed == 0);
}

void al_mutex_lock(struct al_mutex *mutex)
{
  int failed = pthread_mutex_lock(&mutex->lock);
  assert(failed == 0);
}

void al_mutex_unlock(struct al_mutex *mutex)
{
  int failed = pthread_mutex_unlock(&mutex->lock);
  assert(failed == 0);
}

void al_cond_init(struct al_cond *cond)
{
  pthread_condattr_t attributes;
  int failed = pthread_condattr_init(&attributes);
  assert(failed == 0);
  failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  assert(failed == 0);
  failed = pthread_cond_init(&cond->cond, &attributes);
  assert(failed == 0);
  (void)pthread_condattr_destroy(&attributes);
}

void al_cond_done(struct al_cond *cond)
{
  int failed = pthread_cond_destroy(&cond->cond);
  assert(failed == 0);
}

void al_cond_signal(struct al_cond *cond)
{
  (void)pthread_cond_signal(&cond->cond);
}

void al_cond_broadcast(struct al_cond *cond)
{
  (void)pthread_cond_broadcast(&cond->cond);
}

bool al_cond_wait(struct al_cond *cond, struct al_mutex *mutex, int64_t deadline_ns)
{
  if (deadline_ns == AL_NO_DEADLINE) {
    (void)pthread_cond_wait(&cond->cond, &mutex->lock);
    return true;
  }
  if (deadline_ns < 0)
    deadline_ns = 0; /* long past; pthreads would refuse it */
  struct timespec until = { .tv_sec = deadline_ns / 1'000'000'000, .tv_nsec = deadline_ns % 1'000'000'000 };
  return pthread_cond_timedwait(&cond->cond, &mutex->lock, &until) != ETIMEDOUT;
}
