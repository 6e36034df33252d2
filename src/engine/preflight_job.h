/* The two messages between a preflight's parent and child. Internal to engine/preflight*.c. */
#ifndef AL_ENGINE_PREFLIGHT_JOB_H
#define AL_ENGINE_PREFLIGHT_JOB_H

#include "base/arena.h"
#include "base/buf.h"
#include "engine/engine.h"

void al_preflight_job_write(struct al_buf *out, const char *runtime, const struct al_model_descriptor *descriptor,
                            const struct al_load_options *options);

struct al_preflight_job {
  const char *runtime;
  struct al_model_descriptor descriptor; /* strings live in the arena */
  struct al_load_options options;
};
enum al_code al_preflight_job_read(struct al_str text, struct al_arena *arena, struct al_preflight_job *job,
                                   struct al_err *err);

/* The answer is the estimate, or the error when code is not AL_OK. */
void al_preflight_answer_write(struct al_buf *out, enum al_code code, const struct al_memory_estimate *estimate,
                               const struct al_err *error);
/* Returns the code in the answer, with *err filled; AL_INTERNAL when the answer makes no sense. */
enum al_code al_preflight_answer_read(struct al_str text, struct al_memory_estimate *estimate, struct al_err *err);

#endif
