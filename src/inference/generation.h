/* A text request's work: prepared on a prepare thread (template, tokens, grammar, adapters), run as one generation a
 * choice on the model's scheduler, answered by events. Owns the job from `prepare` on. */
#ifndef AL_INFERENCE_GENERATION_H
#define AL_INFERENCE_GENERATION_H

#include "inference/text_request.h"

extern const struct al_task_ops al_generation_task;

/* generation_plan.c: everything up to the generations themselves. `waits`: an adapter is being loaded, and the task is
 * somebody else's already. */
enum al_code al_generation_plan(struct al_text_job *job, bool *waits, struct al_err *err);

#endif
