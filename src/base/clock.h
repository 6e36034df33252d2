/* Time. Deadlines are monotonic nanoseconds; AL_NO_DEADLINE waits for ever. */
#ifndef AL_BASE_CLOCK_H
#define AL_BASE_CLOCK_H

#include <stdint.h>

constexpr int64_t AL_NO_DEADLINE = INT64_MAX;
constexpr int64_t AL_NS_PER_MS = 1'000'000;

int64_t al_now_ns(void);  /* monotonic */
int64_t al_wall_s(void);  /* Unix time, seconds */
int64_t al_wall_ms(void); /* Unix time, milliseconds */

static inline int64_t al_deadline_in_ms(int64_t ms)
{
  return al_now_ns() + ms * AL_NS_PER_MS;
}

#endif
