#include "engine/diffusion/noise.h"

#include <math.h>
#include <string.h>

void al_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
  uint32_t c[4], k[2];
  memcpy(c, counter, sizeof c);
  memcpy(k, key, sizeof k);
  for (int round = 0; round < 10; round++) {
    uint64_t a = UINT64_C(0xD2511F53) * c[0], b = UINT64_C(0xCD9E8D57) * c[2];
    uint32_t next[4] = { (uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1],
                         (uint32_t)a };
    memcpy(c, next, sizeof c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  memcpy(out, c, sizeof c);
}

/* In float and in this order, as the device does it: a double would give other last digits. */
static float box_muller(uint32_t x, uint32_t y)
{
  constexpr float WORD = 2.3283064e-10F;              /* 2^-32 */
  constexpr float TURN = 2.3283064e-10F * 6.2831855F; /* 2 pi 2^-32 */
  float u = (float)x * WORD + WORD / 2;
  float v = (float)y * TURN + TURN / 2;
  return sqrtf(-2.0F * logf(u)) * sinf(v);
}

void al_noise_normal(struct al_noise *noise, float *out, size_t n)
{
  uint32_t key[2] = { (uint32_t)noise->seed, (uint32_t)(noise->seed >> 32) };
  for (size_t i = 0; i < n; i++) {
    uint32_t counter[4] = { noise->n_calls, 0, (uint32_t)i, 0 }, words[4];
    al_philox(counter, key, words);
    out[i] = box_muller(words[0], words[1]);
  }
  noise->n_calls++;
}
