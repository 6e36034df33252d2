/* A small random generator: xoshiro256** 1.0 by David Blackman and Sebastiano Vigna (public domain reference,
 * "Scrambled Linear Pseudorandom Number Generators", 2018), seeded through Vigna's splitmix64. Each sampler owns one,
 * so a seed gives the same draws whatever else runs beside it. */
#ifndef AL_SCHED_RNG_H
#define AL_SCHED_RNG_H

#include <stdint.h>

struct al_rng {
  uint64_t state[4];
};

void al_rng_init(struct al_rng *rng, uint64_t seed);
uint64_t al_rng_next(struct al_rng *rng);
double al_rng_unit(struct al_rng *rng); /* [0, 1), 53 random bits */
uint64_t al_rng_fresh_seed(void);       /* from the system's entropy */

#endif
