#include "net/deadlines.h"

static void on_timer(uv_timer_t *timer);

enum al_code al_net_deadlines_init(struct al_net_deadlines *deadlines, uv_loop_t *loop, const int64_t *length_ms,
                                   void (*expired)(struct al_net_timed *), struct al_err *err)
{
  int failed = uv_timer_init(loop, &deadlines->timer);
  if (failed != 0)
    return al_fail(err, AL_INTERNAL, "a timer could not be made: %s", uv_strerror(failed));
  for (int kind = 0; kind < AL_NET_DEADLINE_COUNT; kind++) {
    struct al_net_timed *queue = &deadlines->queue[kind];
    queue->prev = queue->next = queue;
    deadlines->length_ms[kind] = length_ms[kind];
  }
  deadlines->armed_ms = 0;
  deadlines->expired = expired;
  deadlines->timer.data = deadlines;
  return AL_OK;
}

void al_net_deadlines_close(struct al_net_deadlines *deadlines)
{
  if (!uv_is_closing((uv_handle_t *)&deadlines->timer))
    uv_close((uv_handle_t *)&deadlines->timer, nullptr);
}

static void arm(struct al_net_deadlines *deadlines, uint64_t due_ms)
{
  if (uv_is_closing((uv_handle_t *)&deadlines->timer))
    return;
  uint64_t now_ms = uv_now(deadlines->timer.loop);
  deadlines->armed_ms = due_ms;
  (void)uv_timer_start(&deadlines->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

void al_net_deadline_clear(struct al_net_timed *timed)
{
  if (timed->next == nullptr)
    return;
  timed->prev->next = timed->next;
  timed->next->prev = timed->prev;
  timed->prev = timed->next = nullptr;
}

void al_net_deadline_set(struct al_net_deadlines *deadlines, struct al_net_timed *timed, enum al_net_deadline kind)
{
  al_net_deadline_clear(timed);
  timed->kind = kind;
  timed->due_ms = uv_now(deadlines->timer.loop) + (uint64_t)deadlines->length_ms[kind];
  struct al_net_timed *queue = &deadlines->queue[kind];
  timed->prev = queue->prev;
  timed->next = queue;
  queue->prev->next = timed;
  queue->prev = timed;
  /* A timer that rings too early does no harm, so it is moved only when it would ring too late. */
  if (deadlines->armed_ms == 0 || timed->due_ms < deadlines->armed_ms)
    arm(deadlines, timed->due_ms);
}

static void on_timer(uv_timer_t *timer)
{
  struct al_net_deadlines *deadlines = timer->data;
  deadlines->armed_ms = 0;
  uint64_t now_ms = uv_now(timer->loop);
  uint64_t soonest_ms = UINT64_MAX;
  for (int kind = 0; kind < AL_NET_DEADLINE_COUNT; kind++) {
    struct al_net_timed *queue = &deadlines->queue[kind];
    while (queue->next != queue && queue->next->due_ms <= now_ms) {
      struct al_net_timed *timed = queue->next;
      al_net_deadline_clear(timed);
      deadlines->expired(timed);
    }
  }
  for (int kind = 0; kind < AL_NET_DEADLINE_COUNT; kind++) {
    struct al_net_timed *queue = &deadlines->queue[kind];
    if (queue->next != queue && queue->next->due_ms < soonest_ms)
      soonest_ms = queue->next->due_ms;
  }
  if (soonest_ms != UINT64_MAX)
    arm(deadlines, soonest_ms);
}
