#include "base/queue.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

#include <stdckdint.h>

struct al_queue {
  struct al_mutex mutex;
  struct al_cond filled;
  size_t head;
  size_t count;
  size_t capacity;
  unsigned n_wakes;
  bool closed;
  void *items[];
};

struct al_queue *al_queue_new(size_t capacity)
{
  size_t n_bytes;
  if (ckd_mul(&n_bytes, capacity, sizeof(void *)) || ckd_add(&n_bytes, n_bytes, sizeof(struct al_queue)))
    return nullptr;
  struct al_queue *queue = al_calloc(1, n_bytes);
  if (queue == nullptr)
    return nullptr;
  queue->capacity = capacity;
  al_mutex_init(&queue->mutex);
  al_cond_init(&queue->filled);
  return queue;
}

void al_queue_free(struct al_queue *queue)
{
  if (queue == nullptr)
    return;
  al_cond_done(&queue->filled);
  al_mutex_done(&queue->mutex);
  al_free(queue);
}

bool al_queue_push(struct al_queue *queue, void *item)
{
  AL_LOCKED(&queue->mutex);
  if (queue->closed || queue->count == queue->capacity)
    return false;
  queue->items[(queue->head + queue->count++) % queue->capacity] = item;
  al_cond_signal(&queue->filled);
  return true;
}

void *al_queue_pop(struct al_queue *queue, int64_t deadline_ns)
{
  AL_LOCKED(&queue->mutex);
  while (queue->count == 0) {
    if (queue->closed || deadline_ns == 0)
      return nullptr;
    if (queue->n_wakes > 0) {
      queue->n_wakes--;
      return nullptr;
    }
    if (!al_cond_wait(&queue->filled, &queue->mutex, deadline_ns) && queue->count == 0)
      return nullptr;
  }
  void *item = queue->items[queue->head];
  queue->head = (queue->head + 1) % queue->capacity;
  queue->count--;
  return item;
}

void al_queue_close(struct al_queue *queue)
{
  AL_LOCKED(&queue->mutex);
  queue->closed = true;
  al_cond_broadcast(&queue->filled);
}

void al_queue_wake(struct al_queue *queue)
{
  AL_LOCKED(&queue->mutex);
  queue->n_wakes = 1;
  al_cond_signal(&queue->filled);
}

size_t al_queue_count(struct al_queue *queue)
{
  AL_LOCKED(&queue->mutex);
  return queue->count;
}
