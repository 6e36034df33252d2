/* Gaussian noise that depends on the seed alone: what torch.randn gives on a CUDA device for the same seed, as long as
 * one call makes no more numbers than the device has threads (some 10^5), which holds for latents. Philox 4x32-10
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) counts the calls and the elements; the first two
 * of its four words become a number by Box and Muller's transform. The "GPU" seeds of other programs are these. */
#ifndef AL_ENGINE_DIFFUSION_NOISE_H
#define AL_ENGINE_DIFFUSION_NOISE_H

#include <stddef.h>
#include <stdint.h>

void al_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

struct al_noise {
  uint64_t seed;
  uint32_t n_calls; /* so far; each gives other numbers */
};

void al_noise_normal(struct al_noise *noise, float *out, size_t n);

#endif
