/* A request for embeddings or relevance scores: tokens are made on a prepare thread, rows by the model's scheduler. */
#ifndef AL_INFERENCE_EMBED_TASK_H
#define AL_INFERENCE_EMBED_TASK_H

#include "inference/task.h"
#include "inference/vectors.h"

/* Copies the request. Like al_inference_embed. */
enum al_code al_embed_submit(struct al_task_runner *runner, const struct al_embed_request *request, struct al_err *err);

#endif
