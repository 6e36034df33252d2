/* LoRA adapters attached to one loaded model: each is loaded when first asked for and stays while the model does.
 * Thread-safe. */
#ifndef AL_INFERENCE_ADAPTERS_H
#define AL_INFERENCE_ADAPTERS_H

#include "inference/task.h"

struct al_adapters;

constexpr size_t AL_MOST_ADAPTERS = 32; /* of one model, in all and in one request */

struct al_adapters *al_adapters_new(void); /* nullptr: out of memory */
/* The scheduler that owned the model is gone. Accepts nullptr. */
void al_adapters_free(struct al_adapters *adapters, const struct al_text_ops *ops, struct al_engine_model *model);

struct al_engine_adapter *al_adapters_find(struct al_adapters *adapters, const char *id); /* nullptr: not loaded */

/* Has the task's model load it on its scheduler's thread; then the task goes to the prepare threads again, or fails.
 * On an error here it stays the caller's. */
enum al_code al_adapters_load(struct al_adapters *adapters, struct al_task *task, struct al_store *store,
                              const char *id, struct al_err *err);

#endif
