/* How many prompt tokens a step may take while others stream: as many as keep the step's duration near a target, learnt
 * from the steps themselves. With nobody streaming the whole batch is free. */
#ifndef AL_SCHED_CHUNK_H
#define AL_SCHED_CHUNK_H

#include <stddef.h>
#include <stdint.h>

struct al_chunk {
  size_t size;     /* prompt tokens beside running streams */
  size_t n_batch;  /* most */
  double plain_ns; /* a step without prompts takes so long; moving average, 0: not known */
};

constexpr int64_t AL_CHUNK_TARGET_NS = 150'000'000; /* or three plain steps, if that is more */

void al_chunk_init(struct al_chunk *chunk, size_t n_batch);
size_t al_chunk_limit(const struct al_chunk *chunk, bool others_stream);
/* A step with n_prompt prompt tokens beside streams took so long. */
void al_chunk_learn(struct al_chunk *chunk, size_t n_prompt, int64_t took_ns);

#endif
