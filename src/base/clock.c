#include "base/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t clock)
{
  struct timespec now;
  (void)clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

int64_t al_now_ns(void)
{
  return read_ns(CLOCK_MONOTONIC);
}

int64_t al_wall_s(void)
{
  return read_ns(CLOCK_REALTIME) / 1'000'000'000;
}

int64_t al_wall_ms(void)
{
  return read_ns(CLOCK_REALTIME) / AL_NS_PER_MS;
}
