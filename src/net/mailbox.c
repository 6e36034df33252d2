#include "net/mailbox.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "net/exchange.h"

#include <stdatomic.h>

struct al_net_mailbox {
  atomic_int n_refs;
  atomic_bool draining;
  struct al_mutex lock; /* guards what follows */
  uv_async_t *wake;     /* nullptr before open and after close */
  bool closed;
  struct al_http_exchange *first;
  struct al_http_exchange **last;
};

struct al_net_mailbox *al_net_mailbox_new(void)
{
  struct al_net_mailbox *mailbox = al_calloc(1, sizeof *mailbox);
  if (mailbox == nullptr)
    return nullptr;
  atomic_init(&mailbox->n_refs, 1);
  al_mutex_init(&mailbox->lock);
  mailbox->last = &mailbox->first;
  return mailbox;
}

struct al_net_mailbox *al_net_mailbox_ref(struct al_net_mailbox *mailbox)
{
  atomic_fetch_add_explicit(&mailbox->n_refs, 1, memory_order_relaxed);
  return mailbox;
}

void al_net_mailbox_unref(struct al_net_mailbox *mailbox)
{
  if (mailbox == nullptr || atomic_fetch_sub_explicit(&mailbox->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  al_mutex_done(&mailbox->lock);
  al_free(mailbox);
}

void al_net_mailbox_open(struct al_net_mailbox *mailbox, uv_async_t *wake)
{
  AL_LOCKED(&mailbox->lock);
  mailbox->wake = wake;
}

void al_net_mailbox_close(struct al_net_mailbox *mailbox)
{
  AL_LOCKED(&mailbox->lock);
  mailbox->wake = nullptr;
  mailbox->closed = true;
}

bool al_net_mailbox_post(struct al_net_mailbox *mailbox, struct al_http_exchange *exchange)
{
  AL_LOCKED(&mailbox->lock);
  if (mailbox->closed)
    return false;
  exchange->next_ready = nullptr;
  *mailbox->last = exchange;
  mailbox->last = &exchange->next_ready;
  /* Under the lock, so that close cannot take the handle away meanwhile; it is one write to an eventfd at most. */
  if (mailbox->wake != nullptr)
    (void)uv_async_send(mailbox->wake);
  return true;
}

struct al_http_exchange *al_net_mailbox_take(struct al_net_mailbox *mailbox)
{
  AL_LOCKED(&mailbox->lock);
  struct al_http_exchange *first = mailbox->first;
  mailbox->first = nullptr;
  mailbox->last = &mailbox->first;
  return first;
}

void al_net_mailbox_set_draining(struct al_net_mailbox *mailbox)
{
  atomic_store(&mailbox->draining, true);
}

bool al_net_mailbox_draining(const struct al_net_mailbox *mailbox)
{
  return atomic_load(&mailbox->draining);
}
