/* The deadlines of one loop's connections: one timer, and a queue for each kind of deadline. A kind has one length of
 * time, so its queue is in order by itself: setting, clearing and expiring cost O(1), whatever the number of
 * connections. Loop thread only. */
#ifndef AL_NET_DEADLINES_H
#define AL_NET_DEADLINES_H

#include "base/err.h"

#include <stdint.h>
#include <uv.h>

enum al_net_deadline {
  AL_NET_HEAD,   /* the request's head must be complete */
  AL_NET_BODY,   /* more of the body must have come */
  AL_NET_IDLE,   /* the next request must have begun */
  AL_NET_LAST,   /* while draining: the request that is on its way must have begun */
  AL_NET_WRITE,  /* the client must have taken something */
  AL_NET_QUIET,  /* a WebSocket's client must have said something */
  AL_NET_LINGER, /* the client must have closed its side */
  AL_NET_DEADLINE_COUNT,
};

struct al_net_timed {               /* stands inside what has a deadline; in one queue at a time */
  struct al_net_timed *prev, *next; /* both nullptr when none is set */
  uint64_t due_ms;
  enum al_net_deadline kind;
};

struct al_net_deadlines {
  uv_timer_t timer;
  struct al_net_timed queue[AL_NET_DEADLINE_COUNT]; /* sentinels */
  int64_t length_ms[AL_NET_DEADLINE_COUNT];
  uint64_t armed_ms;                           /* 0: the timer rests */
  void (*expired)(struct al_net_timed *timed); /* called with no deadline set */
};

/* length_ms: one a kind, copied. */
enum al_code al_net_deadlines_init(struct al_net_deadlines *deadlines, uv_loop_t *loop, const int64_t *length_ms,
                                   void (*expired)(struct al_net_timed *), struct al_err *err);
void al_net_deadlines_close(struct al_net_deadlines *deadlines); /* the loop must turn once more */

void al_net_deadline_set(struct al_net_deadlines *deadlines, struct al_net_timed *timed, enum al_net_deadline kind);
void al_net_deadline_clear(struct al_net_timed *timed);

#endif
