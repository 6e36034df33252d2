#include "base/cancel.h"

#include "base/alloc.h"

#include <stdatomic.h>

struct al_cancel {
  atomic_int n_refs;
  atomic_int reason;
};

struct al_cancel *al_cancel_new(void)
{
  struct al_cancel *cancel = al_calloc(1, sizeof *cancel);
  if (cancel != nullptr)
    atomic_init(&cancel->n_refs, 1);
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
  if (cancel != nullptr && atomic_fetch_sub_explicit(&cancel->n_refs, 1, memory_order_acq_rel) == 1)
    al_free(cancel);
}

void al_cancel_fire(struct al_cancel *cancel, enum al_code reason)
{
  if (cancel == nullptr)
    return;
  int expected = AL_OK;
  (void)atomic_compare_exchange_strong(&cancel->reason, &expected, (int)reason);
}

enum al_code al_cancel_reason(const struct al_cancel *cancel)
{
  return cancel == nullptr ? AL_OK : (enum al_code)atomic_load_explicit(&cancel->reason, memory_order_acquire);
}
