#include "base/cancel.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

#include <stdatomic.h>

struct al_cancel {
  atomic_int n_refs;
  atomic_int reason;
  /* under `mutex` */
  struct al_mutex mutex;
  struct al_cond told;
  struct al_cancel_watch *watches;
  struct al_cancel_watch *telling; /* its `fired` runs now */
};

struct al_cancel *al_cancel_new(void)
{
  struct al_cancel *cancel = al_calloc(1, sizeof *cancel);
  if (cancel == nullptr)
    return nullptr;
  atomic_init(&cancel->n_refs, 1);
  al_mutex_init(&cancel->mutex);
  al_cond_init(&cancel->told);
  return cancel;
}

struct al_cancel *al_cancel_ref(struct al_cancel *cancel)
{
  if (cancel != nullptr)
    atomic_fetch_add_explicit(&cancel->n_refs, 1, memory_order_relaxed);
  return cancel;
}

void al_cancel_unref(struct al_cancel *cancel)
{
  if (cancel == nullptr || atomic_fetch_sub_explicit(&cancel->n_refs, 1, memory_order_acq_rel) > 1)
    return;
  al_cond_done(&cancel->told);
  al_mutex_done(&cancel->mutex);
  al_free(cancel);
}

static void unlink_watch(struct al_cancel_watch *watch)
{
  *watch->link = watch->next;
  if (watch->next != nullptr)
    watch->next->link = watch->link;
  watch->link = nullptr;
}

static void tell_all(struct al_cancel *cancel)
{
  al_mutex_lock(&cancel->mutex);
  for (struct al_cancel_watch *watch; (watch = cancel->watches) != nullptr;) {
    unlink_watch(watch);
    cancel->telling = watch;
    al_mutex_unlock(&cancel->mutex);
    watch->fired(watch->user);
    al_mutex_lock(&cancel->mutex);
    cancel->telling = nullptr;
    al_cond_broadcast(&cancel->told);
  }
  al_mutex_unlock(&cancel->mutex);
}

/* Whoever is told may give back the last reference but ours. */
void al_cancel_fire(struct al_cancel *cancel, enum al_code reason)
{
  if (cancel == nullptr)
    return;
  int expected = AL_OK;
  struct al_cancel *own = al_cancel_ref(cancel);
  if (atomic_compare_exchange_strong(&cancel->reason, &expected, (int)reason))
    tell_all(cancel);
  al_cancel_unref(own);
}

/* The reason is set before the list is taken: who comes too late for the list sees it. */
bool al_cancel_watch(struct al_cancel *cancel, struct al_cancel_watch *watch)
{
  watch->link = nullptr;
  if (cancel == nullptr)
    return true;
  AL_LOCKED(&cancel->mutex);
  if (al_cancelled(cancel))
    return false;
  watch->next = cancel->watches;
  watch->link = &cancel->watches;
  if (watch->next != nullptr)
    watch->next->link = &watch->next;
  cancel->watches = watch;
  return true;
}

void al_cancel_unwatch(struct al_cancel *cancel, struct al_cancel_watch *watch)
{
  if (cancel == nullptr)
    return;
  AL_LOCKED(&cancel->mutex);
  if (watch->link != nullptr)
    unlink_watch(watch);
  while (cancel->telling == watch)
    (void)al_cond_wait(&cancel->told, &cancel->mutex, AL_NO_DEADLINE);
}

enum al_code al_cancel_reason(const struct al_cancel *cancel)
{
  return cancel == nullptr ? AL_OK : (enum al_code)atomic_load_explicit(&cancel->reason, memory_order_acquire);
}
