/* Time. Deadlines are monotonic nanoseconds; AL_NO_DEADLINE waits for ever. */
#ifndef AL_BASE_CLOCK_H
#define AL_BASE_CLOCK_H

#include <stdckdint.h>
#include <stdint.h>

constexpr int64_t AL_NO_DEADLINE = INT64_MAX;
constexpr int64_t AL_NS_PER_MS = 1'000'000;

int64_t al_now_ns(void);  /* monotonic */
int64_t al_wall_s(void);  /* Unix time, seconds */
int64_t al_wall_ms(void); /* Unix time, milliseconds */

/* AL_NO_DEADLINE when it would lie beyond what the clock can count. */
static inline int64_t al_deadline_in_ms(int64_t ms)
{
  int64_t ns, deadline;
  bool too_far = ckd_mul(&ns, ms, AL_NS_PER_MS) || ckd_add(&deadline, al_now_ns(), ns);
  return !too_far ? deadline : ms < 0 ? 0 : AL_NO_DEADLINE;
}

#endif
