/* A bounded queue of pointers between threads. Any number of producers and consumers. Ownership moves with the item. */
#ifndef AL_BASE_QUEUE_H
#define AL_BASE_QUEUE_H

#include "base/err.h"

#include <stdint.h>

struct al_queue;

struct al_queue *al_queue_new(size_t capacity); /* nullptr when memory runs out */
void al_queue_free(struct al_queue *queue);     /* accepts nullptr; items left inside are the caller's to drain first */

/* false when full or closed: the item stays the caller's. Never blocks. */
[[nodiscard]] bool al_queue_push(struct al_queue *queue, void *item);
/* nullptr when the deadline passes, or when closed and empty. deadline_ns 0 polls. */
[[nodiscard]] void *al_queue_pop(struct al_queue *queue, int64_t deadline_ns);
/* Wakes every waiter; pushes fail from now on. */
void al_queue_close(struct al_queue *queue);
/* Makes one waiting pop return early (nullptr), to look at something else. */
void al_queue_wake(struct al_queue *queue);
size_t al_queue_count(struct al_queue *queue);

#endif
